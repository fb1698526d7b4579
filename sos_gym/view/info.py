"""`info`, from what a step leaves behind: one table of its keys, for one environment and for many.

The keys, and the types of their values, are the same after a reset, after every step and at the end, since vectors,
replay buffers and files of trajectories lay them out once. One environment gets Python's numbers, many get arrays, each
with a mask `_KEY` of whom it was told, just as Gymnasium's own vectors make them of single ones.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from sos_gym.metrics import BLANK
from sos_gym.resource import Kind, Resource, Why
from sos_gym.view.step import STEP
from sos_gym.view.word import Word, words_of

FIELD = {name: place for place, name in enumerate(STEP.names or ())}  # of a step as a tuple
OF_KIND = {"b": bool, "i": np.int64, "f": np.float64}  # what many have of a field


class Key(NamedTuple):
    """A key of `info`, and the field of STEP that it shows."""

    name: str
    field: str
    place: int  # of the field
    words: tuple[Word | None, ...]  # that the field's numbers read as; none: themselves
    dtype: Any  # of the array that many have


class Group(NamedTuple):
    """Keys that stand together."""

    name: str  # of the dict that they stand in; none: `info` itself
    keys: tuple[Key, ...]


def _key(name: str, field: str = "", words: type[IntEnum] | None = None) -> Key:
    field = field or name
    return Key(name, field, FIELD[field], words_of(words) if words else (), OF_KIND[STEP[field].kind])


GROUPS = (
    Group("", (_key("dt_ns"), _key("work_ns"), _key("discount"), _key("service_discount"), _key("fallback_row"))),
    Group("cost", (_key("service_ns", "work_ns"), _key("weighted_stall_ns"))),
    Group(
        "decision",
        (
            _key("open"),
            _key("number"),
            _key("now_ns"),
            _key("kind", words=Kind),
            _key("cause", words=Why),
            _key("resource", words=Resource),
            _key("contenders", "count"),
        ),
    ),
)


class SingleForm:
    """The step of one environment as a tuple, the row that each advisor would choose, and int8 (K,)."""

    def __init__(self, step: tuple, advice: dict[str, int], mask: np.ndarray, privileged: bool):
        self.step, self.beside = step, {"advice": advice, "action_mask": mask, "privileged": privileged}

    def values(self, group: Group) -> dict[str, Any]:
        step = self.step
        return {name: words[step[place]] if words else step[place] for name, _, place, words, _ in group.keys}

    def finished(self, info: dict[str, Any]) -> dict[str, Any]:
        return info


class BatchForm:
    """The steps of N environments, the rows (N, advisors) that their advisors would choose, and int8 (N, K).

    `told` bool (N,): whose steps these are; the others have kept theirs.
    """

    def __init__(
        self,
        steps: np.ndarray,
        advised: Mapping[str, np.ndarray],
        masks: np.ndarray,
        privileged: np.ndarray,
        told: np.ndarray,
    ):
        self.steps, self.told = steps, told
        self.beside = {"advice": dict(advised), "action_mask": masks, "privileged": privileged}

    def values(self, group: Group) -> dict[str, Any]:
        return {key.name: self.steps[key.field].astype(key.dtype) for key in group.keys}

    def finished(self, info: dict[str, Any]) -> dict[str, Any]:
        return masked(info, self.told)


def info_of(form: SingleForm | BatchForm, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What passed since the last decision, the one that is open, what each advisor would choose; at the end metrics."""
    info: dict[str, Any] = {}
    for group in GROUPS:
        if group.name:
            info[group.name] = form.values(group)
        else:
            info.update(form.values(group))
    info |= form.beside
    info["metrics"] = dict(metrics)
    return form.finished(info)


# -- Gymnasium's form for many: a value, and of whom it is


def masked(values: Mapping[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Arrays, and dicts of them, that all have the same mask."""
    infos: dict[str, Any] = {}
    for name, value in values.items():
        put(infos, name, masked(value, mask) if isinstance(value, dict) else value, mask)
    return infos


def put(infos: dict[str, Any], name: str, value: Any, mask: np.ndarray) -> None:
    """Add a value and its mask."""
    infos[name], infos[f"_{name}"] = value, mask


def narrowed(infos: Mapping[str, Any], chosen: np.ndarray) -> dict[str, Any]:
    """The same of the `chosen` alone; 0 and not told of the others."""
    found: dict[str, Any] = {}
    for name, value in infos.items():
        found[name] = narrowed(value, chosen) if isinstance(value, dict) else _zeroed(value, ~chosen)
    return found


def _zeroed(array: np.ndarray, places: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[places] = 0
    return array


def metrics_of_many(ended: Mapping[int, Mapping[str, Any]], count: int) -> dict[str, np.ndarray]:
    """The metrics of the environments that ended, as arrays (count,); 0 of the others."""
    arrays = {name: np.zeros(count, type(blank)) for name, blank in BLANK.items()}
    for i, found in ended.items():
        for name, array in arrays.items():
            array[i] = found[name]
    return arrays


def singles_of(infos: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """What many were told as a dict per environment, as a single one is told it: lists are what some learners take."""
    names = [name for name in infos if name[0] != "_"]
    columns = [_column(name, infos[name], count) for name in names]
    if not names:
        return [{} for _ in range(count)]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _column(name: str, value: Any, count: int) -> Sequence[Any]:
    if isinstance(value, dict):
        return singles_of(value, count)
    if name in WORDS:
        return [WORDS[name][number] for number in value.tolist()]
    return list(value) if value.ndim > 1 else value.tolist()


WORDS = {key.name: key.words for group in GROUPS for key in group.keys if key.words}
