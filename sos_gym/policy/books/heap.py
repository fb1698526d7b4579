"""Eviction by claim without a scan: a heap for claims that change only on the entity's own verbs.

Claims of holders may rise unnoticed (a use costs nothing); the weakest is brought up to date when a victim is due.
What cools (COLD) is put in its place at once. Requires that time alone never changes the order of two claims.
The heap asks for a claim with decision number NONE: a policy whose decisions differ says by that what the heap orders.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.engine.records import claim_at
from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Why

MOVE, COLD = int(Why.MOVE), int(Why.COLD)
INTS, FLOATS = (1, 1, 1), (0, 3, 0)  # size, heap, place of each entity; its claim, tie breaker and use_seq
EPOCH = 0  # any fixed time serves, since time does not change the order


@kernel
def _place(my, e):
    return 1 + my.slots.size + e


@kernel
def _weaker(my, a, b):
    for part in range(3):
        first, second = my.floats[3 * a + part], my.floats[3 * b + part]
        if first != second:
            return first < second
    return False


@kernel
def _put(my, at, e):
    my.ints[at] = e
    my.ints[_place(my, e)] = at


@kernel
def _rise(my, at, e):
    ints = my.ints
    while at > 1 and _weaker(my, e, ints[at >> 1]):
        _put(my, at, ints[at >> 1])
        at >>= 1
    _put(my, at, e)
    return at


@kernel
def _sink(my, at, e):
    ints, size = my.ints, my.ints[0]
    while 2 * at <= size:
        child = 2 * at
        if child < size and _weaker(my, ints[child + 1], ints[child]):
            child += 1
        if not _weaker(my, ints[child], e):
            break
        _put(my, at, ints[child])
        at = child
    _put(my, at, e)


@kernel
def _refresh(my, e):
    """Bring the stored claim up to date; True when it had changed."""
    first, second = claim_at(my.claim_at)(my, my.entities[e], EPOCH, NONE)
    recent = float(my.entities[e].use_seq)
    keys, at = my.floats, 3 * e
    changed = keys[at] != first or keys[at + 1] != second or keys[at + 2] != recent
    keys[at], keys[at + 1], keys[at + 2] = first, second, recent
    return changed


@kernel
def hold(my, entity, slot, why, now):
    """Enter the heap (a move does not)."""
    if why == MOVE:
        return
    _refresh(my, entity)
    my.ints[0] += 1
    _rise(my, my.ints[0], entity)


@kernel
def use(my, entity, amount, why, now):
    """Only cooling lowers a claim."""
    if why == COLD:
        _refresh(my, entity)
        at = my.ints[_place(my, entity)]
        _sink(my, _rise(my, at, entity), entity)


@kernel
def release(my, entity, slot, why, now):
    """Leave the heap."""
    at, last = my.ints[_place(my, entity)], my.ints[my.ints[0]]
    my.ints[0] -= 1
    if last != entity:
        _sink(my, _rise(my, at, last), last)


@kernel
def _stash(my):
    """Take the root out, behind the end of the heap."""
    root, last = my.ints[1], my.ints[my.ints[0]]
    size = my.ints[0]
    my.ints[0] = size - 1
    if size > 1:
        _sink(my, 1, last)
    my.ints[size] = root


@kernel
def weakest(my):
    """Whose claim is the weakest, legal or not; NONE when nobody holds."""
    while my.ints[0] > 0 and _refresh(my, my.ints[1]):
        _sink(my, 1, my.ints[1])
    return my.ints[1] if my.ints[0] > 0 else NONE


@kernel
def victim(my, decision):
    """The weakest legal holder."""
    full, found = my.ints[0], NONE
    while found == NONE:
        root = weakest(my)
        if legal_holder(my, decision, root):
            found = root
        else:
            _stash(my)
    while my.ints[0] < full:  # the stashed come back
        my.ints[0] += 1
        _rise(my, my.ints[0], my.ints[my.ints[0]])
    return found
