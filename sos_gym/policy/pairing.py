"""Pairs: one policy for the cores and another for the frames, as one."""

import dataclasses
from functools import cached_property
from typing import Any

from sos_gym.engine.hosts import Pairing
from sos_gym.policy.contract import Policy


@dataclasses.dataclass(frozen=True, repr=False)
class Pair:
    """Two policies as one: "eevdf + sieve" is eevdf on the cores and sieve on the frames.

    Both hear everything on both resources and keep their own; they differ in who is heard. A policy paired with itself
    is that policy, to the last bit.
    """

    cores: Policy
    frames: Policy

    def __repr__(self) -> str:
        return f"Pair({self.spec!r})"

    @property
    def spec(self) -> str:
        return f"{self.cores.spec} + {self.frames.spec}"

    @property
    def name(self) -> str:
        return self.spec

    @property
    def privileged(self) -> bool:
        """Whether one of them knows the future, or what it was drawn from."""
        return self.cores.privileged or self.frames.privileged

    @property
    def idles(self) -> bool:
        """Whether the one that is heard on cores leaves some idle on purpose."""
        return self.cores.idles

    @property
    def decision_ns(self) -> int | None:
        """What a decision costs the two, since both are told and asked; None: of one nobody knows."""
        own = self.cores.decision_ns, self.frames.decision_ns
        return None if None in own else sum(filter(None, own))

    @property
    def not_to_be_confused(self) -> str:
        return ""

    def host(self) -> Pairing:
        """The pair as the engine takes it."""
        return self._host

    @cached_property
    def _host(self) -> Pairing:
        return Pairing(self.cores.host(), self.frames.host())

    def __getstate__(self) -> dict[str, Any]:
        """Without the hosts: addresses are worth nothing in another process."""
        return {"cores": self.cores, "frames": self.frames}
