"""Eviction in order of a sequence number: logs of stamped entities, the oldest first.

A use appends the entity with its new sequence number and touches nothing else; an entry is stale when the entity has a
newer number or lost its slot. The victim is the first entry that is neither stale nor illegal. When a log is full the
stale entries are dropped, which eight entries per slot pay for (each is checked once or so in its life).
Two logs: the cooled go before all others, in the order in which they cooled.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import inlined, kernel, prefetch
from sos_gym.policy.contract import Book, Records
from sos_gym.resource import NONE

# From which sequence number the stamps are; a policy keeps to one of them
BY_HOLD, BY_USE = 0, 1
MAIN, COOLED = 0, 1  # the logs; each has half of the entries
LOG = Book(
    "log",
    own={"begin": [0, 0], "end": [0, 0]},  # of each log, within its half
    tables={"entries": Records({"packed": 0}, fixed=128, per_slot=16)},  # entity << 32 | the low bits of its number
)
AHEAD = 8  # entries
STAMP_BITS, STAMP = 32, (1 << 32) - 1


@inlined
def _start(my, log):
    return log * (my.entries.size // 2)


@inlined
def _entity_of(my, at):
    return my.entries[at].packed >> STAMP_BITS


@inlined
def _is_fresh(my, at, by):
    packed = my.entries[at].packed
    entity = my.entities[packed >> STAMP_BITS]
    number = entity.use_seq if by == BY_USE else entity.hold_seq
    return entity.slot != NONE and number & STAMP == packed & STAMP


@kernel
def _compact(my, log, by):
    """Drop the stale entries; the order of the others stays."""
    bounds, last, start = my.own.log, my.entries.size - 1, _start(my, log)
    kept = start
    for at in range(start + bounds.begin[log], start + bounds.end[log]):
        prefetch(my.entities, _entity_of(my, min(at + AHEAD, last)))
        if _is_fresh(my, at, by):
            my.entries[kept].packed = my.entries[at].packed
            kept += 1
    bounds.begin[log], bounds.end[log] = 0, kept - start


@inlined
def append(my, log, e, number, by):
    """Enter `e` with its new `number`, its use_seq (BY_USE) or its hold_seq (BY_HOLD)."""
    if my.own.log.end[log] == my.entries.size // 2:
        _compact(my, log, by)
    my.entries[_start(my, log) + my.own.log.end[log]].packed = e << STAMP_BITS | number & STAMP
    my.own.log.end[log] += 1


@inlined
def _first_legal(my, decision, log, by):
    """The oldest fresh entry whose entity may go without, or NONE; stale entries in front of it are dropped."""
    bounds, last, start = my.own.log, my.entries.size - 1, _start(my, log)
    in_front = True
    for at in range(start + bounds.begin[log], start + bounds.end[log]):
        prefetch(my.entities, _entity_of(my, min(at + AHEAD, last)))
        if _is_fresh(my, at, by):
            in_front = False
            if legal_holder(my, decision, _entity_of(my, at)):
                likely = _entity_of(my, min(at + 1, last))  # the next victim: its frame is brought to the cache
                prefetch(my.slots, my.entities[likely].slot)
                return _entity_of(my, at)
        elif in_front:
            bounds.begin[log] = at + 1 - start
    return NONE


@inlined
def oldest(my, decision, by):
    """The victim: who cooled first, else who was stamped longest ago."""
    if my.own.log.begin[COOLED] < my.own.log.end[COOLED]:
        cold = _first_legal(my, decision, COOLED, by)
        if cold != NONE:
            return cold
    return _first_legal(my, decision, MAIN, by)
