"""Eviction in order of a sequence number: a log of stamped entities, the oldest first.

A use appends (entity, its new sequence number) and touches nothing else; an entry is stale when the entity has a newer
number or lost its slot. The victim is the first entry that is neither stale nor illegal. When the log is full the stale
entries are dropped, which a log of four entries per slot pays for (each entry is checked once or so in its life).
Two logs: the cooled (COLD) go before all others, in the order in which they cooled.
"""

from ..engine.legality import legal_holder
from ..kernel import kernel, prefetch
from ..resource import NONE

HEAD, TAIL, COOL_HEAD, COOL_TAIL, FIRST = 0, 1, 2, 3, 8  # ints: four cursors, then the entries of both logs
INTS = (FIRST + 256, 0, 24)  # two logs of (entity, number) pairs, at least 64 and 6 per slot each
AHEAD = 8  # entries


@kernel
def _capacity(my):
    return (my.ints.size - FIRST) // 4


@kernel
def _entry(my, log, at):
    return FIRST + 2 * (log // 2 * _capacity(my) + at)


@kernel
def _is_fresh(my, entry, stamp):
    entity = my.entities[my.ints[entry]]
    number = entity.use_seq if stamp else entity.hold_seq
    return entity.slot != NONE and number == my.ints[entry + 1]


@kernel
def _compact(my, log, stamp):
    """Drop the stale entries; the order of the others stays."""
    ints, kept = my.ints, 0
    for at in range(ints[log], ints[log + 1]):
        entry = _entry(my, log, at)
        prefetch(my.entities, ints[min(entry + 2 * AHEAD, ints.size - 2)])
        if _is_fresh(my, entry, stamp):
            to = _entry(my, log, kept)
            ints[to], ints[to + 1] = ints[entry], ints[entry + 1]
            kept += 1
    ints[log], ints[log + 1] = 0, kept


@kernel
def append(my, log, e, number, stamp):
    """Enter `e` with its new `number`. `stamp`: 1 for a log of use_seq, 0 of hold_seq."""
    ints = my.ints
    if ints[log + 1] == _capacity(my):
        _compact(my, log, stamp)
    entry = _entry(my, log, ints[log + 1])
    ints[entry], ints[entry + 1] = e, number
    ints[log + 1] += 1


@kernel
def first_legal(my, decision, log, stamp):
    """The oldest fresh entry whose entity may go without, or NONE; stale entries in front of it are dropped."""
    ints = my.ints
    at, in_front = ints[log], True
    while at < ints[log + 1]:
        entry = _entry(my, log, at)
        prefetch(my.entities, ints[min(entry + 2 * AHEAD, ints.size - 2)])
        at += 1
        if _is_fresh(my, entry, stamp):
            in_front = False
            if legal_holder(my, decision, ints[entry]):
                likely = ints[min(entry + 2, ints.size - 2)]  # the next victim: its frame is brought to the cache
                prefetch(my.slots, my.entities[likely].slot)
                return ints[entry]
        elif in_front:
            ints[log] = at
    return NONE
