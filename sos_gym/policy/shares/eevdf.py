"""EEVDF: of those that are owed service, the one with the earliest virtual deadline."""

from sos_gym.policy.books import virtual_time
from sos_gym.policy.words import Parameter, Policy, Sides, kernel, pick_by_claim

ROUNDING = 1e-3  # virtual ns: equals are equal
CLAMP = 2  # slices; kernel/sched/fair.c: entity_lag


@kernel
def want(my, e):
    my.each[e].virtual_time.lag *= my.parameters.keep_lag
    virtual_time.join(my, e)
    _request(my, e)


@kernel
def use_frame(my, e):
    virtual_time.use(my, e)
    renew(my, e)


@kernel
def renew(my, e):
    """A request that is served is followed by the next one."""
    if virtual_time.given(my, e) >= my.each[e].deadline - ROUNDING:
        _request(my, e)


@kernel
def cool_core(my, e):
    my.each[e].deadline += _slice(my, e)


@kernel
def cool_frame(my, e):
    virtual_time.cool(my, e)
    my.each[e].deadline = virtual_time.given(my, e)


@kernel
def release(my, e):
    virtual_time.leave(my, e, my.why, CLAMP * _slice(my, e))


@kernel
def _slice(my, e):
    """A request, in virtual time."""
    request = my.parameters.uses if my.use_is_credit > 0 else my.parameters.slice_ns
    return request * virtual_time.rate(my, e)


@kernel
def _request(my, e):
    my.each[e].deadline = virtual_time.given(my, e) + _slice(my, e)


@kernel
def claim(my, entity):
    """Eligible first: on cores who stands behind the mean, on frames who stands before it."""
    credit, e = my.use_is_credit, entity.id
    ahead = credit * (virtual_time.given(my, e) - my.own.virtual_time.mean)
    return 1.0 if ahead >= -ROUNDING else 0.0, credit * my.each[e].deadline


@kernel
def pick(my, decision):
    for i in range(decision.count):
        if my.contenders[i] >= 0:
            renew(my, my.contenders[i])
    virtual_time.survey(my)
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
    sight="a page is given its sightings as service",
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
    use=Sides(cores=renew, frames=use_frame),
    cool=Sides(cores=cool_core, frames=cool_frame),
    release=release,
    claim=claim,
    pick=pick,
    each={"deadline": 0.0},  # of its request, in virtual time
    books=(virtual_time.VIRTUAL_TIME,),
    queues=1,
)
