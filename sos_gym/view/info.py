"""`info`, from what a step leaves behind: one table of its keys, for one environment and for many.

One environment gets Python's numbers and words, and no key that does not apply to it. Many get arrays, each with a mask
`_KEY` of whom it applies to, as Gymnasium wants it.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from sos_gym.resource import Kind, Resource, Why
from sos_gym.view.step import STEP

FIELD = {name: place for place, name in enumerate(STEP.names or ())}  # of a step as a tuple


class Key(NamedTuple):
    """A key of `info`, and the field of STEP that it shows."""

    name: str
    field: str
    place: int  # of the field
    words: tuple[str, ...]  # what the field's numbers stand for, by number; none: themselves
    labels: np.ndarray  # the same as an array


def _key(name: str, field: str = "", words: type[IntEnum] | None = None) -> Key:
    field = field or name
    named = {member.value: member.name.lower() for member in words or ()}
    said = tuple(named.get(number, "") for number in range(max(named, default=-1) + 1))
    return Key(name, field, FIELD[field], said, np.array(said))


class Group(NamedTuple):
    """Keys that apply together: to environments whose field `of` is true."""

    name: str  # of the dict that they stand in; none: `info` itself
    of: str
    keys: tuple[Key, ...]


DECISION = Group(
    "decision",
    "open",
    (
        _key("number"),
        _key("now_ns"),
        _key("kind", words=Kind),
        _key("cause", words=Why),
        _key("resource", words=Resource),
        _key("contenders", "count"),
    ),
)
PASSED = (
    Group("", "stepped", (_key("dt_ns"), _key("work_ns"), _key("discount"))),
    Group("cost", "stepped", (_key("service_ns", "work_ns"), _key("weighted_stall_ns"))),
    Group("", "privileged", (_key("privileged"),)),
    Group("", "fell_back", (_key("fallback_row"),)),
)
OF_PASSED = tuple({group.of: None for group in PASSED})


class SingleForm:
    """The step of one environment, as a tuple, and the row that each advisor would choose."""

    def __init__(self, step: tuple, advice: Mapping[str, int]):
        self.step, self.advice = step, advice if step[FIELD["open"]] else {}

    def applies(self, group: Group) -> bool:
        return self.step[FIELD[group.of]]

    def values(self, group: Group) -> dict[str, Any] | None:
        """The keys of a group that applies; else None."""
        if not self.applies(group):
            return None
        step = self.step
        return {name: words[step[place]] if words else step[place] for name, _, place, words, _ in group.keys}

    def put(self, info: dict[str, Any], name: str, value: Any, of: str) -> None:
        info[name] = value


class BatchForm:
    """The steps of N environments, and the rows (N, advisors) that their advisors would choose."""

    def __init__(self, steps: np.ndarray, advisors: Sequence[str], advised: np.ndarray):
        self.steps = steps
        self.whom = {of: steps[of] for of in (DECISION.of, *OF_PASSED)}
        self.anybody = {of: bool(self.whom[of].any()) for of in OF_PASSED}
        self.advice = masked(dict(zip(advisors, advised.T, strict=True)), self.whom["open"])

    def applies(self, group: Group) -> bool:
        return self.anybody[group.of]

    def values(self, group: Group) -> dict[str, Any]:
        found = {}
        for name, field, _, words, labels in group.keys:
            found[name] = labels[self.steps[field]] if words else self.steps[field]
        return masked(found, self.whom[group.of])

    def put(self, info: dict[str, Any], name: str, value: Any, of: str) -> None:
        put(info, name, value, self.whom[of] if of else np.ones(len(self.steps), bool))


def info_of(form: SingleForm | BatchForm) -> dict[str, Any]:
    """The open decision and what each advisor would choose; what passed since the last one."""
    info: dict[str, Any] = {}
    form.put(info, DECISION.name, form.values(DECISION), DECISION.of)
    form.put(info, "advice", form.advice, "")
    for group in PASSED:
        if not form.applies(group):
            continue
        if group.name:
            form.put(info, group.name, form.values(group), group.of)
        else:
            info.update(form.values(group) or ())
    return info


# -- Gymnasium's form for many: a value, and of whom it is


def put(infos: dict[str, Any], name: str, value: Any, mask: np.ndarray) -> None:
    """Add a value and its mask."""
    infos[name], infos[f"_{name}"] = value, mask


def masked(arrays: Mapping[str, np.ndarray], mask: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays that all have the same mask."""
    infos: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        put(infos, name, array, mask)
    return infos


def narrowed(infos: Mapping[str, Any], chosen: np.ndarray) -> dict[str, Any]:
    """The same with all masks narrowed to `chosen`."""
    return {
        name: narrowed(value, chosen) if isinstance(value, dict) else value & chosen if name[0] == "_" else value
        for name, value in infos.items()
    }
