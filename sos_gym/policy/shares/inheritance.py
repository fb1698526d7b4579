"""Priority inheritance: who holds a lock counts as much as the weightiest thread that waits for it."""

from sos_gym.policy.words import NONE, Policy, kernel


@kernel
def _first_waiter(my, lock):
    """Who has waited longest for `lock`, or else for one that its holder took before; NONE if nobody waits."""
    while lock != NONE and my.locks[lock].queue_head == NONE:
        lock = my.locks[lock].below
    return NONE if lock == NONE else my.locks[lock].queue_head


@kernel
def _waiter_behind(my, t, root):
    """Thread `t` and all who wait for it are seen: the next of those who wait for `root`, or NONE."""
    while t != root:
        waiter = my.threads[t]
        if waiter.next != NONE:
            return waiter.next
        other = _first_waiter(my, my.locks[waiter.lock].below)
        if other != NONE:
            return other
        t = my.locks[waiter.lock].holder
    return NONE


@kernel
def inherited(my, root, weight):
    """The greatest of `weight` and the weights of all who wait for thread `root`, or for one of those who do.

    They are a tree (docs/engine.md, N20), which is walked without a stack: each thread waits for one lock at most.
    """
    t = _first_waiter(my, my.threads[root].held)
    while t != NONE:
        weight = max(weight, my.entities[t].weight)
        below = _first_waiter(my, my.threads[t].held)
        t = below if below != NONE else _waiter_behind(my, t, root)
    return weight


@kernel
def claim(my, entity):
    thread = entity.last_user if my.use_is_credit > 0 else entity.id
    weight = entity.weight if thread == NONE else inherited(my, thread, entity.weight)
    return float(weight), float(entity.use_seq)


INHERITANCE = Policy(
    name="inheritance",
    aliases=("priority_inheritance",),
    summary="static priority, but who holds a lock has the priority of the weightiest that waits for it",
    on_cores="the priority inheritance protocol: a holder runs as if it were the weightiest of those that wait for its "
    "locks, for holders among them, and so on, until it gives the lock back",
    on_frames="priority paging in which the pages that such a holder used last count as much: it should not fault "
    "while others wait for it. Every page is looked at, since weights change without a word",
    reads="weight, use_seq; who holds and who waits for which lock; last_user on frames",
    sight="ties go by the recency of sightings, last user is that of the last one",
    not_to_be_confused="`priority`, which is this without locks, and lets lighter threads pass a holder that a heavy "
    "one waits for; the priority ceiling protocol, which looks at who might lock",
    source="Sha, Rajkumar, Lehoczky, IEEE ToC 39(9), 1990; kernel/locking/rtmutex.c",
    claim=claim,
)
