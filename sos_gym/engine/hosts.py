"""A policy as the engine hosts it: addresses of its verbs, and the rooms for what it keeps."""

import dataclasses
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from sos_gym.engine.guards import guard_at
from sos_gym.engine.records import CLAIM, PARTS, Verb
from sos_gym.kernel import aligned_zeros
from sos_gym.resource import Resource
from sos_gym.settings.ranges import SettingError


@dataclasses.dataclass(frozen=True, eq=False)
class Room:
    """Records that a policy keeps: how many, what they start as, and whether both of its instances see the same."""

    name: str
    start: np.ndarray  # one record (1,)
    fixed: int = 0
    per_entity: int = 0
    per_slot: int = 0
    shared: bool = False

    def laid(self, entities: int, slots: int) -> np.ndarray:
        """All of them, as they are at the start of an episode."""
        count = self.fixed + self.per_entity * entities + self.per_slot * slots
        records = aligned_zeros(count, self.start.dtype)
        if self.start.tobytes().strip(b"\0"):
            records[:] = self.start
        return records


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Host:
    """A policy, ready to be told and asked; 0 is no address.

    `parts[resource][part]`: addresses by `Resource` and `PARTS`. `queues`: how many queues its links make; `links`: in
    how many of them an entity may stand at a time. `needs_list`: contenders are listed for it at every decision.
    `fast_only`: with tiers it is told of the fast one alone (engine.md, N24). `guarded`: it is called by guards.
    `listens`: it is told, and not asked. `minds`: makes the Python objects of an episode, one per resource. `looks`: it
    reads accessed bits, where there are such.
    """

    name: str
    parts: tuple[tuple[int, ...], tuple[int, ...]]
    rooms: tuple[Room, ...] = ()
    queues: int = 0
    links: int = 1
    needs_list: bool = False
    needs_future: bool = False
    needs_forecast: bool = False
    looks: bool = True
    fast_only: bool = False
    guarded: bool = False
    listens: bool = False
    minds: Callable[[], tuple[Any, Any]] | None = None
    policy: Any = None  # what made it, and makes it again in another process, with addresses of that one

    def __post_init__(self) -> None:
        for own in self.parts:
            if len(own) != len(PARTS) or bool(own[Verb.PICK]) == self.listens:
                allowed = f"addresses of {', '.join(PARTS)}, of which pick must not be 0"
                raise SettingError(f"parts of host {self.name!r}", own, allowed, "make hosts by Policy.host()")

    @property
    def spec(self) -> str:
        """Its name and all that its policy was given, exactly: tells two hosts apart."""
        return f"{self.name}{getattr(self.policy, 'values', {}) or ''}"

    def __repr__(self) -> str:
        return f"Host({self.spec!r})"

    @property
    def hosts(self) -> tuple["Host", ...]:
        return (self,)

    def speaks(self, resource: Resource) -> "Host":
        """Who of `hosts` is heard."""
        return self

    def __copy__(self) -> "Host":
        return self  # nothing of it changes

    def __deepcopy__(self, memo: dict) -> "Host":
        return self

    def __reduce__(self) -> tuple:
        if self.policy is None:
            raise pickle.PicklingError(f"host {self.name!r} has no policy to make it of again; use Policy.host()")
        return _host_of, (self.policy,)

    def called(self, resource: Resource) -> tuple[int, ...]:
        """What the engine calls, by PARTS: the policy itself, or guards. Who has no claim cannot be asked for it."""
        own = self.parts[resource]
        if not self.guarded:
            return own
        return tuple(guard_at(part) if address or part >= CLAIM else 0 for part, address in enumerate(own))


@dataclasses.dataclass(frozen=True, eq=False)
class Pairing:
    """Two policies as one: both are told and asked everything, the one is heard on cores, the other on frames."""

    cores: Host
    frames: Host

    @property
    def spec(self) -> str:
        return f"{self.cores.spec} + {self.frames.spec}"

    @property
    def hosts(self) -> tuple[Host, ...]:
        return self.cores, self.frames

    def speaks(self, resource: Resource) -> Host:
        """Who of `hosts` is heard."""
        return self.cores if resource == Resource.CPU else self.frames


def _host_of(policy: Any) -> Host:
    return policy.host()


# -- Python objects that are found by number, as long as they live

_MINDS: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def enter_mind(mind: Any) -> int:
    """A number by which `mind_of` finds it."""
    _MINDS[id(mind)] = mind
    return id(mind)


def mind_of(number: int) -> Any:
    return _MINDS[number]
