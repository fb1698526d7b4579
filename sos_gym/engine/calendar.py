"""A calendar: entries in order of time, the earliest first.

`heap[1:]` is a binary heap of ENTRY records, `heap[0].source` its size. `places[source]` is where a source's entry
stands, 0 for nowhere. The events are a calendar, and so is the agenda of decisions.
"""

from sos_gym.kernel import inlined, kernel


@inlined
def size_of(heap):
    """How many entries it has."""
    return heap[0].source


@kernel
def _before(heap, a, b):
    return heap[a].time < heap[b].time or (heap[a].time == heap[b].time and heap[a].order < heap[b].order)


@kernel
def _exchange(heap, places, a, b):
    one, two = heap[a], heap[b]
    one.time, two.time = two.time, one.time
    one.order, two.order = two.order, one.order
    one.what, two.what = two.what, one.what
    one.source, two.source = two.source, one.source
    places[one.source], places[two.source] = a, b


@kernel
def _rise(heap, places, at):
    while at > 1 and _before(heap, at, at >> 1):
        _exchange(heap, places, at, at >> 1)
        at >>= 1
    return at


@kernel
def _sink(heap, places, at):
    size = heap[0].source
    while 2 * at <= size:
        child = 2 * at
        if child < size and _before(heap, child + 1, child):
            child += 1
        if not _before(heap, child, at):
            return
        _exchange(heap, places, at, child)
        at = child


@kernel
def enter(heap, places, source, time, order, what):
    """Add an entry."""
    heap[0].source += 1
    at = heap[0].source
    entry = heap[at]
    entry.time, entry.order, entry.what, entry.source = time, order, what, source
    places[source] = at
    _rise(heap, places, at)


@kernel
def take(heap, places, at):
    """Remove the entry at `at`. It lies at `heap[size + 1]` until the next one is entered."""
    last = heap[0].source
    if at != last:
        _exchange(heap, places, at, last)
    heap[0].source = last - 1
    places[heap[last].source] = 0
    if at != last:
        _sink(heap, places, _rise(heap, places, at))
