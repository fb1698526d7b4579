"""LRU-K: whose K-th last reference is the most recent stays."""

from sos_gym.policy.words import NONE, Parameter, Policy, Sides, Why, heap, kernel, queue

GHOSTS = 1  # the front left first
MOST_TIMES = 4


@kernel
def hold(my, e):
    queue.remove(my, e)
    _shift(my, e, 0)
    heap.hold(my, e)


@kernel
def use(my, e):
    kept = my.each[e]
    if kept.last == NONE or my.now - kept.last > my.parameters.correlated:
        _shift(my, e, kept.last - kept.times[0])
    else:
        kept.last = my.now


@kernel
def cool(my, e):
    _forget(my, e)
    heap.cool(my, e)


@kernel
def release(my, e):
    """It is remembered, unless its identity ends; of too many the first to leave is forgotten."""
    heap.release(my, e)
    if my.why == Why.DONTNEED or my.why == Why.EXIT:
        _forget(my, e)
        return
    queue.push_back(my, GHOSTS, e)
    if queue.length(my, GHOSTS) > my.parameters.history * my.capacity:
        oldest = queue.front(my, GHOSTS)
        queue.remove(my, oldest)
        _forget(my, oldest)


@kernel
def _forget(my, e):
    my.each[e].last = NONE
    for i in range(MOST_TIMES):
        my.each[e].times[i] = NONE


@kernel
def _shift(my, e, period):
    """A reference of its own: the times move on by one, and by the `period` that correlated references took."""
    kept = my.each[e]
    for i in range(MOST_TIMES - 1, 0, -1):
        kept.times[i] = kept.times[i - 1] + period if kept.times[i - 1] != NONE else NONE
    kept.times[0] = kept.last = my.now


@kernel
def claim(my, entity):
    """Its K-th last reference; fewer than K is never, then the less recently used is the weaker."""
    return float(my.each[entity.id].times[int(my.parameters.k) - 1]), float(entity.use_seq)


LRUK = Policy(
    name="lruk",
    aliases=("lru_k", "lru2"),
    summary="whose K-th last reference is the most recent stays; fewer than K references go first",
    on_cores="a dispatch and a slice used are references: who ran K times lately goes on, a newcomer may starve",
    on_frames="LRU-K, exact; fewer than K: LRU. Unlike in the paper a page may go within its correlated period",
    reads="times of the last K references, kept for those that left last; use_seq",
    sight="the times of sightings: of uses between two harvests or looks one counts; a bit carries no correlated "
    "references",
    ties="equal times: EVICT the less recently used",
    source="O'Neil, O'Neil, Weikum, SIGMOD 1993; libCacheSim keeps no history: lruk(history=0)",
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=release,
    victim=heap.victim,
    claim=claim,
    each={"last": NONE, "times": [NONE] * MOST_TIMES},  # ns: last reference; HIST(1) ... HIST(k); NONE: never
    books=(heap.HEAP,),
    queues=1,
    parameters={
        "k": Parameter(2, "references", 1, MOST_TIMES, "slower to trust, slower to forget"),
        "history": Parameter(
            1.0, "slots", 0.0, 1000.0, "who left is remembered longer; 0: every return is a first reference"
        ),
        "correlated": Parameter(0, "ns", 0, 1 << 50, "references so close to the last one count as one with it"),
    },
)
