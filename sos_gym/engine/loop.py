"""The only loop: run to the next decision, apply it, charge."""

from ..kernel import kernel
from ..resource import NONE
from .account import charge
from .decisions import apply, prepare, raise_decision
from .events import COMPLETION, SCAN, TICK, due, horizon_source, offer_slot, scan_source, void
from .cores import tick
from .frames import scan
from .holding import CPU
from .program import complete, page_in, step, wake


@kernel
def _handle(sim, source):
    """Handle the event of `source`, which is due now."""
    what = sim.calendar[source].what
    void(sim, source)
    if source == scan_source(sim):
        due(sim, source, sim.now + sim.scan_ns, SCAN)
        scan(sim)
    elif source == horizon_source(sim):
        sim.truncated = 1
        for t in range(sim.threads_count):
            charge(sim, t)
    elif source < sim.threads_count:
        if what == COMPLETION:
            complete(sim, source)
        elif wake(sim, source):
            step(sim, source)
    elif what == TICK:
        tick(sim, source - sim.threads_count)
    else:
        page_in(sim, sim.slots[source - sim.threads_count].holder)


@kernel
def _rescue(sim):
    """Nothing is pending: offer every vacant core once more, or find the episode stuck."""
    cores = sim.instances[CPU]
    if cores.waiters == 0 or sim.rescue_ns == sim.now:
        sim.stuck = 1
        return
    sim.rescue_ns = sim.now
    for core in range(cores.first_slot, cores.first_slot + cores.size):
        if sim.slots[core].holder == NONE:
            offer_slot(sim, CPU, core)


@kernel
def run(sim):
    """Advance until the driver must decide, or the episode ends."""
    while not (sim.finished or sim.truncated or sim.stuck):
        first = sim.calendar_heap[1]
        if sim.live == 0:
            sim.finished = 1
        elif sim.calendar_heap[0] > 0 and sim.calendar[first].time == sim.now:
            _handle(sim, first)
        elif sim.agenda_heap[0] > 0:
            if prepare(sim):
                raise_decision(sim)
                if sim.driver == NONE:
                    return
                apply(sim, sim.advice[sim.driver])
        elif sim.running + sim.timers + sim.in_flight == 0:
            _rescue(sim)
        else:
            sim.now = sim.calendar[first].time


@kernel
def advance(sims, i, choice):
    """Apply `choice` to the open decision of simulation `i`, if there is one, and run to the next."""
    sim = sims[i]
    if sim.undecided:
        apply(sim, choice)
    run(sim)
    for t in range(sim.threads_count):
        charge(sim, t)
