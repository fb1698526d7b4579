"""Guard against thrashing: only threads whose working sets fit the frames run."""

from sos_gym.kernel import kernel
from sos_gym.policy.books import working_set
from sos_gym.policy.books.queue import back, behind, front, length, push_back, push_front, remove
from sos_gym.policy.contract import Policy, pick_by_claim
from sos_gym.policy.lists.turns import turn
from sos_gym.resource import NONE, Kind, Why
from sos_gym.settings.ranges import Parameter

NEW, WAKE, BLOCK, EXIT = int(Why.NEW), int(Why.WAKE), int(Why.BLOCK), int(Why.EXIT)
EVICT = int(Kind.EVICT)
INSIDE, OUTSIDE = 1, 2  # queues of the threads that are awake
IS_IN, SINCE = 0, 1  # shared, behind the working sets: per thread, whether and since when it is inside
FIELDS = 2
ROOM, STAY, WINDOW = 0, 1, 2  # parameters


@kernel
def _at(my, thread, field):
    return working_set.end(my) + FIELDS * thread + field


@kernel
def is_in(my, thread):
    return my.shared[_at(my, thread, IS_IN)]


@kernel
def want(my, entity, home, why, now):
    """A burst begins outside."""
    if my.use_is_credit < 0:
        if why == NEW or why == WAKE:
            push_back(my, OUTSIDE, entity)
        _control(my, now)


@kernel
def hold(my, entity, slot, why, now):
    if my.use_is_credit > 0:
        working_set.hold(my, entity, why, my.parameters[WINDOW])


@kernel
def use(my, entity, amount, why, now):
    if my.use_is_credit > 0:
        working_set.use(my, entity, why, my.parameters[WINDOW])
    else:
        _control(my, now)


@kernel
def release(my, entity, slot, why, now):
    """The end of a burst makes room; a fault does not: the working set is still needed."""
    if my.use_is_credit > 0:
        working_set.release(my, entity, why)
        return
    if why == BLOCK or why == EXIT:
        _leave(my, entity)
    _control(my, now)


@kernel
def _enter(my, thread, now):
    remove(my, thread)
    push_back(my, INSIDE, thread)
    my.shared[_at(my, thread, IS_IN)], my.shared[_at(my, thread, SINCE)] = 1, now


@kernel
def _leave(my, thread):
    remove(my, thread)
    my.shared[_at(my, thread, IS_IN)] = 0


@kernel
def _rotate(my, now):
    """Whoever has been inside for its stay goes to the end of those outside."""
    first = front(my, INSIDE)
    while first != NONE and now - my.shared[_at(my, first, SINCE)] >= my.parameters[STAY]:
        _leave(my, first)
        push_back(my, OUTSIDE, first)
        first = front(my, INSIDE)


@kernel
def _demand(my):
    pages, thread = 0, front(my, INSIDE)
    while thread != NONE:
        pages += working_set.size(my, thread)
        thread = behind(my, thread)
    return pages


@kernel
def _control(my, now):
    """Whoever entered last leaves while the sets do not fit; the next enter while theirs do. One is always inside."""
    _rotate(my, now)
    room, pages = my.parameters[ROOM] * my.first_slot, _demand(my)  # frames come before the first core
    while pages > room and length(my, INSIDE) > 1:
        last = back(my, INSIDE)
        pages -= working_set.size(my, last)
        _leave(my, last)
        push_front(my, OUTSIDE, last)
    first = front(my, OUTSIDE)
    while first != NONE and (length(my, INSIDE) == 0 or pages + working_set.size(my, first) <= room):
        pages += working_set.size(my, first)
        _enter(my, first, now)
        first = front(my, OUTSIDE)


@kernel
def claim(my, entity, now, number):
    """Inside before outside; a newcomer from inside need not wait for an outsider's turn to end."""
    if my.use_is_credit > 0:
        return float(is_in(my, entity.last_user)), float(entity.use_seq)
    return float(is_in(my, entity.id)), turn(entity, now)[0]


@kernel
def pick(my, decision):
    """Who is outside waits, even for a vacant core, unless that may not stay vacant: then no vacancy contends."""
    chosen, last = pick_by_claim(my, decision), my.contenders[decision.count - 1]
    if my.use_is_credit > 0:
        return chosen
    if decision.kind == EVICT:
        return chosen if is_in(my, decision.entity) else decision.entity
    return last if last < 0 and not is_in(my, chosen) else chosen


GUARD = Policy(
    name="guard",
    aliases=("load_control",),
    summary="only threads whose working sets fit the frames together run, in turns",
    on_cores=(
        "round robin among those inside: the head of the queue, as far as their working sets fit; the others wait, "
        "also for an idle core, until a burst inside ends or its `stay` is over; a core they are refused asks again at "
        "its next tick"
    ),
    on_frames="pages of the threads inside stay; then LRU. Plenty of cores: nobody is inside, LRU",
    reads="shared: sizes of the working sets, who is inside; last_user, use_seq; want_ns, hold_ns, turn_over",
    not_to_be_confused="WSClock: the guard evicts by recency, what it controls is who runs",
    source="Denning, CACM 11(5), 1968; Denning, IEEE TSE 6(1), 1980 (load control)",
    want=want,
    hold=hold,
    use=use,
    release=release,
    claim=claim,
    pick=pick,
    shared=(0, working_set.FIELDS + FIELDS, 0),
    queues=2,
    parameters={
        "room": Parameter(2.0, "", 0.0, 1000.0, "share of the frames that working sets may fill; more threads inside"),
        "stay": Parameter(5_000_000, "ns", 1, 10**15, "inside before the next one's turn; fewer, longer stays"),
        "window": working_set.REFERENCES,
    },
)
