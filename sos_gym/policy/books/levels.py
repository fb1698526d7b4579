"""Levels: queues numbered by strength; who waits keeps the queue it will join.

For policies whose `want` sets the mark of a newcomer to the queue that its next `hold` enters. Who is preempted or
yields goes on waiting without a `want`, and so returns to the queue that it left.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import front, length, push_back, remove, to_back
from sos_gym.policy.books.turn import order
from sos_gym.resource import Why

COOLED = 1  # the weakest queue: what MADV_COLD was said of goes before all others


@kernel
def cool(my, e):
    """It joins those that go first."""
    to_back(my, COOLED, e)
    my.links[e].mark = 0


@kernel
def level(my, e):
    """The queue it stands in or, while it waits, will join."""
    link = my.links[e]
    return link.queue if link.queue else link.mark


@kernel
def claim(my, entity):
    """Level, then turns within a level."""
    return float(level(my, entity.id)), order(my, entity)


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
    return why == Why.EVICTED or why == Why.PAGEOUT or why == Why.BLOCK or why == Why.FAULT or why == Why.LOCK


@kernel
def remember(my, ghosts, e, most):
    """Put `e`, which left, into the queue `ghosts`; of more than `most` the oldest is forgotten."""
    push_back(my, ghosts, e)
    if length(my, ghosts) > most:
        remove(my, front(my, ghosts))
