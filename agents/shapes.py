"""Claims as vectors of numbers, for learners that know nothing of networks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sos_gym import COLUMNS, CONTEXT, LearnedClaim
from sos_gym.learned import INPUTS, PAIR
from sos_gym.streams import stream

OWN = tuple(name for name in INPUTS if name in COLUMNS and name != "valid")  # `valid` is 1 in every row that counts
HIDDEN_SPREAD = 0.5  # standard deviation of the weights of hidden units that have no say yet


def _places(names: Iterable[str], without: Iterable[str]) -> list[int]:
    """In `INPUTS`, of those that may be used."""
    return [INPUTS.index(name) for name in names if name not in without]


@dataclass(frozen=True)
class Linear:
    """A weight for each of a row's own columns, then the costs of `PAIR`.

    Context is the same in all rows of a decision, so that a sum of columns has no use for it.
    """

    without: tuple[str, ...] = ()  # columns that it may not use

    @property
    def inputs(self) -> list[int]:
        return _places(OWN, self.without)

    @property
    def size(self) -> int:
        return len(self.inputs) + len(PAIR)

    def claim(self, vector: np.ndarray, name: str) -> LearnedClaim:
        weights = np.zeros((len(INPUTS), 1))
        weights[self.inputs, 0] = vector[: -len(PAIR)]
        return LearnedClaim([(weights, [0.0])], vector[-len(PAIR) :], name)

    def vector(self, claim: LearnedClaim) -> np.ndarray:  # float (size,)
        """Of a claim of this shape."""
        return np.concatenate([claim.layers[0][0][self.inputs, 0], claim.pair_costs]).astype(float)

    def start(self, before: np.ndarray | None, seed: int) -> np.ndarray:  # float (size,)
        """0, or as it was."""
        return np.zeros(self.size) if before is None else before


@dataclass(frozen=True)
class Mlp:
    """Own columns and context → `hidden` ReLU units → 1; weights, biases, output weights, then the costs of `PAIR`."""

    hidden: int  # >= 2
    without: tuple[str, ...] = ()  # columns that it may not use, of rows and of the context

    @property
    def inputs(self) -> list[int]:
        return _places((*OWN, *CONTEXT), self.without)

    @property
    def size(self) -> int:
        return (len(self.inputs) + 2) * self.hidden + len(PAIR)

    def claim(self, vector: np.ndarray, name: str) -> LearnedClaim:
        wide = len(self.inputs) * self.hidden
        weights = np.zeros((len(INPUTS), self.hidden))
        weights[self.inputs] = vector[:wide].reshape(-1, self.hidden)
        biases, out = vector[wide : wide + 2 * self.hidden].reshape(2, self.hidden)
        return LearnedClaim([(weights, biases), (out[:, None], [0.0])], vector[-len(PAIR) :], name)

    def vector(self, claim: LearnedClaim) -> np.ndarray:  # float (size,)
        """Of a claim of this shape, whose last bias decides nothing."""
        (weights, biases), (out, _) = claim.layers
        return np.concatenate([weights[self.inputs].ravel(), biases, out[:, 0], claim.pair_costs]).astype(float)

    def start(self, before: np.ndarray | None, seed: int) -> np.ndarray:  # float (size,)
        """The linear claim `before` in two units, relu(x) - relu(-x) = x; the others have weights, but no say yet."""
        linear = Linear(self.without).start(before, seed)
        if len(linear) == self.size:
            return linear
        own, costs = np.split(linear, [len(linear) - len(PAIR)])
        weights = stream(seed, "hidden units").normal(0.0, HIDDEN_SPREAD, (len(self.inputs), self.hidden))
        weights[:, :2] = 0.0
        weights[: len(own), 0], weights[: len(own), 1] = own, -own
        biases, out = np.zeros(self.hidden), np.zeros(self.hidden)
        out[:2] = 1.0, -1.0
        return np.concatenate([weights.ravel(), biases, out, costs])


def shape_of(hidden: int, without: Iterable[str] = ()) -> Linear | Mlp:
    """0 hidden units: a linear claim."""
    return Mlp(hidden, tuple(without)) if hidden else Linear(tuple(without))


def hidden_of(claim: LearnedClaim) -> int | None:
    """The hidden units of a claim; None: it is of none of these shapes."""
    return {1: 0, 2: int(claim.sizes[1])}.get(len(claim.layers))
