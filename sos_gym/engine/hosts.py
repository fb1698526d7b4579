"""A compiled policy as the engine hosts it: addresses of its verbs, and the rooms for what it keeps."""

import dataclasses
import pickle
from typing import Any

import numpy as np

from sos_gym.kernel import aligned_zeros
from sos_gym.resource import Resource


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


@dataclasses.dataclass(frozen=True, eq=False)
class Host:
    """A policy, ready to be told and asked; 0 is no address.

    `verbs[resource][verb]`: addresses by `Resource` and `Verb`. `queues`: how many queues its links make; `links`: in
    how many of them an entity may stand at a time. `needs_list`: contenders are listed for it at every decision.
    """

    name: str
    verbs: tuple[tuple[int, ...], tuple[int, ...]]
    claim: int = 0
    rank: int = 0
    victim: int = 0
    rooms: tuple[Room, ...] = ()
    queues: int = 0
    links: int = 1
    needs_list: bool = False
    needs_future: bool = False
    needs_forecast: bool = False
    policy: Any = None  # what made it, and makes it again in another process, with addresses of that one

    @property
    def spec(self) -> str:
        """Its name and all that its policy was given, exactly: tells two hosts apart."""
        return f"{self.name}{getattr(self.policy, 'values', {}) or ''}"

    def __copy__(self) -> "Host":
        return self  # nothing of it changes

    def __deepcopy__(self, memo: dict) -> "Host":
        return self

    def __reduce__(self) -> tuple:
        if self.policy is None:
            raise pickle.PicklingError(f"host {self.name!r} has no policy to make it of again; use Policy.host()")
        return _host_of, (self.policy,)

    def verbs_of(self, resource: Resource) -> tuple[int, ...]:
        return self.verbs[resource]


def _host_of(policy: Any) -> Host:
    return policy.host()
