"""Who is blocked behind a thread that holds locks. `view` is the simulation, or what a policy sees of it."""

from sos_gym.kernel import kernel
from sos_gym.resource import NONE


@kernel
def _first_waiter(view, lock):
    """Who has waited longest for `lock`, or else for one that its holder took before; NONE if nobody waits."""
    while lock != NONE and view.locks[lock].queue_head == NONE:
        lock = view.locks[lock].below
    return NONE if lock == NONE else view.locks[lock].queue_head


@kernel
def _next_behind(view, t, root):
    """Thread `t` and all who wait for it are seen: the next of those who wait for `root`, or NONE."""
    while t != root:
        waiter = view.threads[t]
        if waiter.next != NONE:
            return waiter.next
        other = _first_waiter(view, view.locks[waiter.lock].below)
        if other != NONE:
            return other
        t = view.locks[waiter.lock].holder
    return NONE


@kernel
def blocked_behind(view, root):
    """The greatest weight of all who wait for thread `root`, or for one of those who do, and how many they are.

    They are a tree (docs/engine.md, N20), which is walked without a stack: each thread waits for one lock at most.
    (0, 0) where nobody waits.
    """
    weight, count = 0, 0
    t = _first_waiter(view, view.threads[root].held)
    while t != NONE:
        weight, count = max(weight, view.entities[t].weight), count + 1
        below = _first_waiter(view, view.threads[t].held)
        t = below if below != NONE else _next_behind(view, t, root)
    return weight, count
