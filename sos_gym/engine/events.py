"""What is due when: completions, wakes, page-ins, ticks, scans; and the agenda of one instant.

Sources of events: thread t is t (its completion, wake, or the page-in that it was first to wait for), core number c is
threads + c (its tick), then the scan, then the horizon. Each has one date at most.
"""

from sos_gym.engine.calendar import enter, size_of, take
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NEVER, Resource

# At one instant in this order; class and kind of an event
COMPLETION, WAKE, TICK, SCAN, HORIZON, PAGE_IN = 0, 1, 2, 3, 4, 5
CLASS_BIT = 56
MEMORY = int(Resource.MEMORY)
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
def next_arrival(sim):
    """Make the next thread's arrival due, one when the last has come: a heap of all would be as large as the tape."""
    if sim.arrived < sim.threads_count:
        t = sim.arrivals[sim.arrived]
        sim.arrived += 1
        enter(sim.calendar, sim.places, t, sim.threads[t].arrival_ns, (WAKE << CLASS_BIT) | (t + 1), WAKE)


@kernel
def void(sim, source):
    """Nothing of `source` is due any more."""
    if sim.places[source] > 0:
        take(sim.calendar, sim.places, sim.places[source])


@inlined
def comes_first(sim, time):
    """Whether a completion at `time` would precede all that is due, with no decision open before it."""
    if size_of(sim.agenda) > 0:
        return False
    if size_of(sim.calendar) == 0:
        return True
    first = sim.calendar[1]
    return time < first.time or (time == first.time and first.what > COMPLETION)


@inlined
def next_due(sim):
    """When something else happens: the next event, or now when a decision is open."""
    if size_of(sim.agenda) > 0:
        return sim.now
    return sim.calendar[1].time if size_of(sim.calendar) > 0 else NEVER


@inlined
def nothing_until(sim, time):
    """Whether nothing at all is due up to and at `time`, and no decision open."""
    return next_due(sim) > time


# The agenda: memory before cores, ADMIT (by slot) before EVICT (by sequence number). Sources: thread t for the core or
# page that it wants, then the cores, then the nodes for the frame that a scan offers. Each has one item at most.


@kernel
def offer_slot(sim, resource, slot):
    """Put `ADMIT(slot)` on the agenda, unless it is there."""
    source = core_source(sim, slot)
    if resource == MEMORY:
        source = sim.agenda_places.size - sim.nodes_count + sim.slots[slot].node
    if sim.agenda_places[source] == 0:
        enter(sim.agenda, sim.agenda_places, source, 2 * resource, slot, OFFER)


@kernel
def ask_for(sim, resource, t, seq, item):
    """Put `EVICT` on the agenda: of thread `t`, or of the page it was first to wait for (WANT or HINT_ITEM)."""
    enter(sim.agenda, sim.agenda_places, t, 2 * resource + 1, seq, item)


@kernel
def withdraw(sim, t):
    """Take thread `t`'s item off the agenda: it has what it wanted."""
    if sim.agenda_places[t] > 0:
        take(sim.agenda, sim.agenda_places, sim.agenda_places[t])
