"""Eviction in order of a sequence number: a log of stamped entities, the oldest first.

A use appends the entity with its new sequence number and touches nothing else; an entry is stale when the entity has a
newer number or lost its slot. The victim is the first entry that is neither stale nor illegal. When the log is full the
stale entries are dropped, which eight entries per slot pay for (each is checked once or so in its life).
Two logs: the cooled (COLD) go before all others, in the order in which they cooled.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import inlined, kernel, prefetch
from sos_gym.resource import NONE

# ints: where each log begins and ends now, then the entries of both logs, half of the room each
HEAD, TAIL, COOL_HEAD, COOL_TAIL, FIRST = 0, 1, 2, 3, 8
INTS = (FIRST + 128, 0, 16)  # at least 64 entries each, and 8 per slot
AHEAD = 8  # entries
STAMP_BITS, STAMP = 32, (1 << 32) - 1  # an entry is entity << 32 | the low bits of its number


@inlined
def _start(my, log):
    return FIRST + log // 2 * ((my.ints.size - FIRST) // 2)


@inlined
def _end(my, log):
    return _start(my, log) + (my.ints.size - FIRST) // 2


@inlined
def _is_fresh(entities, entry, stamp):
    entity = entities[entry >> STAMP_BITS]
    number = entity.use_seq if stamp else entity.hold_seq
    return entity.slot != NONE and number & STAMP == entry & STAMP


@kernel
def _compact(my, log, stamp):
    """Drop the stale entries; the order of the others stays."""
    ints, entities, last = my.ints, my.entities, my.ints.size - 1
    kept = _start(my, log)
    for at in range(kept + ints[log], kept + ints[log + 1]):
        prefetch(entities, ints[min(at + AHEAD, last)] >> STAMP_BITS)
        entry = ints[at]
        if _is_fresh(entities, entry, stamp):
            ints[kept] = entry
            kept += 1
    ints[log], ints[log + 1] = 0, kept - _start(my, log)


@inlined
def append(my, log, e, number, stamp):
    """Enter `e` with its new `number`. `stamp`: 1 for a log of use_seq, 0 of hold_seq."""
    if _start(my, log) + my.ints[log + 1] == _end(my, log):
        _compact(my, log, stamp)
    my.ints[_start(my, log) + my.ints[log + 1]] = e << STAMP_BITS | number & STAMP
    my.ints[log + 1] += 1


@inlined
def has_entries(my, log):
    return my.ints[log] < my.ints[log + 1]


@inlined
def first_legal(my, decision, log, stamp):
    """The oldest fresh entry whose entity may go without, or NONE; stale entries in front of it are dropped."""
    ints, entities, last = my.ints, my.entities, my.ints.size - 1
    start = _start(my, log)
    in_front = True
    for at in range(start + ints[log], start + ints[log + 1]):
        prefetch(entities, ints[min(at + AHEAD, last)] >> STAMP_BITS)
        entry = ints[at]
        if _is_fresh(entities, entry, stamp):
            in_front = False
            if legal_holder(my, decision, entry >> STAMP_BITS):
                likely = ints[min(at + 1, last)] >> STAMP_BITS  # the next victim: its frame is brought to the cache
                prefetch(my.slots, entities[likely].slot)
                return entry >> STAMP_BITS
        elif in_front:
            ints[log] = at + 1 - start
    return NONE
