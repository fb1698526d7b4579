"""The contract of a policy, its card, and the picks that a bare claim gets for free.

A compiled policy is a set of kernels over the five verbs, blind to which resource it serves:

    want(my, entity, home, why, now)        it begins to want a slot
    hold(my, entity, slot, why, now)        it gets one (why MOVE: it only changed its node)
    use(my, entity, amount, why, now)       it used it (ns of a core, lines of a page; why COLD: it cooled)
    release(my, entity, slot, why, now)     it lost or left it
    pick(my, decision) -> contender         a choice is due

`my` is a POLICY record. Entities, owners, slots, contenders, waiting are the engine's, read only. Its own, zero at the
start, one set per resource: ints, floats, and links, one per entity, that stand in its queues (`queue.py`). Its own on
both resources together: shared, through which the two managers see each other, and parameters, in the card's order.
A running thread is charged when a decision is raised: its service and attained are current in `pick` and `claim` only.
A policy that is only a claim gives `claim(my, entity, now, number) -> (claim, tie breaker)`: ADMIT takes the strongest,
EVICT the weakest. Ties: ADMIT the holder, then the earliest want; EVICT the wanter, then the least recently used. A
vacancy is weaker than every entity; of several the nearest, then the lowest slot. One that keeps books of who leaves
next adds `victim(my, decision)`: the legal holder that goes at a page fault without a vacancy, found without a list.
"""

import dataclasses
import difflib
from collections.abc import Callable, Mapping

from sos_gym.engine.records import CLAIM_SIGNATURE, PICK_SIGNATURE, VERB_SIGNATURE, claim_at, pick_at
from sos_gym.engine.simulation import Host
from sos_gym.kernel import address_of, kernel
from sos_gym.resource import NONE, Kind
from sos_gym.settings.ranges import Parameter, SettingError

EVICT = int(Kind.EVICT)


@dataclasses.dataclass(frozen=True)
class Policy:
    """A policy: its card and its kernels.

    `ints`, `floats` and `shared` size the scratch arrays: fixed, per entity, per slot. `queues`: how many queues the
    links make; `links`: in how many of them an entity may stand at a time. `values`: parameters that differ from their
    default.
    """

    name: str
    summary: str
    on_cores: str
    on_frames: str
    reads: str
    source: str
    aliases: tuple[str, ...] = ()
    ties: str = "ADMIT: the holder, then the earliest want; EVICT: the wanter, then the least recently used"
    not_to_be_confused: str = ""
    want: Callable | None = None
    hold: Callable | None = None
    use: Callable | None = None
    release: Callable | None = None
    pick: Callable | None = None
    claim: Callable | None = None
    victim: Callable | None = None
    ints: tuple[int, int, int] = (0, 0, 0)
    floats: tuple[int, int, int] = (0, 0, 0)
    shared: tuple[int, int, int] = (0, 0, 0)
    queues: int = 0
    links: int = 1  # or 2
    parameters: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    values: Mapping[str, int | float] = dataclasses.field(default_factory=dict)
    needs_list: bool = True
    needs_future: bool = False
    needs_forecast: bool = False

    def __post_init__(self) -> None:
        if self.victim is not None:
            object.__setattr__(self, "needs_list", False)

    @property
    def spec(self) -> str:
        """Its name, with the parameters that differ from their default: s3fifo(small=0.2)."""
        given = ", ".join(f"{name}={value:g}" for name, value in self.values.items())
        return f"{self.name}({given})" if given else self.name

    def with_values(self, given: Mapping[str, int | float]) -> "Policy":
        """The same policy with some parameters changed.

        Raises:
            SettingError: it has no such parameter, or the value is out of range.
        """
        accepted = {}
        for name, value in given.items():
            place = f"{name} of policy {self.name!r}"
            if name not in self.parameters:
                near = difflib.get_close_matches(name, self.parameters, 1)
                known = ", ".join(self.parameters) or "none"
                remedy = f"did you mean {near[0]!r}?" if near else "leave it out"
                raise SettingError(place, value, f"a value of one of its parameters ({known})", remedy)
            accepted[name] = self.parameters[name].accept(place, value)
        changed = {**self.values, **accepted}
        kept = {name: value for name, value in changed.items() if value != self.parameters[name].default}
        return dataclasses.replace(self, values=kept)

    @property
    def privileged(self) -> bool:
        """Whether it knows the future, or what it was drawn from."""
        return self.needs_future or self.needs_forecast

    def host(self) -> Host:
        """The policy as the engine takes it; compiles its kernels when the disk cache has none."""
        pick = self.pick or (pick_by_claim if self.victim is None else pick_by_victim)
        kernels = [self.want, self.hold, self.use, self.release, pick]
        signatures = [VERB_SIGNATURE] * 4 + [PICK_SIGNATURE]
        return Host(
            name=self.name,
            verbs=tuple(map(address_of, kernels, signatures)),
            claim=address_of(self.claim, CLAIM_SIGNATURE),
            victim=address_of(self.victim, PICK_SIGNATURE),
            ints=self.ints,
            floats=self.floats,
            shared=self.shared,
            queues=self.queues,
            links=self.links,
            parameters=tuple(float(self.values.get(name, p.default)) for name, p in self.parameters.items()),
            needs_list=self.needs_list,
            needs_future=self.needs_future,
            needs_forecast=self.needs_forecast,
        )


@kernel
def _breaks_tie(my, decision, e, best):
    """Whether `e` beats `best` when their claims are equal."""
    a, b = my.entities[e], my.entities[best]
    if e == decision.entity or best == decision.entity:
        return e == decision.entity
    if decision.kind == EVICT:
        return a.use_seq < b.use_seq
    return a.want_seq < b.want_seq


@kernel
def pick_by_claim(my, decision):
    """A scan over all legal contenders, in list order."""
    claim = claim_at(my.claim_at)
    sign = -1.0 if decision.kind == EVICT else 1.0
    best, best_claim, best_second = NONE, 0.0, 0.0
    for i in range(decision.count):
        e = my.contenders[i]
        if e < 0:
            if decision.kind == EVICT:
                return e
            continue
        first, second = claim(my, my.entities[e], decision.now, decision.number)
        first, second = sign * first, sign * second
        if (
            best == NONE
            or first > best_claim
            or (first == best_claim and second > best_second)
            or (first == best_claim and second == best_second and _breaks_tie(my, decision, e, best))
        ):
            best, best_claim, best_second = e, first, second
    return best


@kernel
def earliest_waiter(my, decision):
    """ADMIT: of those who wait, the one that has waited longest, or NONE."""
    best = NONE
    for i in range(decision.count):
        e = my.contenders[i]
        if e >= 0 and e != decision.entity:
            if best == NONE or my.entities[e].want_seq < my.entities[best].want_seq:
                best = e
    return best


@kernel
def pick_by_victim(my, decision):
    """A page fault: the vacancy if there is one, else the victim. Where the entity may wait, or is admitted: a scan."""
    if decision.kind != EVICT or decision.may_wait:
        return pick_by_claim(my, decision)
    if decision.vacancy != NONE:
        return -1 - decision.vacancy
    return pick_at(my.victim_at)(my, decision)
