"""The only loop: run to the next decision, apply it, charge."""

from sos_gym.engine.account import charge
from sos_gym.engine.calendar import size_of
from sos_gym.engine.cores import tick
from sos_gym.engine.decisions import apply, prepare, raise_decision
from sos_gym.engine.events import Event, due, offer_slot, void
from sos_gym.engine.frames import scan
from sos_gym.engine.program import complete, page_in, wake
from sos_gym.engine.sight import harvest
from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Resource

PATIENCE = 1 << 16  # steps: some 20 ms
ENDLESS = (1 << 31) - 1
GO_ON = -1 << 31  # in place of a choice


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
    elif what == Event.HARVEST:
        due(sim, source, sim.now + sim.harvest_ns, Event.HARVEST)
        harvest(sim)
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
    """Advance until the driver must decide, or the episode ends, or the caller's patience does."""
    while not (sim.finished or sim.truncated or sim.stuck) and sim.patience > 0:
        sim.patience -= 1
        if sim.fault[0].code != 0:
            sim.stuck = 1
        elif sim.live == 0:
            sim.finished = 1
        elif size_of(sim.calendar) > 0 and sim.calendar[1].time == sim.now:
            _handle(sim)
        elif size_of(sim.agenda) > 0:
            if prepare(sim):
                raise_decision(sim)
                if sim.driver != NONE:
                    apply(sim, sim.advice[sim.driver])
                elif sim.fault[0].code == 0:
                    return
        elif sim.running + sim.timers + sim.in_flight == 0:
            _rescue(sim)
        else:
            sim.now = sim.calendar[1].time


@kernel
def advance(sims, i, choice):
    """Apply `choice` to the open decision of simulation `i`, if any, and run to the next; GO_ON: run on.

    False: it has to be called again, to go on; meanwhile the caller may find that it was interrupted.
    """
    sim = sims[i]
    if sim.undecided and choice != GO_ON:
        apply(sim, choice)
    sim.patience = PATIENCE
    run(sim)
    if sim.patience <= 0 and not (sim.undecided or sim.finished or sim.truncated or sim.stuck):
        return False
    for t in range(sim.threads_count):
        charge(sim, t)
    return True
