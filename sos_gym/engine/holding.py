"""To want a slot, to hold it, to release it: the records change, then every policy is told.

One text for threads on cores and pages in frames; what differs is in `frames.py` and `cores.py`.
"""

from sos_gym.engine.records import STEPS, Verb, verb_at
from sos_gym.engine.uses import mark_used, publish, show_hold
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NONE, Resource, State, Why

TAU_GAIN = 1 / 64  # of the running means


@inlined
def tell_at(sim, now, resource, verb, e):
    """Call one verb of every hosted policy."""
    for k in range(sim.hosted):
        address = sim.verbs[(2 * k + resource) * STEPS + verb]
        if address:
            my = sim.policies[2 * k + resource]
            my.now = now
            verb_at(address)(my, e)


@inlined
def tell(sim, resource, verb, e, slow=False):
    """Likewise, at the present time. What happens in a `slow` tier is not for those who see the fast one alone."""
    publish(sim, e)
    if not slow:
        tell_at(sim, sim.now, resource, verb, e)
    else:
        _tell_some(sim, verb, e, NONE, False)


@kernel
def tell_host(sim, k, resource, verb, e):
    """Call one verb of the hosted policy `k`."""
    address = sim.verbs[(2 * k + resource) * STEPS + verb]
    if address:
        my = sim.policies[2 * k + resource]
        my.now = sim.now
        my.seq = max(my.seq, sim.seq)
        verb_at(address)(my, e)


@inlined
def tell_why(sim, resource, verb, e, why, slow=False):
    """Likewise, with the reason for it."""
    publish(sim, e)
    if slow:
        _tell_some(sim, verb, e, why, False)
        return
    for k in range(sim.hosted):
        address = sim.verbs[(2 * k + resource) * STEPS + verb]
        if address:
            my = sim.policies[2 * k + resource]
            my.now, my.why = sim.now, why
            verb_at(address)(my, e)


@kernel
def _tell_some(sim, verb, e, why, fast_only):
    """Call one verb of the pagers that see the fast tier alone, or of the others."""
    for k in range(sim.hosted):
        my, address = sim.policies[2 * k], sim.verbs[2 * k * STEPS + verb]
        if address and my.fast_only == fast_only:
            my.now, my.why = sim.now, why
            verb_at(address)(my, e)


@inlined
def lies_slow(sim, resource, node):
    """Whether a slot of `node` is one of a slow tier."""
    return sim.tiers != 0 and resource == Resource.MEMORY and node > 0


# -- the fast tier, as those see it who are told of nothing else: a cache of the slow ones


@kernel
def tell_arrival(sim, e, why):
    """Page `e` wants a frame of the fast tier."""
    _tell_some(sim, Verb.WANT, e, why, True)


@kernel
def tell_promotion(sim, e, why):
    """Page `e` came into the fast tier."""
    _tell_some(sim, Verb.HOLD, e, why, True)


@kernel
def tell_demotion(sim, e):
    """Page `e` left the fast tier."""
    _tell_some(sim, Verb.RELEASE, e, Why.EVICTED, True)


@inlined
def owner_of(sim, resource, e):
    """What its owner has of `resource`, an OWNER record."""
    return sim.owners[resource * (sim.owners.size // 2) + sim.entities[e].owner]


@inlined
def node_of(sim, resource, node):
    """The slots of `resource` on `node`, a NODE record."""
    return sim.nodes[resource * sim.nodes_count + node]


@inlined
def _settle_owner(sim, owner, holding):
    """Its service is an integral of slots held; settle it up to now before the number changes."""
    owner.service += owner.holding * (sim.now - owner.since)
    owner.since = sim.now
    owner.holding += holding


# -- the waiting set: threads that want a core; pages used from a node where they do not lie


@kernel
def join_waiting(sim, resource, e):
    """Entity `e` is in the waiting set from now on."""
    entity = sim.entities[e]
    if entity.queued:
        return
    instance = sim.instances[resource]
    entity.queued = 1
    entity.waiting_at = instance.first_waiting + instance.waiters
    sim.waiting[entity.waiting_at] = e
    instance.waiters += 1
    if resource == Resource.MEMORY:
        node_of(sim, Resource.MEMORY, entity.home).misplaced += 1


@kernel
def leave_waiting(sim, resource, e):
    """Entity `e` is in the waiting set no more."""
    entity = sim.entities[e]
    if not entity.queued:
        return
    instance = sim.instances[resource]
    instance.waiters -= 1
    last = sim.waiting[instance.first_waiting + instance.waiters]
    sim.waiting[entity.waiting_at] = last
    sim.entities[last].waiting_at = entity.waiting_at
    entity.queued = 0
    if resource == Resource.MEMORY:
        node_of(sim, Resource.MEMORY, entity.home).misplaced -= 1


# -- vacant slots of a node: a binary heap of slot numbers, the lowest first


@inlined
def lowest_vacant(sim, resource, node):
    """The vacant slot of `node` with the lowest number, or NONE."""
    place = node_of(sim, resource, node)
    return sim.vacant_slots[place.first_slot] if place.vacant > 0 else NONE


@kernel
def _sink_vacant(vacant, base, size, at):
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and vacant[base + child + 1] < vacant[base + child]:
            child += 1
        if vacant[base + child] >= vacant[base + at]:
            return
        vacant[base + at], vacant[base + child] = vacant[base + child], vacant[base + at]
        at = child


@kernel
def _rise_vacant(vacant, base, at):
    while at > 0 and vacant[base + at] < vacant[base + (at - 1) // 2]:
        above = (at - 1) // 2
        vacant[base + at], vacant[base + above] = vacant[base + above], vacant[base + at]
        at = above


@kernel
def _take_vacant(sim, place, slot):
    at = 0
    while sim.vacant_slots[place.first_slot + at] != slot:  # at once for the lowest, which it nearly always is
        at += 1
    place.vacant -= 1
    if at == place.vacant:
        return
    sim.vacant_slots[place.first_slot + at] = sim.vacant_slots[place.first_slot + place.vacant]
    _rise_vacant(sim.vacant_slots, place.first_slot, at)
    _sink_vacant(sim.vacant_slots, place.first_slot, place.vacant, at)


@kernel
def _give_vacant(sim, place, slot):
    sim.vacant_slots[place.first_slot + place.vacant] = slot
    _rise_vacant(sim.vacant_slots, place.first_slot, place.vacant)
    place.vacant += 1


# -- the verbs


@kernel
def wait_silently(sim, resource, e):
    """It lost its slot and waits on, at the back; no decision is raised for it."""
    entity = sim.entities[e]
    sim.seq += sim.seq_step
    entity.want_seq = sim.seq
    entity.want_ns = sim.now
    entity.state = State.WAITING
    join_waiting(sim, resource, e)
    publish(sim, e)


@inlined
def want(sim, resource, e, why):
    """Entity `e` begins to want a slot; the caller asks for it."""
    entity, instance = sim.entities[e], sim.instances[resource]
    sim.seq += sim.seq_step
    entity.want_seq = entity.spell_seq = sim.seq
    entity.want_ns = sim.now
    entity.state = State.WAITING
    if entity.touched:
        entity.returned = sim.now - entity.release_ns <= instance.tau_ns
        instance.return_rate += TAU_GAIN * (entity.returned - instance.return_rate)
    owner = owner_of(sim, resource, e)
    owner.active += 1
    if owner.active == 1:
        instance.active_weight += owner.weight
    if resource == Resource.CPU:
        sim.threads[e].want_why = why
        join_waiting(sim, resource, e)
    tell_why(sim, resource, Verb.WANT, e, why)


@inlined
def take_over(sim, resource, e, slot, why):
    """Entity `e` gets `slot`, which was just left, or was taken from the vacant ones."""
    entity, place, instance = sim.entities[e], sim.slots[slot], sim.instances[resource]
    place.holder = e
    place.since = sim.now
    sim.seq += sim.seq_step
    entity.hold_seq = entity.use_seq = sim.seq
    entity.hold_ns = entity.last_use = sim.now
    entity.moved = 0
    entity.uses = 1
    entity.uses_total += 1
    entity.slot, entity.node = slot, place.node
    entity.state = State.HOLDING
    instance.holding += 1
    instance.holds += 1
    _settle_owner(sim, owner_of(sim, resource, e), 1)
    if sim.views > 0 and resource == Resource.MEMORY:
        show_hold(sim, e)
    tell_why(sim, resource, Verb.HOLD, e, why, lies_slow(sim, resource, place.node))


@inlined
def stay_began(entity):
    """Since when it has been in its node."""
    return entity.move_ns if entity.moved else entity.hold_ns


@inlined
def count_stay(sim, instance, entity):
    """Its stay in the node ends: tau follows. A stay in a slow tier says nothing of how long a fast frame is held."""
    instance.tau_ns += TAU_GAIN * (sim.now - stay_began(entity) - instance.tau_ns)


@inlined
def leave(sim, resource, e, why):
    """Entity `e` loses or leaves its slot; the caller gives it to somebody else, or to the vacant ones."""
    entity, instance = sim.entities[e], sim.instances[resource]
    slot, slow = entity.slot, lies_slow(sim, resource, entity.node)
    place = sim.slots[slot]
    place.busy += sim.now - place.since
    place.since = sim.now
    place.holder = NONE
    place.last = e
    instance.holding -= 1
    if not slow:
        count_stay(sim, instance, entity)
    owner = owner_of(sim, resource, e)
    _settle_owner(sim, owner, -1)
    if resource == Resource.CPU:
        entity.last_slot = slot
    entity.slot = entity.node = NONE
    entity.release_ns = sim.now
    entity.state = State.ABSENT
    if why != Why.PREEMPT and why != Why.YIELD:
        owner.active -= 1
        if owner.active == 0:
            instance.active_weight -= owner.weight
    tell_why(sim, resource, Verb.RELEASE, e, why, slow)


@kernel
def occupy(sim, resource, e, slot, why):
    """Entity `e` gets the vacant `slot`."""
    fill(sim, resource, slot)
    take_over(sim, resource, e, slot, why)


@kernel
def vacate(sim, resource, e, why):
    """Entity `e` loses or leaves its slot, which is vacant then."""
    slot = sim.entities[e].slot
    _give_vacant(sim, node_of(sim, resource, sim.slots[slot].node), slot)
    leave(sim, resource, e, why)


@kernel
def vacate_silently(sim, slot):
    """A move left the frame `slot` vacant."""
    place = sim.slots[slot]
    place.busy += sim.now - place.since
    place.since = sim.now
    place.last, place.holder = place.holder, NONE
    _give_vacant(sim, node_of(sim, Resource.MEMORY, place.node), slot)


@kernel
def fill(sim, resource, slot):
    """The vacant `slot` is vacant no more; the caller gives it a holder."""
    place = sim.slots[slot]
    place.idle += sim.now - place.since
    place.since = sim.now
    _take_vacant(sim, node_of(sim, resource, place.node), slot)


@inlined
def record_use(sim, resource, e, slow=False):
    """Entity `e` uses its slot, which may be one of a slow tier, or count as one."""
    sim.seq += sim.seq_step
    mark_used(sim.entities[e], sim.seq, sim.now)
    tell(sim, resource, Verb.USE, e, slow or lies_slow(sim, resource, sim.entities[e].node))


@kernel
def relocate(sim, e, slot):
    """Page `e` moves to `slot`, vacant or exchanged; only its stay in the node begins anew."""
    entity = sim.entities[e]
    if not lies_slow(sim, Resource.MEMORY, entity.node):
        count_stay(sim, sim.instances[Resource.MEMORY], entity)
    entity.slot, entity.node = slot, sim.slots[slot].node
    entity.moved, entity.move_ns = 1, sim.now
    sim.slots[slot].holder = e
    sim.moves += 1
    tell(sim, Resource.MEMORY, Verb.MOVE, e, sim.tiers != 0)
