"""Guard against thrashing: only threads whose working sets fit the frames run."""

from sos_gym.policy.books import working_set
from sos_gym.policy.words import NONE, Kind, Parameter, Policy, Sides, Why, kernel, pick_by_claim, queue, turn

INSIDE, OUTSIDE = 1, 2  # queues of the threads that are awake


@kernel
def is_in(my, thread):
    return my.shared_each[thread].is_in


@kernel
def want(my, e):
    """A burst begins outside."""
    if my.why == Why.NEW or my.why == Why.WAKE:
        queue.push_back(my, OUTSIDE, e)
    _control(my)


@kernel
def use(my, e):
    _control(my)


@kernel
def release(my, e):
    """The end of a burst makes room; a fault does not: the working set is still needed."""
    if my.why == Why.BLOCK or my.why == Why.EXIT:
        _leave(my, e)
    _control(my)


@kernel
def _enter(my, thread):
    queue.remove(my, thread)
    queue.push_back(my, INSIDE, thread)
    my.shared_each[thread].is_in, my.shared_each[thread].since = 1, my.now


@kernel
def _leave(my, thread):
    queue.remove(my, thread)
    my.shared_each[thread].is_in = 0


@kernel
def _rotate(my):
    """Whoever has been inside for its stay goes to the end of those outside."""
    first = queue.front(my, INSIDE)
    while first != NONE and my.now - my.shared_each[first].since >= my.parameters.stay:
        _leave(my, first)
        queue.push_back(my, OUTSIDE, first)
        first = queue.front(my, INSIDE)


@kernel
def _demand(my):
    pages, thread = 0, queue.front(my, INSIDE)
    while thread != NONE:
        pages += working_set.size(my, thread)
        thread = queue.behind(my, thread)
    return pages


@kernel
def _control(my):
    """Whoever entered last leaves while the sets do not fit; the next enter while theirs do. One is always inside."""
    _rotate(my)
    room, pages = my.parameters.room * my.first_slot, _demand(my)  # frames come before the first core
    while pages > room and queue.length(my, INSIDE) > 1:
        last = queue.back(my, INSIDE)
        pages -= working_set.size(my, last)
        _leave(my, last)
        queue.push_front(my, OUTSIDE, last)
    first = queue.front(my, OUTSIDE)
    while first != NONE and (queue.length(my, INSIDE) == 0 or pages + working_set.size(my, first) <= room):
        pages += working_set.size(my, first)
        _enter(my, first)
        first = queue.front(my, OUTSIDE)


@kernel
def claim(my, entity):
    """Inside before outside; a newcomer from inside need not wait for an outsider's turn to end."""
    if my.use_is_credit > 0:
        return float(is_in(my, entity.last_user)), float(entity.use_seq)
    return float(is_in(my, entity.id)), turn(my, entity)[0]


@kernel
def pick(my, decision):
    """Who is outside waits, even for a vacant core, unless that may not stay vacant: then no vacancy contends.

    (Nothing else is pending, or the setting `may_idle` is off, which this policy turns on unless it is given.)
    """
    chosen, last = pick_by_claim(my, decision), my.contenders[decision.count - 1]
    if my.use_is_credit > 0:
        return chosen
    if decision.kind == Kind.EVICT:
        return chosen if is_in(my, decision.entity) else decision.entity
    return last if last < 0 and not is_in(my, chosen) else chosen


GUARD = Policy(
    name="guard",
    aliases=("load_control",),
    summary="only threads whose working sets fit the frames together run, in turns",
    on_cores=(
        "round robin among those inside: the head of the queue, as far as their working sets fit; the others wait, "
        "also for an idle core (it runs with may_idle=True), until a burst inside ends or its `stay` is over; a core "
        "they are refused asks again at its next tick"
    ),
    on_frames="pages of the threads inside stay; then LRU. Plenty of cores: nobody is inside, LRU",
    idles=True,
    reads="shared: sizes of the working sets, who is inside; last_user, use_seq; want_ns, hold_ns, turn_over",
    sight="working sets are counted in sightings; their window is of so many of these",
    not_to_be_confused="WSClock: the guard evicts by recency, what it controls is who runs",
    source="Denning, CACM 11(5), 1968; Denning, IEEE TSE 6(1), 1980 (load control)",
    want=Sides(cores=want),
    hold=Sides(frames=working_set.hold),
    use=Sides(cores=use, frames=working_set.use),
    cool=Sides(frames=working_set.cool),
    release=Sides(cores=release, frames=working_set.release),
    claim=claim,
    pick=pick,
    shared_each={"is_in": 0, "since": 0},  # whether a thread is inside, and since when
    books=(working_set.WORKING_SET,),
    queues=2,
    parameters={
        "room": Parameter(2.0, "", 0.0, 1000.0, "share of the frames that working sets may fill; more threads inside"),
        "stay": Parameter(5_000_000, "ns", 1, 10**15, "inside before the next one's turn; fewer, longer stays"),
        "window": working_set.REFERENCES,
    },
)
