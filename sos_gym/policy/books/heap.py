"""Eviction by claim without a scan: a heap for claims that change only on the entity's own verbs.

Claims of holders may rise unnoticed (a use costs nothing); the weakest is brought up to date when a victim is due.
Who cools is put in its place at once. Requires that time alone never changes the order of two claims. A policy whose
claim depends on the decision gives a `rank`, by which the heap orders in its place.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.engine.records import claim_at
from sos_gym.kernel import kernel
from sos_gym.policy.contract import Book, Records
from sos_gym.resource import NONE

# Of each entity: what it is ordered by, and where in `heaped` it stands; from 1 on, the weakest first.
HEAP = Book(
    "heap",
    own={"size": 0},
    each={
        "claim": 0.0,
        "second": 0.0,
        "use_seq": 0,
        "place": 0,
    },
    tables={"heaped": Records({"e": 0}, fixed=1, per_slot=1)},
)


@kernel
def _weaker(my, a, b):
    one, two = my.each[a].heap, my.each[b].heap
    if one.claim != two.claim:
        return one.claim < two.claim
    if one.second != two.second:
        return one.second < two.second
    return one.use_seq < two.use_seq


@kernel
def _put(my, at, e):
    my.heaped[at].e = e
    my.each[e].heap.place = at


@kernel
def _rise(my, at, e):
    while at > 1 and _weaker(my, e, my.heaped[at >> 1].e):
        _put(my, at, my.heaped[at >> 1].e)
        at >>= 1
    _put(my, at, e)
    return at


@kernel
def _sink(my, at, e):
    size = my.own.heap.size
    while 2 * at <= size:
        child = 2 * at
        if child < size and _weaker(my, my.heaped[child + 1].e, my.heaped[child].e):
            child += 1
        if not _weaker(my, my.heaped[child].e, e):
            break
        _put(my, at, my.heaped[child].e)
        at = child
    _put(my, at, e)


@kernel
def _refresh(my, e):
    """Bring the stored claim up to date; True when it had changed."""
    first, second = claim_at(my.rank_at)(my, my.entities[e])
    recent, kept = my.entities[e].use_seq, my.each[e].heap
    changed = kept.claim != first or kept.second != second or kept.use_seq != recent
    kept.claim, kept.second, kept.use_seq = first, second, recent
    return changed


@kernel
def hold(my, e):
    """Enter the heap."""
    _refresh(my, e)
    my.own.heap.size += 1
    _rise(my, my.own.heap.size, e)


@kernel
def cool(my, e):
    """Only cooling lowers a claim."""
    _refresh(my, e)
    _sink(my, _rise(my, my.each[e].heap.place, e), e)


@kernel
def release(my, e):
    """Leave the heap."""
    at, last = my.each[e].heap.place, my.heaped[my.own.heap.size].e
    my.own.heap.size -= 1
    if last != e:
        _sink(my, _rise(my, at, last), last)


@kernel
def _stash(my):
    """Take the root out, behind the end of the heap."""
    size = my.own.heap.size
    root, last = my.heaped[1].e, my.heaped[size].e
    my.own.heap.size = size - 1
    if size > 1:
        _sink(my, 1, last)
    my.heaped[size].e = root


@kernel
def weakest(my):
    """Whose claim is the weakest, legal or not; NONE when nobody holds."""
    while my.own.heap.size > 0 and _refresh(my, my.heaped[1].e):
        _sink(my, 1, my.heaped[1].e)
    return my.heaped[1].e if my.own.heap.size > 0 else NONE


@kernel
def victim(my, decision):
    """The weakest legal holder."""
    full, found = my.own.heap.size, NONE
    while found == NONE:
        root = weakest(my)
        if legal_holder(my, decision, root):
            found = root
        else:
            _stash(my)
    while my.own.heap.size < full:  # the stashed come back
        my.own.heap.size += 1
        _rise(my, my.own.heap.size, my.heaped[my.own.heap.size].e)
    return found
