"""What is due when: completions, wakes, page-ins, ticks, scans; and the agenda of one instant.

Sources of events: thread t is t (its completion, wake, or the page-in that it was first to wait for), core number c is
threads + c (its tick), then the harvest, the scan, the horizon. Each has one date at most.
"""

from enum import IntEnum

from sos_gym.engine.account import left
from sos_gym.engine.calendar import enter, size_of, take
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NEVER, Resource, Status

RANK_BIT = 56  # of an entry's order: the event's rank above it, how many were made due before it below


class Event(IntEnum):
    """What can be due. At one instant in this order, but a page-in ranks as a wake."""

    COMPLETION = 0  # a thread has consumed what it had left
    WAKE = 1  # a thread arrives, or its sleep or wait is over
    TICK = 2  # of a core
    SCAN = 3  # of all frames
    HARVEST = 4  # of all accessed bits
    HORIZON = 5  # the episode is truncated
    PAGE_IN = 6  # a frame is filled


class Item(IntEnum):
    """What the agenda holds: decisions that are to be taken at this instant."""

    OFFER = 0  # ADMIT: a slot is offered
    REQUEST = 1  # EVICT: a thread asks for a core, or a page for a frame
    PROMOTION = 2  # EVICT, cause HINT: a page asks for a frame nearer to who uses it


@kernel
def core_source(sim, core):
    """Of the ticks of `core`."""
    return sim.threads_count + core - sim.first_core


@kernel
def harvest_source(sim):
    """Of the harvests."""
    return sim.places.size - 3


@kernel
def scan_source(sim):
    """Of the scans."""
    return sim.places.size - 2


@kernel
def horizon_source(sim):
    """Of the horizon."""
    return sim.places.size - 1


@kernel
def due(sim, source, time, what):
    """Make `source` due at `time`; an earlier date of it is void."""
    void(sim, source)
    sim.created += 1
    rank = Event.WAKE if what == Event.PAGE_IN else what
    enter(sim.calendar, sim.places, source, time, (rank << RANK_BIT) | sim.created, what)


@kernel
def next_arrival(sim):
    """Make the next thread's arrival due. One at a time: a heap of all would be as large as the tape."""
    if sim.arrived < sim.threads_count:
        t = sim.arrivals[sim.arrived]
        sim.arrived += 1
        enter(sim.calendar, sim.places, t, sim.threads[t].arrival_ns, (Event.WAKE << RANK_BIT) | (t + 1), Event.WAKE)


@kernel
def void(sim, source):
    """Nothing of `source` is due any more."""
    if sim.places[source] > 0:
        take(sim.calendar, sim.places, sim.places[source])


@kernel
def put_off(sim, t):
    """What thread `t`, charged up to now, has left has grown: its completion, if it is due, is due later."""
    thread = sim.threads[t]
    if thread.status == Status.RUNNING and sim.places[t] > 0:
        due(sim, t, sim.now + left(thread), Event.COMPLETION)


@inlined
def comes_first(sim, time):
    """Whether a completion at `time` would precede all that is due, with no decision open before it."""
    if size_of(sim.agenda) > 0:
        return False
    if size_of(sim.calendar) == 0:
        return True
    first = sim.calendar[1]
    return time < first.time or (time == first.time and first.what != Event.COMPLETION)


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
    if resource == Resource.MEMORY:
        source = sim.agenda_places.size - sim.nodes_count + sim.slots[slot].node
    if sim.agenda_places[source] == 0:
        enter(sim.agenda, sim.agenda_places, source, 2 * resource, slot, Item.OFFER)


@kernel
def ask_for(sim, resource, t, seq, item):
    """Put `EVICT` on the agenda, as a REQUEST or a PROMOTION.

    For a core it is that of thread `t`, for a frame that of the page which `t` was first to wait for.
    """
    enter(sim.agenda, sim.agenda_places, t, 2 * resource + 1, seq, item)


@kernel
def withdraw(sim, t):
    """Take thread `t`'s item off the agenda: it has what it wanted."""
    if sim.agenda_places[t] > 0:
        take(sim.agenda, sim.agenda_places, sim.agenda_places[t])
