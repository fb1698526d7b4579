"""Decisions: who contends, what is taken without asking, what a choice does.

A contender is an entity, or a vacancy (-1 - slot). The same text decides on cores and on frames.
"""

from sos_gym.engine.account import charge
from sos_gym.engine.calendar import size_of, take
from sos_gym.engine.cores import dispatch, leave_core, remind_cores, wait_off_core
from sos_gym.engine.events import Event, Item, core_source, due
from sos_gym.engine.frames import (
    bind_page,
    fill_on_core,
    is_new,
    move_page,
    page_in_due,
    queue_for_frame,
)
from sos_gym.engine.futures import foresee, recall
from sos_gym.engine.holding import lowest_vacant, node_of, tell_arrival
from sos_gym.engine.legality import allowed, legal_holder, legal_waiter, may_leave
from sos_gym.engine.prices import is_paid, pay
from sos_gym.engine.records import STEPS, Verb, pick_at
from sos_gym.engine.uses import publish
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NONE, Kind, Resource, State, Status, Why

# -- who contends


@kernel
def _find_vacancy(sim, decision):
    """The lowest vacant slot on the first node that has one and is allowed, or NONE.

    No vacancy is nearer than another here: one at home was taken without asking.
    """
    for node in range(sim.nodes_count):
        slot = lowest_vacant(sim, decision.resource, node)
        if slot != NONE and allowed(sim, decision.entity, node):
            return slot
    return NONE


@kernel
def vacancies_for(sim, decision, found):
    """Of each node the lowest vacant slot that the one who wants may have: the first entries of `found`; how many."""
    count = 0
    if decision.cause != Why.HINT:
        for node in range(sim.nodes_count):
            slot = lowest_vacant(sim, decision.resource, node)
            if slot != NONE and allowed(sim, decision.entity, node):
                found[count] = -1 - slot
                count += 1
    return count


@inlined
def slots_in_question(sim, decision):
    """Where legal holders of an EVICT can be: the first slot, and how many."""
    if decision.local or decision.cause == Why.HINT:  # no holder elsewhere is legal
        place = node_of(sim, decision.resource, decision.node)
        return place.first_slot, place.size
    instance = sim.instances[decision.resource]
    return instance.first_slot, instance.size


@kernel
def _list_evict(sim, decision):
    e, found = decision.entity, vacancies_for(sim, decision, sim.contenders)
    first, size = slots_in_question(sim, decision)
    for slot in range(first, first + size):
        holder = sim.slots[slot].holder
        if holder != NONE and legal_holder(sim, decision, holder):
            sim.contenders[found] = holder
            found += 1
    if decision.may_wait:
        sim.contenders[found] = e
        found += 1
    return found


@kernel
def _anything_pending(sim):
    return sim.running + sim.timers + sim.in_flight > 0


@kernel
def _list_admit(sim, decision):
    instance, found = sim.instances[decision.resource], 0
    for i in range(instance.first_waiting, instance.first_waiting + instance.waiters):
        if legal_waiter(sim, decision, sim.waiting[i]):
            sim.contenders[found] = sim.waiting[i]
            found += 1
    if found == 0:
        return 0
    if decision.entity != NONE:
        sim.contenders[found] = decision.entity
        found += 1
    elif decision.resource == Resource.MEMORY or (sim.may_idle and _anything_pending(sim)):
        sim.contenders[found] = -1 - decision.slot
        found += 1
    return found


@inlined
def _legal_on(sim, decision, node):
    return node_of(sim, decision.resource, node).legal if allowed(sim, decision.entity, node) else 0


@kernel
def _count_on_all_nodes(sim, decision):
    found = 0
    for node in range(sim.nodes_count):
        if not decision.local or node == decision.node:
            found += _legal_on(sim, decision, node)
        if lowest_vacant(sim, Resource.MEMORY, node) != NONE and allowed(sim, decision.entity, node):
            found += 1
    return found


@inlined
def _gather(sim, decision):
    """Find out who contends, and list them where somebody needs a list."""
    listed = sim.listing or decision.resource == Resource.CPU or decision.cause == Why.HINT
    decision.listed, decision.vacancy = listed, NONE
    if sim.nodes_count > 1 and decision.cause != Why.HINT:
        decision.vacancy = _find_vacancy(sim, decision)
    if listed:
        decision.count = _list_evict(sim, decision)
    elif sim.nodes_count > 1:
        decision.count = _count_on_all_nodes(sim, decision)
    else:
        decision.count = _legal_on(sim, decision, 0)


@kernel
def _only_contender(sim, decision):
    if not decision.listed:
        _list_evict(sim, decision)
    return sim.contenders[0]


# -- what a choice does


@inlined
def slot_of(sim, contender):
    """The slot that a contender of an EVICT stands for."""
    return -1 - contender if contender < 0 else sim.entities[contender].slot


@kernel
def _resume_touch(sim, e, promoted):
    """The threads whose touch raised the HINT go on; whether it brought `e` into the fast tier."""
    for t in range(sim.threads_count):
        thread = sim.threads[t]
        if thread.page == e and thread.status == Status.RUNNING and not thread.stays:
            thread.page, thread.promoted = NONE, promoted and sim.entities[e].node == 0
            due(sim, t, sim.now, Event.COMPLETION)


@kernel
def _give(sim, resource, e, slot, why):
    """Entity `e` gets `slot`, whose holder (if any) goes without."""
    if resource == Resource.MEMORY:
        minor = is_new(sim.entities[e])
        bind_page(sim, e, slot)
        if minor:
            fill_on_core(sim, sim.entities[e].queue_head)
        page_in_due(sim, e)
        return
    holder = sim.slots[slot].holder
    if holder != NONE:
        leave_core(sim, holder, Why.PREEMPT)
    dispatch(sim, e, slot, why)


@kernel
def _apply_evict(sim, resource, e, cause, choice):
    if cause == Why.HINT:
        if choice != e:
            move_page(sim, e, sim.entities[choice].slot, cause)
        _resume_touch(sim, e, choice != e)
    elif choice == e:
        remind_cores(sim, e)
    else:
        _give(sim, resource, e, slot_of(sim, choice), cause)


@kernel
def _keep_turn(sim, t):
    """Holder `t` has another slice."""
    sim.entities[t].turn_over = 0
    publish(sim, t)


@kernel
def _apply_admit(sim, resource, slot, cause, choice):
    if choice < 0:
        if resource == Resource.CPU and sim.tick_ns > 0:
            due(sim, core_source(sim, slot), sim.now + sim.tick_ns, Event.TICK)
    elif choice == sim.slots[slot].holder:
        if resource == Resource.CPU:
            _keep_turn(sim, choice)
    elif resource == Resource.MEMORY:
        move_page(sim, choice, slot, cause)
    else:
        _give(sim, resource, choice, slot, sim.threads[choice].want_why)


@kernel
def apply(sim, choice):
    """Carry out the present decision; `choice` is one of its contenders. One that was raised is paid."""
    decision = sim.decision[0]
    if sim.undecided and is_paid(sim):
        pay(sim, decision, choice)
    sim.undecided = 0
    if decision.kind == Kind.EVICT:
        _apply_evict(sim, decision.resource, decision.entity, decision.cause, choice)
    else:
        _apply_admit(sim, decision.resource, decision.slot, decision.cause, choice)


# -- what is due on the agenda


@inlined
def _describe_evict(sim, resource, e, cause):
    decision, entity = sim.decision[0], sim.entities[e]
    decision.kind, decision.cause, decision.resource = Kind.EVICT, cause, resource
    decision.entity, decision.slot, decision.node = e, NONE, entity.home
    decision.may_wait = resource == Resource.CPU or cause == Why.HINT
    decision.local = 0
    if sim.reclaim_local and cause != Why.HINT:
        decision.local = 1
        decision.local = _any_legal_at_home(sim, decision)
    return decision


@kernel
def _any_legal_at_home(sim, decision):
    if decision.resource == Resource.MEMORY:
        return _legal_on(sim, decision, decision.node) > 0
    place = node_of(sim, Resource.CPU, decision.node)
    for slot in range(place.first_slot, place.first_slot + place.size):
        holder = sim.slots[slot].holder
        if holder != NONE and legal_holder(sim, decision, holder):
            return True
    return False


@inlined
def _vacancy_at_home(sim, resource, e):
    """A vacant slot at home: the last core, else the lowest one; or NONE. Operating systems do the same."""
    entity = sim.entities[e]
    if not allowed(sim, e, entity.home):
        return NONE
    last = entity.last_slot
    if (
        resource == Resource.CPU
        and last != NONE
        and sim.slots[last].holder == NONE
        and sim.slots[last].node == entity.home
    ):
        return last
    return lowest_vacant(sim, resource, entity.home)


@kernel
def _prepare_request(sim, resource, e, why):
    """Settle the `EVICT(e)` of who wants a slot where there is no choice; True when the decision must be raised."""
    if sim.entities[e].state != State.WAITING:
        return False
    slot = _vacancy_at_home(sim, resource, e)
    if slot != NONE:
        _give(sim, resource, e, slot, why)
        return False
    return _must_be_raised(sim, resource, e, why)


@kernel
def _prepare_promotion(sim, e):
    """Likewise the `EVICT(e)` of a page that was used from a node where it does not lie."""
    page = sim.entities[e]
    stands = page.state == State.HOLDING and page.node != page.home
    if stands:
        if page.home == 0:
            tell_arrival(sim, e, Why.HINT)
        slot = _vacancy_at_home(sim, Resource.MEMORY, e)
        if slot == NONE:
            return _must_be_raised(sim, Resource.MEMORY, e, Why.HINT)
        move_page(sim, e, slot, Why.HINT)
    _resume_touch(sim, e, stands)
    return False


@kernel
def _must_be_raised(sim, resource, e, cause):
    """Find the contenders of `EVICT(e)`; a lone one is taken, and without any a page queues."""
    decision = _describe_evict(sim, resource, e, cause)
    _gather(sim, decision)
    if decision.count > 1:
        return True
    if decision.count == 0:
        queue_for_frame(sim, e)
        _give_up_cores(sim, e)
    else:
        apply(sim, _only_contender(sim, decision))
    return False


@kernel
def _give_up_cores(sim, e):
    """Page `e` queues for a frame: whoever waits for it on a core waits elsewhere."""
    t = sim.entities[e].queue_head
    while t != NONE:
        if sim.threads[t].stays:
            wait_off_core(sim, t)
        t = sim.threads[t].next


@inlined
def _describe_admit(sim, resource, slot):
    decision, place = sim.decision[0], sim.slots[slot]
    decision.kind, decision.resource = Kind.ADMIT, resource
    decision.entity, decision.slot, decision.node = place.holder, slot, place.node
    decision.may_wait = decision.local = 0
    if resource == Resource.MEMORY:
        decision.cause = Why.SCAN
    else:
        decision.cause = Why.TICK if place.holder != NONE else Why.YIELD if place.excluded != NONE else Why.IDLE
    return decision


@inlined
def _gather_waiters(sim, decision):
    """List who contends for the slot. The thread that yielded it is one of them only if no other is."""
    place = sim.slots[decision.slot]
    decision.listed = 1
    decision.count = _list_admit(sim, decision)
    if decision.count == 0 and place.excluded != NONE:
        place.excluded = NONE
        decision.count = _list_admit(sim, decision)
    place.excluded = NONE


@inlined
def _lone_at_home(sim, decision):
    """Whether one thread alone waits for an idle core, and its home is here: then idling is no choice."""
    if decision.resource != Resource.CPU or decision.entity != NONE or decision.count != 2:
        return False
    return sim.contenders[1] < 0 and sim.entities[sim.contenders[0]].home == decision.node


@kernel
def _prepare_admit(sim, resource, slot):
    """Settle `ADMIT(slot)` where there is no choice; True when the decision must be raised."""
    decision, holder = _describe_admit(sim, resource, slot), sim.slots[slot].holder
    if resource == Resource.MEMORY and holder != NONE and not may_leave(sim.entities[holder]):
        return False
    _gather_waiters(sim, decision)
    if decision.count > 1 and not _lone_at_home(sim, decision):
        return True
    if decision.count > 0:
        apply(sim, sim.contenders[0])
    elif resource == Resource.CPU and holder != NONE:
        _keep_turn(sim, holder)
    return False


@kernel
def prepare(sim):
    """Take the first item off the agenda; True when its decision must be raised."""
    take(sim.agenda, sim.agenda_places, 1)
    item = sim.agenda[size_of(sim.agenda) + 1]
    resource, t = item.time >> 1, item.source
    if item.what == Item.OFFER:
        return _prepare_admit(sim, resource, item.order)
    if item.what == Item.PROMOTION:
        return _prepare_promotion(sim, sim.threads[t].page)
    if resource == Resource.MEMORY:
        return _prepare_request(sim, Resource.MEMORY, sim.threads[t].page, Why.FAULT)
    return _prepare_request(sim, Resource.CPU, t, sim.threads[t].want_why)


@kernel
def _charge_cores(sim):
    cores = sim.instances[Resource.CPU]
    for core in range(cores.first_slot, cores.first_slot + cores.size):
        if sim.slots[core].holder != NONE:
            charge(sim, sim.slots[core].holder)


@inlined
def charge_running(sim):
    """Charge every running thread up to now."""
    if not sim.plenty_cores:
        _charge_cores(sim)
        return
    for t in range(sim.threads_count):
        if sim.threads[t].status == Status.RUNNING:
            charge(sim, t)


@inlined
def raise_decision(sim):
    """Charge all holders up to now, then ask every hosted policy; of a pair both are asked, and one is heard."""
    decision = sim.decision[0]
    decision.now, decision.number = sim.now, sim.decisions
    sim.decisions += 1
    sim.instances[decision.resource].decisions += 1
    sim.undecided = 1
    sim.asked_kind, sim.asked_cause = decision.kind, decision.cause
    sim.asked_resource, sim.asked_slot = decision.resource, decision.slot
    charge_running(sim)
    if sim.prophets and decision.listed:
        foresee(sim, decision.count)
    if sim.forecast_rows.size > 0:
        recall(sim)
    for k in range(sim.hosted):
        at = 2 * k + decision.resource
        my, voice, address = sim.policies[at], sim.voices[at], sim.verbs[at * STEPS + Verb.PICK]
        my.now, my.number = decision.now, decision.number
        if sim.views > 0:
            my.seq = max(my.seq, sim.seq)
        choice = pick_at(address)(my, decision) if address else NONE
        if voice != NONE:
            sim.advice[voice] = choice


@inlined
def settle_fault(sim, e):
    """Settle the `EVICT(e)` of a fault at once; False when the page must queue.

    Nothing else is due at this instant, so that the agenda would hold this item alone.
    """
    slot = _vacancy_at_home(sim, Resource.MEMORY, e)
    if slot == NONE:
        decision = _describe_evict(sim, Resource.MEMORY, e, Why.FAULT)
        _gather(sim, decision)
        if decision.count == 0:
            queue_for_frame(sim, e)
            return False
        if decision.count == 1:
            slot = slot_of(sim, _only_contender(sim, decision))
        else:
            raise_decision(sim)
            sim.undecided = 0
            if is_paid(sim):
                pay(sim, decision, NONE)
            slot = slot_of(sim, sim.advice[sim.driver])
    bind_page(sim, e, slot)
    return True
