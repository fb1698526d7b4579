"""LRU-K: whose K-th last reference is the most recent stays."""

from sos_gym.kernel import kernel
from sos_gym.policy.books import heap
from sos_gym.policy.books.queue import front, length, push_back, remove
from sos_gym.policy.contract import Policy
from sos_gym.resource import Why
from sos_gym.settings.ranges import Parameter

MOVE, COLD, DONTNEED, EXIT = int(Why.MOVE), int(Why.COLD), int(Why.DONTNEED), int(Why.EXIT)
PARAMETERS = {
    "k": Parameter(2, "references", 1, 4, "slower to trust, slower to forget"),
    "history": Parameter(
        1.0, "slots", 0.0, 1000.0, "who left is remembered longer; 0: every return is a first reference"
    ),
    "correlated": Parameter(0, "ns", 0, 1 << 50, "references so close to the last one count as one with it"),
}
K, HISTORY, CORRELATED = range(len(PARAMETERS))
GHOSTS = 1  # the front left first
LAST, FIRST = 0, 1  # of an entity's times: its last reference, then HIST(1) ... HIST(k); each plus 1, 0 is never
TIMES = FIRST + int(PARAMETERS["k"].high)
INTS = (heap.INTS[0], heap.INTS[1] + TIMES, heap.INTS[2])


@kernel
def hold(my, entity, slot, why, now):
    if why == MOVE:
        return
    remove(my, entity)
    _shift(my, entity, now, 0)
    heap.hold(my, entity, slot, why, now)


@kernel
def use(my, entity, amount, why, now):
    ints, at = my.ints, _times(my, entity)
    if why == COLD:
        _forget(my, entity)
    elif ints[at] == 0 or now + 1 - ints[at] > my.parameters[CORRELATED]:
        _shift(my, entity, now, ints[at] - ints[at + FIRST])
    else:
        ints[at] = now + 1
    heap.use(my, entity, amount, why, now)


@kernel
def release(my, entity, slot, why, now):
    """It is remembered, unless its identity ends; of too many the first to leave is forgotten."""
    heap.release(my, entity, slot, why, now)
    if why == DONTNEED or why == EXIT:
        _forget(my, entity)
        return
    push_back(my, GHOSTS, entity)
    if length(my, GHOSTS) > my.parameters[HISTORY] * my.slots_count:
        oldest = front(my, GHOSTS)
        remove(my, oldest)
        _forget(my, oldest)


@kernel
def _times(my, e):
    """Where its times begin, behind the heap."""
    return 1 + my.slots.size + my.links.size - my.queues + TIMES * e


@kernel
def _forget(my, e):
    for i in range(TIMES):
        my.ints[_times(my, e) + i] = 0


@kernel
def _shift(my, e, now, period):
    """A reference of its own: the times move on by one, and by the `period` that correlated references took."""
    ints, at = my.ints, _times(my, e)
    for i in range(TIMES - 1, FIRST, -1):
        ints[at + i] = ints[at + i - 1] + period if ints[at + i - 1] else 0
    ints[at + FIRST] = ints[at] = now + 1


@kernel
def claim(my, entity, now, number):
    """Its K-th last reference; fewer than K is never, then the less recently used is the weaker."""
    kth = my.ints[_times(my, entity.id) + FIRST + int(my.parameters[K]) - 1]
    return float(kth), float(entity.use_seq)


LRUK = Policy(
    name="lruk",
    aliases=("lru_k", "lru2"),
    summary="whose K-th last reference is the most recent stays; fewer than K references go first",
    on_cores="a dispatch and a slice used are references: who ran K times lately goes on, a newcomer may starve",
    on_frames="LRU-K, exact; fewer than K: LRU. Unlike in the paper a page may go within its correlated period",
    reads="times of the last K references, kept for those that left last; use_seq",
    ties="equal times: EVICT the less recently used",
    source="O'Neil, O'Neil, Weikum, SIGMOD 1993; libCacheSim keeps no history: lruk(history=0)",
    hold=hold,
    use=use,
    release=release,
    victim=heap.victim,
    claim=claim,
    ints=INTS,
    floats=heap.FLOATS,
    queues=1,
    parameters=PARAMETERS,
)
