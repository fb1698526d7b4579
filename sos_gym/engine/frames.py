"""What holding a frame entails: page-ins, the swap device, uses, moves between nodes."""

from sos_gym.engine.account import charge
from sos_gym.engine.events import Event, Item, ask_for, due, offer_slot, put_off
from sos_gym.engine.holding import (
    fill,
    join_waiting,
    leave,
    leave_waiting,
    lies_slow,
    node_of,
    occupy,
    record_use,
    relocate,
    take_over,
    tell,
    tell_arrival,
    tell_demotion,
    tell_promotion,
    vacate,
    vacate_silently,
)
from sos_gym.engine.legality import allowed, may_leave, may_move
from sos_gym.engine.records import Verb
from sos_gym.engine.sight import touch
from sos_gym.engine.uses import note_gap, publish, remember, show_cooled
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import COLD_OFFSET, NONE, Resource, State, Why


@inlined
def note_user(sim, e, t):
    """Thread `t` touches page `e`, whose home follows, and so does its place in the waiting set."""
    page, node = sim.entities[e], sim.threads[t].node
    page.last_user = t
    if page.home != node:
        leave_waiting(sim, Resource.MEMORY, e)
        page.home = node
    if page.slot != NONE and page.node != node:
        join_waiting(sim, Resource.MEMORY, e)
    if sim.views == 0:
        remember(sim, e, t)


@inlined
def use_page(sim, e, t, writes):
    """Thread `t` reads or writes page `e`, which holds a frame. Of a touch that promoted it, its hold has told."""
    page = sim.entities[e]
    note_user(sim, e, t)
    if writes:
        page.dirty = 1
    promoted, sim.threads[t].promoted = sim.threads[t].promoted, 0
    if sim.views > 0:
        touch(sim, e, t, promoted == 1)
        return
    note_gap(page, sim.now)
    record_use(sim, Resource.MEMORY, e, promoted == 1)


@kernel
def cool_page(sim, e):
    """MADV_COLD: the coldest of all, after those that were cooled before."""
    page = sim.entities[e]
    sim.seq += sim.seq_step
    page.use_seq = sim.seq - COLD_OFFSET
    if sim.views > 0:
        show_cooled(sim, e)
    tell(sim, Resource.MEMORY, Verb.COOL, e, lies_slow(sim, Resource.MEMORY, page.node))


@inlined
def _device(sim, duration):
    """The lane that is free first takes the request; when it ends. Lanes stand in the order in which they are free."""
    lanes = sim.lanes
    end = max(sim.now + sim.decided_ns, lanes[0]) + duration
    at = 1
    while at < lanes.size and lanes[at] < end:
        lanes[at - 1] = lanes[at]
        at += 1
    lanes[at - 1] = end
    return end


@inlined
def _count_legal(sim, page, change):
    if not page.pinned:
        node_of(sim, Resource.MEMORY, page.node).legal += change


@kernel
def serve_frame_queue(sim, node):
    """A frame of `node` became vacant or legal: all pages that queue for it ask again.

    All, not the first alone: that one may take a frame elsewhere. Who asks in vain queues again.
    """
    kept = 0
    for i in range(sim.frame_queue_used):
        e = sim.frame_queue[i]
        if allowed(sim, e, node):
            ask_for(sim, Resource.MEMORY, sim.entities[e].queue_head, sim.entities[e].want_seq, Item.REQUEST)
        else:
            sim.frame_queue[kept] = e
            kept += 1
    sim.frame_queue_used = kept


@kernel
def queue_for_frame(sim, e):
    """No contender is legal: first come, first served."""
    at = sim.frame_queue_used
    while at > 0 and sim.entities[sim.frame_queue[at - 1]].want_seq > sim.entities[e].want_seq:
        sim.frame_queue[at] = sim.frame_queue[at - 1]
        at -= 1
    sim.frame_queue[at] = e
    sim.frame_queue_used += 1


@inlined
def _write_back(sim, page):
    """Asynchronous: nobody waits for it, but it takes its time of the device."""
    if page.dirty:
        _device(sim, sim.write_back_ns)
        sim.write_backs += 1
        page.dirty = 0
        publish(sim, page.id)


@inlined
def _unmap(sim, e):
    page = sim.entities[e]
    _count_legal(sim, page, -1)
    leave_waiting(sim, Resource.MEMORY, e)
    if sim.observed:
        sim.users[e] = 0


@kernel
def release_page(sim, e, why):
    """Paged out (contents kept, written back when dirty), or dropped; its frame is vacant."""
    page = sim.entities[e]
    node = page.node
    _unmap(sim, e)
    vacate(sim, Resource.MEMORY, e, why)
    if why == Why.PAGEOUT:
        _write_back(sim, page)
    else:
        page.touched = page.dirty = 0
        publish(sim, e)
    serve_frame_queue(sim, node)


@inlined
def is_new(page):
    """Whether a fault on it is minor: it has no contents that would have to come from the device."""
    return not (page.touched or page.file)


@inlined
def bind_page(sim, e, slot):
    """Page `e` gets `slot`, and who holds it is evicted.

    `e` is in flight until its page-in, which the caller makes due: at `sim.ready_ns`, or of a minor fault at once, and
    what is between now and then is what the thread has to do.
    """
    page, victim = sim.entities[e], sim.slots[slot].holder
    if page.uses_total > 0:
        note_gap(page, sim.now)
    if victim == NONE:
        occupy(sim, Resource.MEMORY, e, slot, Why.FAULT)
    else:
        _unmap(sim, victim)
        leave(sim, Resource.MEMORY, victim, Why.EVICTED)
        _write_back(sim, sim.entities[victim])
        sim.evictions += 1
        take_over(sim, Resource.MEMORY, e, slot, Why.FAULT)
    page.state = State.IN_FLIGHT
    sim.in_flight += 1
    if page.node != page.home:
        join_waiting(sim, Resource.MEMORY, e)
    if is_new(page):
        ready = sim.now + sim.decided_ns + sim.first_touch_ns
    else:
        ready = _device(sim, sim.swap_in_ns) + sim.minor_fault_ns
    page.touched = 1
    publish(sim, e)
    sim.decided_ns = 0
    sim.ready_ns = ready + sim.shootdown_ns if victim != NONE else ready


@inlined
def fill_on_core(sim, t):
    """Thread `t`, whose minor fault is settled, fills the page itself, when it runs; the page is in at once."""
    sim.threads[t].minor_left += sim.ready_ns - sim.now
    sim.ready_ns = sim.now


@kernel
def page_in_due(sim, e):
    """Put the page-in of `e` on the calendar."""
    due(sim, sim.entities[e].queue_head, sim.ready_ns, Event.PAGE_IN)


@inlined
def land_page(sim, e):
    """The page is in: legal from now on."""
    page = sim.entities[e]
    page.state = State.HOLDING
    publish(sim, e)
    sim.in_flight -= 1
    _count_legal(sim, page, 1)


# -- moves


@kernel
def _settle_place(sim, e):
    """After a move: does it still lie elsewhere than it is used?"""
    page = sim.entities[e]
    if page.node == page.home:
        leave_waiting(sim, Resource.MEMORY, e)
    else:
        join_waiting(sim, Resource.MEMORY, e)


@kernel
def _tell_tiers(sim, e, other, why):
    """Page `e` came into the fast tier or left it, and `other` (if any) went the other way."""
    comer, leaver = (e, other) if sim.entities[e].node == 0 else (other, e)
    if leaver != NONE:
        tell_demotion(sim, leaver)
    if comer != NONE:
        if comer != e or why != Why.HINT:  # whose want was told when it asked
            tell_arrival(sim, comer, why)
        tell_promotion(sim, comer, why)


@kernel
def move_page(sim, e, slot, why):
    """Page `e` changes places with the holder of `slot`, or moves into its vacancy."""
    page = sim.entities[e]
    old, other = page.slot, sim.slots[slot].holder
    changes_tier = sim.tiers and (page.node == 0) != (sim.slots[slot].node == 0)
    moved = 1
    if other == NONE:
        vacate_silently(sim, old)
        fill(sim, Resource.MEMORY, slot)
        _count_legal(sim, page, -1)
        relocate(sim, e, slot)
        _count_legal(sim, page, 1)
        serve_frame_queue(sim, sim.slots[old].node)
    else:
        moved = 2
        relocate(sim, e, slot)
        relocate(sim, other, old)
        _settle_place(sim, other)
    _settle_place(sim, e)
    if changes_tier:
        _tell_tiers(sim, e, other, why)
    charge_move(sim, page.last_user, moved * sim.page_move_ns + sim.shootdown_ns)


@kernel
def charge_move(sim, t, cost):
    """Thread `t` pays `cost` ns as a move; False: it has exited."""
    thread = sim.threads[t]
    if thread.exit_ns != NONE:
        return False
    charge(sim, t)
    thread.move_left += cost
    put_off(sim, t)
    return True


@kernel
def scan(sim):
    """Each node with misplaced pages offers its lowest vacant frame, or the next one of its hand."""
    for node in range(sim.nodes_count):
        place = node_of(sim, Resource.MEMORY, node)
        if not _any_misplaced(sim, node):
            continue
        slot = place.first_slot if place.vacant == 0 else sim.vacant_slots[place.first_slot]
        if place.vacant == 0:
            slot = NONE
            for step in range(1, place.size + 1):
                at = place.first_slot + (place.hand - place.first_slot + step) % place.size
                page = sim.entities[sim.slots[at].holder]
                if may_leave(page):
                    place.hand = slot = at
                    break
        if slot != NONE:
            offer_slot(sim, Resource.MEMORY, slot)


@kernel
def _any_misplaced(sim, node):
    if node_of(sim, Resource.MEMORY, node).misplaced == 0 or node_of(sim, Resource.MEMORY, node).size == 0:
        return False
    instance = sim.instances[Resource.MEMORY]
    for i in range(instance.first_waiting, instance.first_waiting + instance.waiters):
        e = sim.waiting[i]
        if sim.entities[e].home == node and may_move(sim, e, node):
            return True
    return False
