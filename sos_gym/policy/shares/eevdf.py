"""EEVDF: of those that are owed service, the one with the earliest virtual deadline."""

from sos_gym.kernel import kernel
from sos_gym.policy.books.virtual_time import (
    FLOATS,
    LAG,
    MEAN,
    OWN,
    PART,
    cool,
    credit_use,
    given,
    join,
    leave,
    rate,
    survey,
)
from sos_gym.policy.contract import Policy, pick_by_claim
from sos_gym.resource import Why
from sos_gym.settings.ranges import Parameter

COLD, YIELD = int(Why.COLD), int(Why.YIELD)
SLICE, USES, KEEP_LAG = range(3)  # parameters
ROUNDING = 1e-3  # virtual ns: equals are equal
CLAMP = 2  # slices; kernel/sched/fair.c: entity_lag


@kernel
def want(my, entity, home, why, now):
    my.floats[PART * entity + LAG] *= my.parameters[KEEP_LAG]
    join(my, entity, now)
    _request(my, entity, now)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        cool(my, entity, now)
        my.floats[PART * entity + OWN] = given(my, entity, now)
    else:
        credit_use(my, entity)
        _renew(my, entity, now)


@kernel
def release(my, entity, slot, why, now):
    if why == YIELD:
        my.floats[PART * entity + OWN] += _slice(my, entity)
    leave(my, entity, why, now, CLAMP * _slice(my, entity))


@kernel
def _slice(my, e):
    """A request, in virtual time."""
    return my.parameters[USES if my.use_is_credit > 0 else SLICE] * rate(my, e)


@kernel
def _request(my, e, now):
    my.floats[PART * e + OWN] = given(my, e, now) + _slice(my, e)


@kernel
def _renew(my, e, now):
    """A request that is served is followed by the next one."""
    if given(my, e, now) >= my.floats[PART * e + OWN] - ROUNDING:
        _request(my, e, now)


@kernel
def claim(my, entity, now, number):
    """Eligible first: on cores who stands behind the mean, on frames who stands before it."""
    credit, e = my.use_is_credit, entity.id
    eligible = 1.0 if credit * (given(my, e, now) - my.floats[MEAN]) >= -ROUNDING else 0.0
    return eligible, credit * my.floats[PART * e + OWN]


@kernel
def pick(my, decision):
    for i in range(decision.count):
        if my.contenders[i] >= 0:
            _renew(my, my.contenders[i], decision.now)
    survey(my, decision.now)
    return pick_by_claim(my, decision)


EEVDF = Policy(
    name="eevdf",
    aliases=("earliest_eligible",),
    summary="of those that are owed service, the earliest virtual deadline",
    on_cores="EEVDF over all cores: eligible if not ahead of the mean virtual time; deadline = one slice by weight; a "
    "waker with an earlier one preempts",
    on_frames="a credit: pages used less than the mean go first, of them the one whose `uses` were asked for first: "
    "FIFO among the little used",
    reads="ns held (threads), uses (pages), weight",
    not_to_be_confused="`edf`, whose deadlines are real",
    source="Stoica, Abdel-Wahab, TR 95-22, Old Dominion University, 1995, for one resource. As in kernel/sched/fair.c "
    "6.6: who returns keeps its whole lag, of 2 slices at most (the paper: no bound, less its weight's share); "
    "yield puts the deadline off by a slice. Unlike there: no RUN_TO_PARITY, no half slice at first",
    parameters={
        "slice_ns": Parameter(1_000_000, "ns", 1, 10**12, "fewer switches, later turns; kernel 6.6: 750 000"),
        "uses": Parameter(8, "uses", 1, 10**9, "a page's request lasts longer"),
        "keep_lag": Parameter(1, "", 0, 1, "1: lag survives sleep (PLACE_LAG); 0: all start at the mean"),
    },
    want=want,
    use=use,
    release=release,
    claim=claim,
    pick=pick,
    floats=FLOATS,
    queues=1,
)
