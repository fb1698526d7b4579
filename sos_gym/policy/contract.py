"""The contract of a policy, its card, and the picks that a bare claim gets for free.

A policy is a set of kernels, blind to which resource it serves. It gives those that it cares about; `e` is the number
of an entity, `my` what the policy sees and keeps:

    want(my, e)                  it begins to want a slot; my.why: NEW, WAKE, FAULT, FAULT_DONE, LOCK
    hold(my, e)                  it gets one, entities[e].slot; my.why: that of the want
    move(my, e)                  it holds another slot than before, and nothing else changed
    use(my, e)                   it used its slot: a page was touched, a thread is charged at the end of a slice or stay
    cool(my, e)                  it said that it can do without: MADV_COLD, or sched_yield before its release
    release(my, e)               it lost or left its slot; my.why: PREEMPT, YIELD, BLOCK, FAULT, LOCK, EVICTED, ...
    pick(my, decision)           a choice is due: returns a contender, an entity or -1 - a vacant slot

A verb that serves one resource alone is given as `Sides(frames=verb)` or `Sides(cores=verb)`; so may be what chooses,
in a card that is a pair of two (policy/pairing.py).

Read only: `my.now` (ns), `my.entities`, `my.owners`, `my.slots`, `my.contenders`, records of `resource.py`; and
`my.seed`, `my.slots_count`, `my.capacity` (of these, what is contended for: with tiers the frames of the fast one;
ghosts and shares are sized by it), `my.use_is_credit` (+1 frames, -1 cores). `my.locks` says who holds a lock and who
waits for it, `my.threads` which lock a thread waits for and holds (engine/records.py; shares/inheritance.py reads
both). A running thread is charged when a decision is raised: its service and attained are current in `pick`, `claim`,
`use`, `cool` and `release` only.

What `my.entities` says of the uses of pages is what was seen of them. Where accessed bits show them (setting `sight`)
`look(my, e)` reads and clears that of page `e`: if it was used, the record is brought up to date and `use(my, e)` is
called before that returns True. Hands that pass a page look; a page that is to go is looked at by the picks below. Not
within `use`, which may not call itself.

A policy's own are named in its card, each with what it starts as (0 is an int64, 0.0 a float64, [0, 0] two int64):

    own={"hand": NONE}           my.own.hand            one record per resource
    each={"count": 0}            my.each[e].count       one per entity and resource
    shared={"load": 0.0}         my.shared.load         one for both resources: the two see each other
    shared_each={"inside": 0}    my.shared_each[e]...   one per entity, likewise
    tables={"bins": Records(…)}  my.bins[i]...          so many as it says
    parameters={"share": …}      my.parameters.share    its parameters, float64
    queues=2                     my.links               queues that entities stand in (books/queue.py)
    books=(HEAP,)                my.own.heap...         what a book keeps, under its name (books/)

A policy that is only a claim gives `claim(my, entity) -> (claim, tie breaker)`, where `entity` is a record: ADMIT takes
the strongest, EVICT the weakest. Ties: ADMIT the holder, then the earliest want; EVICT the wanter, then the least
recently used. A vacancy is weaker than every entity; of several the nearest, then the lowest slot. It may depend on
`my.now` and, where chance decides, on `my.number`, the decision's. One that keeps books of who leaves next adds
`victim(my, decision)`: the legal holder that goes at a page fault without a vacancy, found without a list.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from sos_gym.engine.hosts import Host
from sos_gym.engine.legality import legal_holder
from sos_gym.engine.records import claim_at, pick_at
from sos_gym.engine.uses import look
from sos_gym.kernel import kernel
from sos_gym.policy.hosting import host_of, refuse_misfits
from sos_gym.policy.kept import Book, Records, Start
from sos_gym.resource import NONE, Kind, Resource, Why
from sos_gym.settings.ranges import Parameter, SettingError, did_you_mean, number_in


@dataclasses.dataclass(frozen=True)
class Sides:
    """A verb that differs by resource; None: not told."""

    cores: Callable | None = None
    frames: Callable | None = None

    def on(self, resource: Resource) -> Callable | None:
        return self.cores if resource == Resource.CPU else self.frames


@dataclasses.dataclass(frozen=True, repr=False)
class Policy:
    """A policy: its card, its kernels, and what it keeps.

    `rank`: what its heap orders by, when that is not its claim. `links`: in how many queues an entity may stand at a
    time, 1 or 2. `values`: parameters that differ from their default. `checked`: its kernels are compiled with checks,
    so that a mistake is an error in words and not the end of the process (kernel/checked.py); with False it is trusted,
    as the policies of the package are, and faster. `origin`: where it is written, if its kernels do not tell.
    `idles`: on cores it leaves some idle on purpose; wherever it is asked, the setting `may_idle` is on unless given.
    `sight`: what it needs to see of the uses of pages, and what it becomes where accessed bits show them.
    `looks`: where uses of pages are seen by accessed bits (setting `sight`), a page that is to go is looked at first;
    False for rules to which a use means nothing.
    `fast_only`: where frames have tiers, it keeps the fast one as a cache of the others, and hears of nothing else: a
    page that asks for a frame there wants, one that comes up holds, one that goes down is released (EVICTED).
    `decision_ns`: what a decision costs on reference hardware, which leaderboards charge in one column; None: unknown.
    The package's own stand in `costs.py`, and hold whatever the parameters.
    """

    name: str
    summary: str
    on_cores: str
    on_frames: str
    reads: str
    source: str
    aliases: tuple[str, ...] = ()
    sight: str = "recency, uses, gaps and users of pages are those of sightings"
    ties: str = "ADMIT: the holder, then the earliest want; EVICT: the wanter, then the least recently used"
    not_to_be_confused: str = ""
    want: Callable | Sides | None = None
    hold: Callable | Sides | None = None
    move: Callable | Sides | None = None
    use: Callable | Sides | None = None
    cool: Callable | Sides | None = None
    release: Callable | Sides | None = None
    pick: Callable | Sides | None = None
    claim: Callable | Sides | None = None
    rank: Callable | Sides | None = None
    victim: Callable | Sides | None = None
    own: Start = dataclasses.field(default_factory=dict)
    each: Start = dataclasses.field(default_factory=dict)
    shared: Start = dataclasses.field(default_factory=dict)
    shared_each: Start = dataclasses.field(default_factory=dict)
    tables: Mapping[str, Records] = dataclasses.field(default_factory=dict)
    books: tuple[Book, ...] = ()
    queues: int = 0
    links: int = 1
    parameters: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    values: Mapping[str, int | float] = dataclasses.field(default_factory=dict)
    needs_list: bool = True
    needs_future: bool = False
    needs_forecast: bool = False
    idles: bool = False
    looks: bool = True
    fast_only: bool = False
    decision_ns: int | None = None
    checked: bool = True
    origin: str = ""

    def __post_init__(self) -> None:
        if self.victim is not None:
            object.__setattr__(self, "needs_list", False)
        if self.decision_ns is not None:
            place = f"decision_ns of policy {self.name!r}"
            number_in(place, self.decision_ns, 0, 1 << 50, exact=True, unit="ns", remedy="pass ns, or None: unknown")
        self.refuse_misfits()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec!r})"

    def refuse_misfits(self) -> None:
        """Refuse parts that are no kernels or take other parameters, and a policy that cannot choose.

        Raises:
            SettingError: names the part.
        """
        refuse_misfits(self)

    @property
    def spec(self) -> str:
        """Its name, with the parameters that differ from their default, in the card's order: s3fifo(small=0.2)."""
        given = ", ".join(f"{name}={_exactly(self.values[name])}" for name in self.parameters if name in self.values)
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
                known = ", ".join(self.parameters) or "none"
                remedy = did_you_mean(name, self.parameters) or "leave it out"
                raise SettingError(place, value, f"a value of one of its parameters ({known})", remedy)
            accepted[name] = self.parameters[name].accept(place, value)
        if not accepted:
            return self
        changed = {**self.values, **accepted}
        kept = {name: value for name, value in changed.items() if value != self.parameters[name].default}
        return dataclasses.replace(self, values=kept)

    @property
    def privileged(self) -> bool:
        """Whether it knows the future, or what it was drawn from."""
        return self.needs_future or self.needs_forecast

    def __getstate__(self) -> dict[str, Any]:
        """Without the host: addresses are worth nothing in another process."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    # -- as the engine takes it

    def host(self) -> Host:
        """The policy as the engine takes it; compiles its kernels when the disk cache has none."""
        return self._host

    @cached_property
    def _host(self) -> Host:
        return host_of(self)

    @property
    def default_pick(self) -> Callable:
        """What chooses where it has no pick."""
        return pick_by_claim if self.victim is None else pick_by_victim


def _exactly(value: int | float) -> str:
    """A number that is read back as itself, short where that is possible: 0.2, 1e+06, 1234567."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


# -- picks


@kernel
def _breaks_tie(my, decision, e, best):
    """Whether `e` beats `best` when their claims are equal."""
    a, b = my.entities[e], my.entities[best]
    if e == decision.entity or best == decision.entity:
        return e == decision.entity
    if decision.kind == Kind.EVICT:
        return a.use_seq < b.use_seq
    return a.want_seq < b.want_seq


@kernel
def pick_by_claim(my, decision):
    """A scan over all legal contenders, in list order. A page that is to go is looked at: if it was used, scan anew."""
    choice = _strongest(my, decision)
    while decision.kind == Kind.EVICT and choice >= 0 and look(my, choice):
        choice = _strongest(my, decision)
    return choice


@kernel
def _strongest(my, decision):
    claim = claim_at(my.claim_at)
    sign = -1.0 if decision.kind == Kind.EVICT else 1.0
    best, best_claim, best_second = NONE, 0.0, 0.0
    for i in range(decision.count):
        e = my.contenders[i]
        if e < 0:
            if decision.kind == Kind.EVICT:
                return e
            continue
        first, second = claim(my, my.entities[e])
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
    """A page fault: the vacancy if there is one, else the victim. Where the entity may wait, or is admitted: a scan.

    Whose rule is kept for the fast tier alone demotes its victim at a hint as at a page fault, for a page that was used
    since the victim was; else the page stays where it is.
    """
    if names_victim(my, decision):
        return unless_older(my, decision, unused_victim(my, decision))
    return pick_without_victim(my, decision)


@kernel
def unused_victim(my, decision):
    """Who goes is looked at before: if it was used, the policy has been told, and is asked again."""
    e = pick_at(my.victim_at)(my, decision)
    while look(my, e):
        e = pick_at(my.victim_at)(my, decision)
    return e


@kernel
def unless_older(my, decision, victim):
    """The victim; at a hint the page that asks, if it was last used before the victim was: to stay costs no move."""
    if decision.cause == Why.HINT and my.entities[decision.entity].use_seq < my.entities[victim].use_seq:
        return decision.entity
    return victim


@kernel
def names_victim(my, decision):
    """Whether its rule names the victim here: at a page fault without vacancy, or at a hint that it takes for one."""
    if decision.kind != Kind.EVICT:
        return False
    if my.fast_only and decision.node == 0 and decision.cause == Why.HINT:
        return True
    if decision.may_wait or decision.vacancy != NONE:
        return False
    return not my.fast_only or _next_slow(my, decision, my.first_slot + my.capacity) == NONE


@kernel
def pick_without_victim(my, decision):
    """What is left: a vacancy, at a page fault what its rule does not know, at all others a scan."""
    if decision.kind == Kind.EVICT and not decision.may_wait:
        return -1 - decision.vacancy if decision.vacancy != NONE else _coldest_slow(my, decision)
    if my.fast_only and decision.cause == Why.HINT:
        return decision.entity
    return pick_by_claim(my, decision)


@kernel
def _coldest_slow(my, decision):
    """The least recently used page of a slow tier that may go without, or NONE: what no rule of the fast one knows."""
    best, slot = NONE, _next_slow(my, decision, my.first_slot + my.capacity)
    while slot != NONE:
        e = my.slots[slot].holder
        if best == NONE or my.entities[e].use_seq < my.entities[best].use_seq:
            best = e
        slot = _next_slow(my, decision, slot + 1)
    return best


@kernel
def _next_slow(my, decision, first):
    """From `first` on the next slot whose holder may go without, or NONE."""
    for slot in range(first, my.first_slot + my.slots_count):
        e = my.slots[slot].holder
        if e != NONE and legal_holder(my, decision, e):
            return slot
    return NONE
