"""A calendar: at most one entry per source, the earliest first.

`entries[source]` holds time, order and its place in `heap`, a binary heap of sources in `heap[1:]`; `heap[0]` is its size.
Events, and the agenda of decisions, are calendars.
"""

from ..kernel import kernel


@kernel
def _before(entries, a, b):
    first, second = entries[a], entries[b]
    return first.time < second.time or (first.time == second.time and first.order < second.order)


@kernel
def _rise(entries, heap, at):
    source = heap[at]
    while at > 1 and _before(entries, source, heap[at >> 1]):
        heap[at] = heap[at >> 1]
        entries[heap[at]].at = at
        at >>= 1
    heap[at] = source
    entries[source].at = at


@kernel
def _sink(entries, heap, at):
    source, size = heap[at], heap[0]
    while 2 * at <= size:
        child = 2 * at
        if child < size and _before(entries, heap[child + 1], heap[child]):
            child += 1
        if not _before(entries, heap[child], source):
            break
        heap[at] = heap[child]
        entries[heap[at]].at = at
        at = child
    heap[at] = source
    entries[source].at = at


@kernel
def enter(entries, heap, source, time, order):
    """Put `source` on the calendar, or move it there if it is on it already."""
    entry = entries[source]
    entry.time, entry.order = time, order
    if entry.at == 0:
        heap[0] += 1
        heap[heap[0]] = source
        entry.at = heap[0]
    _rise(entries, heap, entry.at)
    _sink(entries, heap, entry.at)


@kernel
def strike(entries, heap, source):
    """Take `source` off the calendar, if it is on it."""
    at = entries[source].at
    if at == 0:
        return
    entries[source].at = 0
    last = heap[heap[0]]
    heap[0] -= 1
    if last != source:
        heap[at] = last
        entries[last].at = at
        _rise(entries, heap, at)
        _sink(entries, heap, entries[last].at)
