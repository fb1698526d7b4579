"""Queues of entities, doubly linked through `my.links`; an entity stands in one of them at most.

Queues are numbered from 1; 0 is none. A queue is a ring through its sentinel, a link behind those of the entities whose
`mark` is the queue's length. An entity's `mark` is the policy's own: a bit, a count, a class. By convention the front
leaves first and newcomers join at the back. A queue has a hand, for those that use it: it points at a member or at
nobody, and steps on to who stands behind when its member leaves.
A card with `links=2` gives each entity a second link, a member of its own.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import inlined, prefetch
from sos_gym.resource import NONE


@inlined
def sentinel(my, q):
    return my.links.size - my.queues + q - 1


@inlined
def second(my, e):
    """The member that is the second link of `e` (links=2): all kernels here take it in place of an entity."""
    return e + (my.links.size - my.queues) // 2


@inlined
def whose(my, member):
    """The entity whose second link `member` is."""
    return member - (my.links.size - my.queues) // 2


@inlined
def length(my, q):
    return my.links[sentinel(my, q)].mark


@inlined
def front(my, q):
    """Who leaves first, or NONE."""
    e, end = my.links[sentinel(my, q)].next, sentinel(my, q)
    return e if e != end else NONE


@inlined
def back(my, q):
    """Who joined last, or NONE."""
    e, end = my.links[sentinel(my, q)].previous, sentinel(my, q)
    return e if e != end else NONE


@inlined
def behind(my, e):
    """Who stands behind `e` in its queue, or NONE."""
    link = my.links[e]
    return link.next if link.next != sentinel(my, link.queue) else NONE


@inlined
def _join(my, q, e, ahead, after):
    link = my.links[e]
    link.next, link.previous, link.queue = after, ahead, q
    my.links[ahead].next = e
    my.links[after].previous = e
    my.links[sentinel(my, q)].mark += 1


@inlined
def push_back(my, q, e):
    """Put `e`, which stands in no queue, at the back."""
    end = sentinel(my, q)
    _join(my, q, e, my.links[end].previous, end)


@inlined
def push_front(my, q, e):
    """Put `e`, which stands in no queue, at the front: it leaves first."""
    end = sentinel(my, q)
    _join(my, q, e, end, my.links[end].next)


@inlined
def remove(my, e):
    """Take `e` out of its queue, if it stands in one."""
    link = my.links[e]
    if link.queue == 0:
        return
    end = sentinel(my, link.queue)
    if my.links[end].queue == 1 + e:
        my.links[end].queue = 1 + link.next if link.next != end else 0
    my.links[link.previous].next = link.next
    my.links[link.next].previous = link.previous
    my.links[end].mark -= 1
    link.queue = 0


@inlined
def to_back(my, q, e):
    """Move `e`, wherever it stands, to the back of queue `q`."""
    remove(my, e)
    push_back(my, q, e)


@inlined
def to_front(my, q, e):
    """Move `e`, wherever it stands, to the front of queue `q`."""
    remove(my, e)
    push_front(my, q, e)


@inlined
def hand(my, q):
    """At whom the hand of queue `q` points, or NONE."""
    return my.links[sentinel(my, q)].queue - 1


@inlined
def point(my, q, e):
    """Let the hand of queue `q` point at its member `e`."""
    my.links[sentinel(my, q)].queue = 1 + e


@inlined
def expect(my, e):
    """Bring `e`, which will leave soon, to the processor's cache; any number is harmless."""
    prefetch(my.entities, e)
    prefetch(my.links, my.links[e].next)


@inlined
def first_legal(my, decision, q):
    """The first of queue `q`, from its front, that may go without in this EVICT, or NONE; nobody is unlinked."""
    e = front(my, q)
    while e != NONE and not legal_holder(my, decision, e):
        e = behind(my, e)
    if e != NONE:
        expect(my, my.links[e].next)
    return e
