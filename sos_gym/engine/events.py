"""What is due when: completions, wakes, page-ins, ticks, scans, and the agenda of one instant.

Sources of events: thread t is t, slot s is threads + s (a core's tick, a frame's page-in), then the scan, then the horizon.
"""

from ..kernel import kernel
from ..resource import Kind
from .calendar import enter, strike

COMPLETION, WAKE, TICK, SCAN, HORIZON = range(5)  # at one instant in this order; an arrival and a page-in are WAKEs
CLASS_BIT = 56
EVICT, ADMIT = int(Kind.EVICT), int(Kind.ADMIT)


@kernel
def slot_source(sim, slot):
    return sim.threads_count + slot


@kernel
def scan_source(sim):
    return sim.threads_count + sim.slots.size


@kernel
def horizon_source(sim):
    return sim.threads_count + sim.slots.size + 1


@kernel
def due(sim, source, time, what):
    """Make `source` due at `time`; an earlier date of it is void."""
    sim.created += 1
    sim.calendar[source].what = what
    enter(sim.calendar, sim.calendar_heap, source, time, (what << CLASS_BIT) | sim.created)


@kernel
def void(sim, source):
    """Nothing of `source` is due any more."""
    strike(sim.calendar, sim.calendar_heap, source)


@kernel
def comes_first(sim, time):
    """Whether a completion at `time` would precede all that is due, with no decision open before it."""
    if sim.agenda_heap[0] > 0:
        return False
    if sim.calendar_heap[0] == 0:
        return True
    first = sim.calendar[sim.calendar_heap[1]]
    return time < first.time or (time == first.time and first.what > COMPLETION)


# The agenda: memory before cores, ADMIT (by slot) before EVICT (by sequence number). Sources: slots, then entities.


@kernel
def offer_slot(sim, resource, slot):
    """Put `ADMIT(slot)` on the agenda."""
    enter(sim.agenda, sim.agenda_heap, slot, 2 * resource, slot)


@kernel
def ask_for(sim, resource, e, seq):
    """Put `EVICT(e)` on the agenda."""
    enter(sim.agenda, sim.agenda_heap, sim.slots.size + e, 2 * resource + 1, seq)
