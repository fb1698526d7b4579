"""Pairs: one policy for the cores and another for the frames, as one. Those that have a name are one card."""

import dataclasses
from functools import cached_property
from typing import Any

from sos_gym.engine.hosts import Pairing
from sos_gym.engine.records import PARTS
from sos_gym.policy.contract import Policy, Sides
from sos_gym.resource import Resource


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


def named_pair(name: str, cores: Policy, frames: Policy, **card: Any) -> Policy:
    """A pair that is found by its name, as policies are: one card, on which each half serves its own resource.

    It decides as `Pair(cores, frames)` does, but draws by its own name, and has the parameters of both; unlike in a
    pair, each half hears of its own resource alone. What they keep must have different names. `card`: the summary, and
    what else differs.
    """
    said = {
        "on_cores": cores.on_cores,
        "on_frames": frames.on_frames,
        "reads": f"cores: {cores.reads}; frames: {frames.reads}",
        "sight": frames.sight,
        "looks": frames.looks,
        "fast_only": frames.fast_only,
        "ties": f"cores: {cores.ties}; frames: {frames.ties}",
        "source": f"cores: {cores.source}; frames: {frames.source}",
        "needs_future": cores.needs_future or frames.needs_future,
        "needs_forecast": cores.needs_forecast or frames.needs_forecast,
        "idles": cores.idles,
        "needs_list": frames.needs_list,  # of cores contenders are listed anyway
        "queues": max(cores.queues, frames.queues),
        "links": max(cores.links, frames.links),
        "books": (*cores.books, *(book for book in frames.books if book not in cores.books)),
    }
    kept = ("own", "each", "shared", "shared_each", "tables", "parameters")
    joined = {part: {**getattr(cores, part), **getattr(frames, part)} for part in kept}
    return Policy(name=name, **{**said, **joined, **_kernels(cores, frames), **card})


def _kernels(cores: Policy, frames: Policy) -> dict[str, Sides]:
    """Of each part the kernel for either resource, where one of the two has any."""
    parts = {part: Sides(_kernel(cores, part, Resource.CPU), _kernel(frames, part, Resource.MEMORY)) for part in PARTS}
    return {part: sides for part, sides in parts.items() if sides != Sides()}


def _kernel(policy: Policy, part: str, resource: Resource) -> Any:
    given = getattr(policy, part)
    if part == "victim" and resource == Resource.CPU:
        return None  # a thread may wait: nobody must go
    if given is None and part == "pick":
        return policy.default_pick
    return given.on(resource) if isinstance(given, Sides) else given
