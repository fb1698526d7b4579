"""What is due when: completions, wakes, page-ins, ticks, scans; and the agenda of one instant.

Sources of events: thread t is t (its completion, wake, or the page-in that it was first to wait for), core number c is
threads + c (its tick), then the scan, then the horizon. Each has one date at most.
"""

from ..kernel import kernel
from ..resource import Kind
from .calendar import enter, size_of, take

# At one instant in this order; class and kind of an event
COMPLETION, WAKE, TICK, SCAN, HORIZON, PAGE_IN = 0, 1, 2, 3, 4, 5
CLASS_BIT = 56
EVICT, ADMIT = int(Kind.EVICT), int(Kind.ADMIT)
OFFER, WANT, HINT_ITEM = 0, 1, 2  # items of the agenda


@kernel
def core_source(sim, core):
    return sim.threads_count + core - sim.first_core


@kernel
def scan_source(sim):
    return sim.places.size - 2


@kernel
def horizon_source(sim):
    return sim.places.size - 1


@kernel
def due(sim, source, time, what):
    """Make `source` due at `time`; an earlier date of it is void."""
    void(sim, source)
    sim.created += 1
    rank = WAKE if what == PAGE_IN else what
    enter(sim.calendar, sim.places, source, time, (rank << CLASS_BIT) | sim.created, what)


@kernel
def void(sim, source):
    """Nothing of `source` is due any more."""
    if sim.places[source] > 0:
        take(sim.calendar, sim.places, sim.places[source])


@kernel
def comes_first(sim, time):
    """Whether a completion at `time` would precede all that is due, with no decision open before it."""
    if size_of(sim.agenda) > 0:
        return False
    if size_of(sim.calendar) == 0:
        return True
    first = sim.calendar[1]
    return time < first.time or (time == first.time and first.what > COMPLETION)


# The agenda: memory before cores, ADMIT (by slot) before EVICT (by sequence number).


@kernel
def offer_slot(sim, resource, slot):
    """Put `ADMIT(slot)` on the agenda, unless it is there."""
    if not sim.slots[slot].offered:
        sim.slots[slot].offered = 1
        enter(sim.agenda, sim.no_places, slot, 2 * resource, slot, OFFER)


@kernel
def is_quiet(sim):
    """Whether nothing else is due at this instant, and no decision open."""
    return size_of(sim.agenda) == 0 and (size_of(sim.calendar) == 0 or sim.calendar[1].time > sim.now)


@kernel
def ask_for(sim, resource, e, seq, item):
    """Put `EVICT(e)` on the agenda, as a WANT or a HINT_ITEM."""
    enter(sim.agenda, sim.no_places, e, 2 * resource + 1, seq, item)
