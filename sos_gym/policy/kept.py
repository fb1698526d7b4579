"""What a policy keeps: records and tables that its card names, with what they start as."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from sos_gym.engine.hosts import Room
from sos_gym.engine.records import LINK, POLICY
from sos_gym.kernel import ROOMS, extended
from sos_gym.resource import Resource
from sos_gym.settings.ranges import SettingError

Start = Mapping[str, Any]  # what a record of a policy's own starts as: name -> number, list of numbers, or record
ALONE = ("parameters", "own", "shared")  # one record each; the others are tables


@dataclasses.dataclass(frozen=True)
class Records:
    """A table of a policy's own: fixed + per_entity * entities + per_slot * slots records that start as `start`.

    One for each resource, or one that both see (`shared`).
    """

    start: Start
    fixed: int = 0
    per_entity: int = 0
    per_slot: int = 0
    shared: bool = False


@dataclasses.dataclass(frozen=True)
class Book:
    """What a book keeps for a policy: `my.own.NAME`, `my.each[e].NAME`, and tables."""

    name: str
    own: Start = dataclasses.field(default_factory=dict)
    each: Start = dataclasses.field(default_factory=dict)
    shared_each: Start = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Records] = dataclasses.field(default_factory=dict)


def type_of(rooms: tuple[Room, ...]) -> Any:
    """The type of `my`: a POLICY record with the names of what this policy keeps."""
    alone = {room.name: room.start.dtype for room in rooms if room.name in ALONE}
    tables = {room.name: room.start.dtype for room in rooms if room.name not in ALONE}
    return extended(POLICY, alone, tables)


def rooms_of(policy: Any) -> tuple[Room, ...]:
    """Single records first, then tables; names without a field have no room."""
    values = {name: float(policy.values.get(name, p.default)) for name, p in policy.parameters.items()}
    kept = {
        "parameters": Records(values, fixed=1, shared=True),
        "own": Records(_with_books(policy, "own"), fixed=1),
        "shared": Records(policy.shared, fixed=1, shared=True),
        "each": Records(_with_books(policy, "each"), per_entity=1),
        "shared_each": Records(_with_books(policy, "shared_each"), per_entity=1, shared=True),
        **policy.tables,
        **{name: table for book in policy.books for name, table in book.tables.items()},
    }
    rooms = [
        Room(name, record_of(of.start), of.fixed, of.per_entity, of.per_slot, of.shared)
        for name, of in kept.items()
        if of.start
    ]
    if len(rooms) > ROOMS:
        raise SettingError("policy", policy.name, f"one with at most {ROOMS} records and tables", "join some of them")
    return tuple(rooms)


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Bytes that a policy keeps for each page, and for each frame; what does not grow with them is left aside."""

    page: int
    frame: int

    def __add__(self, other: "Footprint") -> "Footprint":
        return Footprint(self.page + other.page, self.frame + other.frame)


def footprint(policy: Any) -> Footprint:
    """What the instance on frames, or both together, lay out for a page; and both for a frame, which each has room for.

    12 bytes of `each` and one link of 16 make 28 per page; a table of 8 bytes per slot makes 16 per frame.
    """
    rooms = rooms_of(policy)
    links = policy.links * LINK.itemsize if policy.queues else 0
    page = sum(room.per_entity * room.start.itemsize for room in rooms)
    frame = sum(room.per_slot * room.start.itemsize * (1 if room.shared else len(Resource)) for room in rooms)
    return Footprint(page + links, frame)


def _with_books(policy: Any, part: str) -> Start:
    """A policy's own fields, and a record for each book under its name."""
    return {
        **getattr(policy, part),
        **{book.name: getattr(book, part) for book in policy.books if getattr(book, part)},
    }


def record_of(start: Start) -> np.ndarray:  # (1,), of a dtype made for it
    """A record that starts like this: record_of({"hand": -1, "times": [0, 0]})["hand"] is [-1]."""
    record = np.zeros(1, _dtype_of(start))
    for name, value in start.items():
        record[name] = record_of(value)[0] if isinstance(value, Mapping) else value
    return record


def _dtype_of(start: Start) -> np.dtype:
    fields = [(name, _field_of(value)) for name, value in start.items()]
    laid = np.dtype(fields, align=True)
    offsets = [laid.fields[name][1] for name in start]  # type: ignore[index]
    formats = [laid[name] for name in start]
    return np.dtype({"names": list(start), "formats": formats, "offsets": offsets, "itemsize": laid.itemsize})


def _field_of(value: Any) -> Any:
    return _dtype_of(value) if isinstance(value, Mapping) else (np.asarray(value).dtype, np.shape(value))
