"""What is seen where an episode is cut: the last question, asked once more of those whom it would concern now.

A truncation falls between two decisions. A learner that bootstraps there needs the value of that instant, from an
observation like all others: EVICT shows who holds a slot of the resource and may leave it, or what is vacant if nobody
does; ADMIT who waits for the slot that was offered last, and its holder. Nobody is asked, nothing is carried out.
"""

from sos_gym.engine.holding import lowest_vacant
from sos_gym.engine.legality import legal_waiter, may_leave
from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Kind, Resource


@kernel
def _list_holders(sim, decision):
    instance, found = sim.instances[decision.resource], 0
    for slot in range(instance.first_slot, instance.first_slot + instance.size):
        holder = sim.slots[slot].holder
        if holder != NONE and may_leave(sim.entities[holder]):
            sim.contenders[found] = holder
            found += 1
    return found if found > 0 else _list_vacancies(sim, decision.resource)


@kernel
def _list_vacancies(sim, resource):
    found = 0
    for node in range(sim.nodes_count):
        slot = lowest_vacant(sim, resource, node)
        if slot != NONE:
            sim.contenders[found] = -1 - slot
            found += 1
    return found


@kernel
def _list_waiters(sim, decision):
    """Who waits for the slot; then its holder, if it may leave, or the vacancy."""
    instance, holder, found = sim.instances[decision.resource], sim.slots[decision.slot].holder, 0
    decision.entity = holder if holder != NONE and may_leave(sim.entities[holder]) else NONE
    for i in range(instance.first_waiting, instance.first_waiting + instance.waiters):
        if legal_waiter(sim, decision, sim.waiting[i]):
            sim.contenders[found] = sim.waiting[i]
            found += 1
    if holder == NONE or decision.entity != NONE:
        sim.contenders[found] = -1 - decision.slot if holder == NONE else holder
        found += 1
    return found


@kernel
def pose(sim, decision):
    """Put into `decision` what an agent is shown when there is none to make: its contenders, none at a proper end."""
    decision.now, decision.number = sim.now, sim.decisions
    if sim.decisions > 0:  # what was settled without asking since is no question
        decision.kind, decision.cause = sim.asked_kind, sim.asked_cause
        decision.resource, decision.slot = sim.asked_resource, sim.asked_slot
    decision.may_wait = decision.count = 0
    if sim.decisions == 0:
        decision.resource = Resource.CPU if sim.plenty_frames else Resource.MEMORY
    if decision.kind == Kind.EVICT:
        decision.entity = decision.slot = NONE
    if sim.truncated:
        decision.count = _list_holders(sim, decision) if decision.kind == Kind.EVICT else _list_waiters(sim, decision)
