"""EEVDF: of those that are owed service, the one with the earliest virtual deadline.

The paper's rule. What the kernel adds to it on cores are parameters; `linux_eevdf` is the card on which they are on.
"""

from sos_gym.policy.books import tunables, virtual_time
from sos_gym.policy.books.queue import behind, front, remove
from sos_gym.policy.books.virtual_time import ACTIVE
from sos_gym.policy.words import NONE, Kind, Parameter, Policy, Sides, Why, kernel, pick_by_claim

ROUNDING = 1e-3  # virtual ns: equals are equal
CLAMP = 2  # slices; kernel/sched/fair.c: entity_lag


@kernel
def want(my, e):
    """It joins with its lag, unless it never left (requeue_delayed_entity)."""
    let_go(my)
    if my.each[e].delayed:
        my.each[e].delayed = 0
        return
    my.each[e].virtual_time.lag *= my.parameters.keep_lag
    virtual_time.join(my, e)
    _request(my, e, my.parameters.first if my.why == Why.NEW else 1.0)


@kernel
def hold_core(my, e):
    """From now on it is protected, until its request is served (set_next_entity)."""
    my.each[e].due = my.each[e].deadline
    my.each[e].served = 0


@kernel
def use_frame(my, e):
    virtual_time.use(my, e)
    renew(my, e)


@kernel
def renew(my, e):
    """A request that is served is followed by the next one (update_deadline)."""
    if virtual_time.given(my, e) >= my.each[e].deadline - ROUNDING:
        _request(my, e, 1.0)
        if my.parameters.parity > 0 and my.use_is_credit < 0:
            my.each[e].served = _somebody_waits(my)


@kernel
def _somebody_waits(my):
    """1: a thread is active without a core; else whoever runs goes on, and nobody is due."""
    e = front(my, ACTIVE)
    while e != NONE:
        if my.entities[e].slot == NONE and not my.each[e].delayed:
            return 1
        e = behind(my, e)
    return 0


@kernel
def cool_core(my, e):
    my.each[e].deadline += _slice(my, e)


@kernel
def cool_frame(my, e):
    virtual_time.cool(my, e)
    my.each[e].deadline = virtual_time.given(my, e)


@kernel
def release(my, e):
    virtual_time.pause(my, e)
    if my.why == Why.PREEMPT or my.why == Why.YIELD:
        return
    if my.parameters.delay and _may_delay(my) and not eligible(my, e, virtual_time.survey(my)[0]):
        my.each[e].delayed = 1
    else:
        virtual_time.retire(my, e, my.why, CLAMP * _slice(my, e))


@kernel
def _may_delay(my):
    """Whether a thread falls asleep."""
    return my.use_is_credit < 0 and (my.why == Why.BLOCK or my.why == Why.FAULT)


@kernel
def let_go(my):
    """Sleepers that were ahead leave, without lag, as soon as they are no longer (DELAY_DEQUEUE, DELAY_ZERO)."""
    e = front(my, ACTIVE) if my.parameters.delay else NONE
    mean = virtual_time.survey(my)[0] if e != NONE else 0.0
    while e != NONE:
        after = behind(my, e)
        if my.each[e].delayed and eligible(my, e, mean):
            my.each[e].delayed, my.each[e].virtual_time.lag = 0, 0.0
            remove(my, e)
            after, mean = front(my, ACTIVE), virtual_time.survey(my)[0]  # the others' mean is a later one
        e = after


@kernel
def _slice(my, e):
    """A request, in virtual time."""
    request = my.parameters.uses if my.use_is_credit > 0 else my.parameters.slice_ns
    if my.parameters.scaled:
        request *= tunables.factor(my)
    return request * virtual_time.rate(my, e)


@kernel
def _request(my, e, part):
    my.each[e].deadline = virtual_time.given(my, e) + part * _slice(my, e)


@kernel
def eligible(my, e, mean):
    """On cores who stands behind the mean, on frames who stands before it."""
    return my.use_is_credit * (virtual_time.given(my, e) - mean) >= -ROUNDING


@kernel
def _protected(my, e):
    """Whether it runs, and its request of when it got the core is not served yet (RUN_TO_PARITY)."""
    mine = my.each[e]
    return (
        my.parameters.parity > 0 and my.use_is_credit < 0 and my.entities[e].slot != NONE and mine.due == mine.deadline
    )


@kernel
def claim(my, entity):
    """Eligible first, of them the protected; then the earliest deadline."""
    e = entity.id
    grade = 0.0
    if eligible(my, e, my.own.virtual_time.mean):
        grade = 2.0 if _protected(my, e) else 1.0
    return grade, my.use_is_credit * my.each[e].deadline


@kernel
def _is_next(my, e):
    """Whether who waits is the one to run: eligible, and of all that are and wait the earliest deadline."""
    mean, other = my.own.virtual_time.mean, front(my, ACTIVE)
    if not eligible(my, e, mean):
        return False
    while other != NONE:
        waits = my.entities[other].slot == NONE and not my.each[other].delayed
        if waits and my.each[other].deadline < my.each[e].deadline and eligible(my, other, mean):
            return False
        other = behind(my, other)
    return True


@kernel
def _to_parity(my, decision):
    """As the kernel: a wakeup preempts only for the one to run next, a tick only whose request is served."""
    holder = decision.entity
    if decision.kind == Kind.EVICT:
        weakest = pick_by_claim(my, decision)
        return weakest if weakest < 0 or _is_next(my, decision.entity) else decision.entity
    if holder != NONE and not my.each[holder].served:
        return holder
    if holder != NONE:
        my.each[holder].served = 0
    return pick_by_claim(my, decision)


@kernel
def pick(my, decision):
    let_go(my)
    for i in range(decision.count):
        if my.contenders[i] >= 0:
            renew(my, my.contenders[i])
    virtual_time.survey(my)
    if my.parameters.parity > 0 and my.use_is_credit < 0:
        return _to_parity(my, decision)
    return pick_by_claim(my, decision)


def parameters_of(slice_ns: int, scaled: int, parity: int, first: float, delay: int) -> dict[str, Parameter]:
    """With these defaults."""
    return {
        "slice_ns": Parameter(slice_ns, "ns", 1, 10**12, "fewer switches, later turns; kernel 6.6: 750 000"),
        "uses": Parameter(8, "uses", 1, 10**9, "a page's request lasts longer"),
        "keep_lag": Parameter(1, "", 0, 1, "1: lag survives sleep (PLACE_LAG); 0: all start at the mean"),
        "scaled": Parameter(scaled, "", 0, 1, "1: a slice is 1 + log2(cores) times as long, at most 4 times"),
        "parity": Parameter(
            parity, "", 0, 1, "1: who is owed service runs until its request is served (RUN_TO_PARITY)"
        ),
        "first": Parameter(first, "slices", 0.001, 1, "new threads run later; kernel: 0.5 (PLACE_DEADLINE_INITIAL)"),
        "delay": Parameter(delay, "", 0, 1, "1: who falls asleep ahead counts until it no longer is (DELAY_DEQUEUE)"),
    }


EEVDF = Policy(
    name="eevdf",
    aliases=("earliest_eligible",),
    summary="of those that are owed service, the earliest virtual deadline",
    on_cores="EEVDF over all cores: eligible if not ahead of the mean virtual time; deadline = one slice by weight; a "
    "waker with an earlier one preempts",
    on_frames="a credit: pages used less than the mean go first, of them the one whose `uses` were asked for first: "
    "FIFO among the little used",
    reads="ns held (threads), uses (pages), weight",
    sight="a page is given its sightings as service",
    not_to_be_confused="`edf`, whose deadlines are real; `linux_eevdf`, which is this with the kernel's own rules",
    source="Stoica, Abdel-Wahab, TR 95-22, Old Dominion University, 1995, for one resource. As in kernel/sched/fair.c "
    "6.6: who returns keeps its whole lag, of 2 slices at most (the paper: no bound, less its weight's share); "
    "yield puts the deadline off by a slice",
    parameters=parameters_of(slice_ns=1_000_000, scaled=0, parity=0, first=1, delay=0),
    want=want,
    hold=Sides(cores=hold_core),
    use=Sides(cores=renew, frames=use_frame),
    cool=Sides(cores=cool_core, frames=cool_frame),
    release=release,
    claim=claim,
    pick=pick,
    # deadline of its request, and the one when it got its core, in virtual time; served: while others waited,
    # since it was last chosen; delayed: asleep, and still counted
    each={"deadline": 0.0, "due": 0.0, "served": 0, "delayed": 0},
    books=(virtual_time.VIRTUAL_TIME,),
    queues=1,
)
