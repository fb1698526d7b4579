"""The only loop: run to the next decision, apply it, charge."""

from sos_gym.engine.account import charge
from sos_gym.engine.calendar import size_of
from sos_gym.engine.cores import tick
from sos_gym.engine.decisions import apply, prepare, raise_decision
from sos_gym.engine.events import Event, due, offer_slot, void
from sos_gym.engine.frames import scan
from sos_gym.engine.program import complete, page_in, wake
from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Resource


@kernel
def _handle(sim):
    """Handle the first event, which is due now."""
    source, what = sim.calendar[1].source, sim.calendar[1].what
    void(sim, source)
    if what == Event.COMPLETION:
        complete(sim, source)
    elif what == Event.PAGE_IN:
        page_in(sim, sim.threads[source].page)
    elif what == Event.WAKE:
        wake(sim, source)
    elif what == Event.TICK:
        tick(sim, sim.first_core + source - sim.threads_count)
    elif what == Event.SCAN:
        due(sim, source, sim.now + sim.scan_ns, Event.SCAN)
        scan(sim)
    elif what == Event.HORIZON:
        sim.truncated = 1
        for t in range(sim.threads_count):
            charge(sim, t)


@kernel
def _rescue(sim):
    """Nothing is pending: offer every vacant core once more, or find the episode stuck."""
    cores = sim.instances[Resource.CPU]
    if cores.waiters == 0 or sim.rescue_ns == sim.now:
        sim.stuck = 1
        return
    sim.rescue_ns = sim.now
    for core in range(cores.first_slot, cores.first_slot + cores.size):
        if sim.slots[core].holder == NONE:
            offer_slot(sim, Resource.CPU, core)


@kernel
def run(sim):
    """Advance until the driver must decide, or the episode ends."""
    while not (sim.finished or sim.truncated or sim.stuck):
        if sim.live == 0:
            sim.finished = 1
        elif size_of(sim.calendar) > 0 and sim.calendar[1].time == sim.now:
            _handle(sim)
        elif size_of(sim.agenda) > 0:
            if prepare(sim):
                raise_decision(sim)
                if sim.driver == NONE:
                    return
                apply(sim, sim.advice[sim.driver])
        elif sim.running + sim.timers + sim.in_flight == 0:
            _rescue(sim)
        else:
            sim.now = sim.calendar[1].time


@kernel
def advance(sims, i, choice):
    """Apply `choice` to the open decision of simulation `i`, if any, and run to the next."""
    sim = sims[i]
    if sim.undecided:
        apply(sim, choice)
    run(sim)
    for t in range(sim.threads_count):
        charge(sim, t)
