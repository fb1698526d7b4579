"""Standing: queues numbered by strength; who waits keeps the queue it will join.

For policies whose `want` sets the mark of a newcomer to the queue that its next `hold` enters. Who is preempted or
yields goes on waiting without a `want`, and so returns to the queue that it left.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import front, length, push_back, remove
from sos_gym.policy.lists.turns import order
from sos_gym.resource import Kind, Why

EVICT = int(Kind.EVICT)
LEFT, PAGED_OUT, BLOCKED, FAULTED = int(Why.EVICTED), int(Why.PAGEOUT), int(Why.BLOCK), int(Why.FAULT)
COOLED = 1  # the weakest queue: what MADV_COLD was said of goes before all others


@kernel
def level(my, e):
    """The queue it stands in or, while it waits, will join."""
    link = my.links[e]
    return link.queue if link.queue else link.mark


@kernel
def claim(my, entity, now, number):
    """Level, then turns within a level."""
    return float(level(my, entity.id)), order(my, entity, now)


@kernel
def leave(my, e):
    """Take `e` out of its queue, which it may join again; returns that queue."""
    q = my.links[e].queue
    remove(my, e)
    my.links[e].mark = q
    return q


@kernel
def may_return(why):
    """Whether a release with this reason leaves somebody to be remembered; who waits on is not gone yet."""
    return why == LEFT or why == PAGED_OUT or why == BLOCKED or why == FAULTED


@kernel
def remember(my, ghosts, e, most):
    """Put `e`, which left, into the queue `ghosts`; of more than `most` the oldest is forgotten."""
    push_back(my, ghosts, e)
    if length(my, ghosts) > most:
        remove(my, front(my, ghosts))
