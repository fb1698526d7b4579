"""A learned claim: a small network that scores one row at a time, in a compiled episode or step by step.

The logit of a row is sign * claim(row, context) - pair_cost(row): in EVICT (sign -1) the lowest claim goes without, in
ADMIT (sign +1) the highest gets the slot. What belongs to entity and slot together, `bind_cost` and `distance`, enters
the pair cost alone, which is linear. One network serves threads and pages, any number of rows, and either kind.
"""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

from sos_gym import __version__
from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel, on_stack
from sos_gym.outputs import write_whole
from sos_gym.settings.ranges import SettingError
from sos_gym.view.columns import COLUMNS, CONTEXT, OBSERVATION
from sos_gym.view.playing import DECISIONS, OVER, play
from sos_gym.view.step import step_at, tables_of

PAIR = ("bind_cost", "distance")
INPUTS = (*(name for name in COLUMNS if name not in PAIR), *CONTEXT)
OWN_COLUMNS = np.array([k for k, name in enumerate(COLUMNS) if name not in PAIR])
PAIR_COLUMNS = np.array([COLUMNS.index(name) for name in PAIR])
ADMIT_COLUMN = CONTEXT.index("admit")
LANES = 16  # rows that are worked on at a time: as many as an observation has by default


@kernel
def _gather(candidates, first, lanes):
    """Put own columns of LANES rows side by side: lanes[column, row]; behind the last row stand zeros."""
    for i in range(np.uint64(LANES)):
        row = np.uint64(first) + i
        for k in range(np.uint64(OWN_COLUMNS.size)):
            lanes[k, i] = candidates[row, OWN_COLUMNS[k]] if row < candidates.shape[0] else np.float32(0.0)


@kernel
def _add_layer(weights, at, biases, wide, narrow, now, then):
    """then[j] = biases[j] + now @ weights, for LANES rows; the weights begin at `at`, a row of `narrow` per input."""
    sums = on_stack(nb.float32, LANES)
    for j in range(np.uint64(narrow)):
        for r in range(np.uint64(LANES)):
            sums[r] = biases[j]
        for i in range(np.uint64(wide)):
            weight = weights[np.uint64(at) + i * np.uint64(narrow) + j]
            for r in range(np.uint64(LANES)):
                sums[r] += now[i, r] * weight
        for r in range(np.uint64(LANES)):
            then[j, r] = sums[r]


@kernel
def _biases_under(context, sizes, weights, biases):
    """Of the first layer: its own, and what the context adds to them, which is the same in all rows."""
    narrow, own = np.uint64(sizes[1]), np.uint64(OWN_COLUMNS.size)
    for j in range(narrow):
        biases[j] = weights[np.uint64(sizes[0]) * narrow + j]
    for k in range(np.uint64(context.size)):
        for j in range(narrow):
            biases[j] += context[k] * weights[(own + k) * narrow + j]


@kernel
def logits_of(candidates, context, sizes, weights, pair_costs, logits):
    """sign * claim - pair cost of every row, those that are masked out among them.

    Rows lie side by side, so that LANES of them are worked on at a time; a layer's weights are (in, out), then biases.
    """
    widest, layers = max(sizes), sizes.size - 1
    rooms = np.empty((3, widest, LANES), np.float32)
    now, then, biases = rooms[0], rooms[1], rooms[2].reshape(-1)
    sign = np.float32(1.0 if context[ADMIT_COLUMN] == 1.0 else -1.0)
    _biases_under(context, sizes, weights, biases)
    for first in range(0, logits.size, LANES):
        _gather(candidates, first, now)
        at = 0
        for layer in range(layers):
            wide, narrow = sizes[layer], sizes[layer + 1]
            if layer == 0:
                _add_layer(weights, at, biases, OWN_COLUMNS.size, narrow, now, then)
            else:
                _add_layer(weights, at, weights[at + wide * narrow :], wide, narrow, now, then)
            if layer < layers - 1:
                for j in range(np.uint64(narrow)):
                    for r in range(np.uint64(LANES)):
                        then[j, r] = max(then[j, r], np.float32(0.0))
            now, then = then, now
            at += wide * narrow + narrow
        for i in range(first, min(first + LANES, logits.size)):
            logits[i] = sign * now[0, i - first]
            for k in range(PAIR_COLUMNS.size):
                logits[i] -= pair_costs[k] * candidates[i, PAIR_COLUMNS[k]]


@kernel
def choose(candidates, context, mask, sizes, weights, pair_costs):
    """The legal row with the greatest logit, the first of equals."""
    logits, best = np.empty(mask.size, np.float32), -1
    logits_of(candidates, context, sizes, weights, pair_costs, logits)
    for i in range(mask.size):
        if mask[i] and (best < 0 or logits[i] > logits[best]):
            best = i
    return best


@kernel
def _choices(
    row, address, sims, discounts, shown, candidates, context, mask, advised, steps, sizes, weights, pair_costs
):
    """Take `row` and those that follow, up to the end or DECISIONS of them; the row to go on with, or OVER."""
    sim, step = sims[0], steps[0]
    seen = tables_of(shown, candidates, context, mask, advised)
    for _ in range(DECISIONS):
        step_at(address)(sim, row, discounts, seen[0], seen[1], seen[2], seen[3], seen[4], step)
        if not step.open:
            return OVER
        row = choose(candidates, context, mask, sizes, weights, pair_costs)
    return row


class LearnedClaim:
    """A policy: `(observation, info) -> row`, and what `evaluate` runs inside the engine, with the same result.

    Args:
        layers: (weights (inputs, outputs), biases (outputs,)) of each layer; the first takes `INPUTS`, the last gives
            one number; between them ReLU. One layer is a linear claim.
        pair_costs: (2,), of `bind_cost` and `distance`.
        name: for tables.
        privileged: it was told of the future in training, as by the reward `foresight`; tables mark it with †.

    Raises:
        SettingError: sizes that do not fit, or numbers that are not finite.
    """

    def __init__(
        self,
        layers: Sequence[tuple[Any, Any]],
        pair_costs: Any = (0.0, 0.0),
        name: str = "learned",
        privileged: bool = False,
    ):
        self.layers = [(np.array(w, np.float32), np.array(b, np.float32)) for w, b in layers]
        self.pair_costs, self.__name__, self.privileged = np.array(pair_costs, np.float32), name, bool(privileged)
        self._refuse_misfits()
        self.sizes = np.array([len(INPUTS), *(len(biases) for _, biases in self.layers)])
        self.weights = np.concatenate([part.ravel() for layer in self.layers for part in layer])

    @classmethod
    def linear(cls, weights: Mapping[str, float], name: str = "linear") -> "LearnedClaim":
        """A claim that is a sum of columns times weights; the weights of `PAIR` are their costs.

        Raises:
            SettingError: no such column.
        """
        for column in weights:
            if column not in (*INPUTS, *PAIR):
                raise SettingError("weights", column, f"one of {', '.join((*INPUTS, *PAIR))}", "see sos_gym.COLUMNS")
        vector = [[weights.get(column, 0.0)] for column in INPUTS]
        return cls([(vector, [0.0])], [weights.get(column, 0.0) for column in PAIR], name)

    @property
    def about(self) -> str:
        """A sentence: how large it is."""
        wide = " → ".join(map(str, self.sizes.tolist()))
        return f"a learned claim: a network of {wide} numbers, {len(self.weights)} weights"

    def __call__(self, observation: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> int:
        arrays = observation["candidates"], observation["context"], observation["action_mask"]
        return choose(*arrays, self.sizes, self.weights, self.pair_costs)

    def play(self, simulation: Simulation) -> None:
        """Decide to the end of an episode that was laid out for observations.

        Raises:
            StuckError: the tape can go no further.
        """
        play(simulation, _choices, self.sizes, self.weights, self.pair_costs)

    def save(self, path: str | os.PathLike) -> Path:
        """Write an .npz file, whole or not at all: layers, inputs by name, versions, and whether it is privileged."""
        target = Path(path)
        if target.suffix != ".npz":
            raise SettingError("path", str(path), "a name with .npz at its end", "add it")
        target.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {"inputs": INPUTS, "pair": PAIR, "pair_costs": self.pair_costs, "name": self.__name__}
        arrays |= {"observation": OBSERVATION, "version": __version__, "privileged": self.privileged}
        for n, (weights, biases) in enumerate(self.layers):
            arrays |= {f"w{n}": weights, f"b{n}": biases}
        file = io.BytesIO()
        np.savez(file, **arrays)
        return write_whole(target, file.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LearnedClaim":
        """Read what `save` wrote, column by column: their order may have changed, a column that is new weighs 0.

        A file from before there was a version of the observation is one of version 1.

        Raises:
            SettingError: not such a file, or one for columns that are gone or mean something else now.
            OSError: it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {"observation": 1, "version": "of an unknown version", "privileged": False, **file}
            inputs, pair = found["inputs"].tolist(), found["pair"].tolist()
            layers = [(found[f"w{n}"], found[f"b{n}"]) for n in range(sum(key[0] == "w" for key in found))]
            first, costs, name = layers[0][0], found["pair_costs"], str(found["name"])
            if (len(first), len(costs)) != (len(inputs), len(pair)):
                raise ValueError(f"{len(inputs)} names of {len(first)} inputs")
        except (KeyError, IndexError, ValueError, EOFError, TypeError) as error:
            allowed = "a file that LearnedClaim.save wrote"
            raise SettingError("path", str(path), allowed, f"train it again ({error})") from error
        _refuse_other_columns(path, int(found["observation"]), str(found["version"]), inputs, pair)
        placed = [(_placed(first, inputs, INPUTS), layers[0][1]), *layers[1:]]
        return cls(placed, _placed(costs, pair, PAIR), name, bool(found["privileged"]))

    def _refuse_misfits(self) -> None:
        width = len(INPUTS)
        for n, (weights, biases) in enumerate(self.layers):
            if weights.ndim != 2 or len(weights) != width or biases.shape != weights.shape[1:]:
                shapes, allowed = (weights.shape, biases.shape), f"of shapes ({width}, n) and (n,)"
                raise SettingError(f"layers[{n}]", shapes, allowed, "pass (weights, biases)")
            width = len(biases)
        if not self.layers or width != 1:
            raise SettingError(
                "layers", len(self.layers), "one or more, the last with one output", "a claim is a number"
            )
        if self.pair_costs.shape != (len(PAIR),):
            raise SettingError("pair_costs", self.pair_costs, f"{len(PAIR)} numbers, of {PAIR}", "pass both")
        for part in (self.pair_costs, *(part for layer in self.layers for part in layer)):
            if not np.isfinite(part).all():
                raise SettingError("layers", part, "finite numbers", "training may have diverged")


def _refuse_other_columns(
    path: Any, observation: int, version: str, inputs: Sequence[str], pair: Sequence[str]
) -> None:
    """What was trained on an observation of another version, or on columns that are gone, would decide by chance."""
    written = f"it was trained with sos_gym {version}"
    if observation != OBSERVATION:
        allowed = f"trained on version {OBSERVATION} of the observation, not {observation}"
        raise SettingError("path", str(path), allowed, f"{written}: train it again")
    gone = sorted({*inputs} - {*INPUTS} | {*pair} - {*PAIR})
    if gone:
        raise SettingError("path", str(path), "for columns that there are", f"{written}, for {gone}: train it again")


def _placed(numbers: np.ndarray, names: Sequence[str], places: Sequence[str]) -> np.ndarray:
    """The rows of `numbers`, which are called `names`, where `places` has them; 0 for the others."""
    placed = np.zeros((len(places), *numbers.shape[1:]), numbers.dtype)
    for name, number in zip(names, numbers, strict=True):
        placed[places.index(name)] = number
    return placed
