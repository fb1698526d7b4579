"""What holding a core entails: switches, migration, ticks, preemption."""

from sos_gym.engine.account import become, charge, left
from sos_gym.engine.events import Event, Item, ask_for, core_source, due, offer_slot, void, withdraw
from sos_gym.engine.holding import leave_waiting, node_of, occupy, record_use, tell, vacate, wait_silently, want
from sos_gym.engine.legality import allowed
from sos_gym.engine.records import Verb
from sos_gym.engine.uses import publish
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NONE, Resource, Status, Why


@kernel
def report_use(sim, t):
    """Tell the policies what thread `t` consumed since the last report."""
    charge(sim, t)
    thread = sim.threads[t]
    consumed = thread.service - thread.reported
    if consumed > 0:
        thread.reported = thread.service
        record_use(sim, Resource.CPU, t)


@inlined
def move_cost(sim, t, near):
    """What it costs thread `t` to go to another core of its node, or to another node: as much as is warm there.

    The full cost when it has served `warm_ns` since it came, else that part of it, rounded down.
    """
    thread = sim.threads[t]
    if near:
        full, warm, served = sim.move_near_ns, sim.warm_near_ns, thread.service - thread.cold_near
    else:
        full, warm, served = sim.move_far_ns, sim.warm_far_ns, thread.service - thread.cold_far
    if served >= warm:
        return full
    return full // warm * served + full % warm * served // warm  # full * served might not fit


@inlined
def _move(sim, t, near):
    """Thread `t` pays for what it leaves behind, and is cold where it goes."""
    thread = sim.threads[t]
    thread.move_left += move_cost(sim, t, near)
    thread.cold_near = thread.service
    if not near:
        thread.cold_far = thread.service
        sim.moves += 1


@kernel
def want_core(sim, t, why):
    """Thread `t` wants a core, and asks for it."""
    want(sim, Resource.CPU, t, why)
    ask_for(sim, Resource.CPU, t, sim.entities[t].want_seq, Item.REQUEST)


@kernel
def dispatch(sim, t, core, why):
    """Thread `t` gets vacant `core`; it goes on when what is left, if anything, is consumed."""
    thread, entity, place = sim.threads[t], sim.entities[t], sim.slots[core]
    withdraw(sim, t)
    leave_waiting(sim, Resource.CPU, t)
    switches = place.last != t
    if switches:
        sim.switches += 1
    thread.switch_left = thread.owed + (sim.switch_ns if switches else 0)
    thread.owed = 0
    if entity.touched and entity.last_slot != core:
        _move(sim, t, entity.home == place.node)
    entity.touched = 1
    entity.home = thread.node = place.node
    entity.turn_over = 0
    become(sim, t, Status.RUNNING)
    occupy(sim, Resource.CPU, t, core, why)
    if sim.tick_ns > 0:
        due(sim, core_source(sim, core), sim.now + sim.tick_ns, Event.TICK)
    due(sim, t, sim.now + left(thread), Event.COMPLETION)


@kernel
def remind_cores(sim, t):
    """Offer every vacant core that thread `t` may run on once more, a tick from now: it waits on."""
    if sim.tick_ns == 0:
        return
    for node in range(sim.nodes_count):
        place = node_of(sim, Resource.CPU, node)
        if place.vacant == 0 or not allowed(sim, t, node):
            continue
        for core in range(place.first_slot, place.first_slot + place.size):
            if sim.slots[core].holder == NONE and sim.places[core_source(sim, core)] == 0:
                due(sim, core_source(sim, core), sim.now + sim.tick_ns, Event.TICK)


@kernel
def leave_core(sim, t, why):
    """Thread `t` gives up its core, or loses it."""
    if why == Why.PREEMPT or why == Why.YIELD:
        remind_cores(sim, t)
    report_use(sim, t)
    if why == Why.YIELD:
        tell(sim, Resource.CPU, Verb.COOL, t)
    void(sim, t)
    core = sim.entities[t].slot
    void(sim, core_source(sim, core))
    vacate(sim, Resource.CPU, t, why)
    if why == Why.PREEMPT or why == Why.YIELD:
        become(sim, t, Status.CPU_WAIT)
        wait_silently(sim, Resource.CPU, t)
    if why != Why.PREEMPT:
        offer_slot(sim, Resource.CPU, core)
    if why == Why.YIELD:
        sim.slots[core].excluded = t


@kernel
def wait_off_core(sim, t):
    """Thread `t` stalls until its page is in; another may have its core."""
    sim.threads[t].stays = 0
    if not sim.plenty_cores:
        leave_core(sim, t, Why.FAULT)
    become(sim, t, Status.FAULTING)


@kernel
def tick(sim, core):
    """The slice of the holder is used up, or a vacant core that was refused is offered again."""
    holder = sim.slots[core].holder
    if holder != NONE:
        due(sim, core_source(sim, core), sim.now + sim.tick_ns, Event.TICK)
        report_use(sim, holder)
        sim.entities[holder].turn_over = 1
        publish(sim, holder)
    offer_slot(sim, Resource.CPU, core)
