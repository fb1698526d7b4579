"""Threads that stand in line for a page, a channel or a lock, whose record has the head and the tail."""

from sos_gym.kernel import kernel
from sos_gym.resource import NONE


@kernel
def join_queue(sim, queue, t):
    """Thread `t` is the last in the queue of a page, channel or lock."""
    sim.threads[t].next = NONE
    if queue.queue_head == NONE:
        queue.queue_head = t
    else:
        sim.threads[queue.queue_tail].next = t
    queue.queue_tail = t


@kernel
def leave_queue(sim, queue):
    """The thread at the head, which leaves it, or NONE."""
    t = queue.queue_head
    if t != NONE:
        queue.queue_head = sim.threads[t].next
    return t
