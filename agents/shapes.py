"""Claims as vectors of numbers, for learners that know nothing of networks."""

from dataclasses import dataclass

import numpy as np

from sos_gym import COLUMNS, CONTEXT, LearnedClaim
from sos_gym.learned import INPUTS, PAIR
from sos_gym.streams import stream

OWN = tuple(name for name in INPUTS if name in COLUMNS and name != "valid")  # `valid` is 1 in every row that counts
HIDDEN_SPREAD = 0.5  # standard deviation of the weights of hidden units that have no say yet
OWN_AT = [INPUTS.index(name) for name in OWN]


@dataclass(frozen=True)
class Linear:
    """A weight for each of a row's own columns, then the costs of `PAIR`.

    Context is the same in all rows of a decision, so that a sum of columns has no use for it.
    """

    @property
    def size(self) -> int:
        return len(OWN) + len(PAIR)

    def claim(self, vector: np.ndarray, name: str) -> LearnedClaim:
        weights = np.zeros((len(INPUTS), 1))
        weights[OWN_AT, 0] = vector[: len(OWN)]
        return LearnedClaim([(weights, [0.0])], vector[len(OWN) :], name)

    def start(self, before: np.ndarray | None, seed: int) -> np.ndarray:  # float (size,)
        """0, or as it was."""
        return np.zeros(self.size) if before is None else before


@dataclass(frozen=True)
class Mlp:
    """Own columns and context → `hidden` ReLU units → 1; weights, biases, output weights, then the costs of `PAIR`."""

    hidden: int  # >= 2

    @property
    def inputs(self) -> list[int]:
        return OWN_AT + [INPUTS.index(name) for name in CONTEXT]

    @property
    def size(self) -> int:
        return (len(self.inputs) + 2) * self.hidden + len(PAIR)

    def claim(self, vector: np.ndarray, name: str) -> LearnedClaim:
        wide = len(self.inputs) * self.hidden
        weights = np.zeros((len(INPUTS), self.hidden))
        weights[self.inputs] = vector[:wide].reshape(-1, self.hidden)
        biases, out = vector[wide : wide + 2 * self.hidden].reshape(2, self.hidden)
        return LearnedClaim([(weights, biases), (out[:, None], [0.0])], vector[-len(PAIR) :], name)

    def start(self, before: np.ndarray | None, seed: int) -> np.ndarray:  # float (size,)
        """The linear claim `before` in two units, relu(x) - relu(-x) = x; the others have weights, but no say yet."""
        linear = Linear().start(before, seed)
        if len(linear) == self.size:
            return linear
        weights = stream(seed, "hidden units").normal(0.0, HIDDEN_SPREAD, (len(self.inputs), self.hidden))
        weights[:, :2] = 0.0
        weights[: len(OWN), 0], weights[: len(OWN), 1] = linear[: len(OWN)], -linear[: len(OWN)]
        biases, out = np.zeros(self.hidden), np.zeros(self.hidden)
        out[:2] = 1.0, -1.0
        return np.concatenate([weights.ravel(), biases, out, linear[len(OWN) :]])


def shape_of(hidden: int) -> Linear | Mlp:
    """0 hidden units: a linear claim."""
    return Mlp(hidden) if hidden else Linear()
