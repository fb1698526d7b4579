"""A thread carries out its tape, op by op, until time must pass or it leaves its core."""

from sos_gym.engine.account import (
    become,
    begin_burst,
    charge,
    end_burst,
    left,
    stall_in_place,
    work_of,
)
from sos_gym.engine.cores import leave_core, wait_off_core, want_core
from sos_gym.engine.decisions import settle_fault
from sos_gym.engine.events import (
    Event,
    Item,
    ask_for,
    comes_first,
    due,
    next_arrival,
    next_due,
    nothing_until,
)
from sos_gym.engine.frames import (
    cool_page,
    fill_on_core,
    is_new,
    land_page,
    note_user,
    page_in_due,
    release_page,
    serve_frame_queue,
    use_page,
)
from sos_gym.engine.futures import expect_look_ahead, look_ahead
from sos_gym.engine.holding import tell_at, want
from sos_gym.engine.legality import may_leave
from sos_gym.engine.locks import acquire, hand_over
from sos_gym.engine.queues import join_queue, leave_queue
from sos_gym.engine.records import Verb
from sos_gym.engine.sight import sample
from sos_gym.engine.uses import mark_used, note_gap, publish, show_user
from sos_gym.kernel import inlined, kernel, prefetch
from sos_gym.resource import NONE, Op, Resource, State, Status, Why

AHEAD = 12  # ops; pages are brought to the processor's cache so long before their use


# -- sleeping and waking


@kernel
def _block(sim, t, status):
    end_burst(sim, t)
    if not sim.plenty_cores:
        leave_core(sim, t, Why.BLOCK)
    become(sim, t, status)


@kernel
def _sleep(sim, t, until):
    _block(sim, t, Status.SLEEPING)
    sim.timers += 1
    due(sim, t, until, Event.WAKE)


@kernel
def _is_born_waiting(sim, t):
    """Whether its first op waits in vain: then whoever signals forks it, and until then it wants no core."""
    thread = sim.threads[t]
    if thread.first == thread.last:
        return False
    op = sim.ops[thread.first]
    if op.op != Op.WAIT or sim.channels[op.arg].count > 0:
        return False
    thread.pc += 1
    become(sim, t, Status.BLOCKED)
    join_queue(sim, sim.channels[op.arg], t)
    return True


@kernel
def wake(sim, t):
    """Arrival, end of a sleep, or a signal: a burst begins."""
    sim.timers -= 1
    if sim.threads[t].status == Status.NEW:
        next_arrival(sim)
        sim.threads[t].since = sim.now
        if _is_born_waiting(sim, t):
            return
    begin_burst(sim, t, sim.now)
    if sim.plenty_cores:
        become(sim, t, Status.RUNNING)
        due(sim, t, sim.now + left(sim.threads[t]), Event.COMPLETION)
        return
    become(sim, t, Status.CPU_WAIT)
    want_core(sim, t, Why.WAKE if sim.entities[t].touched else Why.NEW)


@kernel
def _signal(sim, c):
    t = leave_queue(sim, sim.channels[c])
    if t == NONE:
        sim.channels[c].count += 1
    else:
        sim.timers += 1
        due(sim, t, sim.now, Event.WAKE)


# -- pages


@kernel
def _wait_for(sim, t, e):
    """Thread `t` stalls until page `e` is in."""
    sim.threads[t].page = e
    join_queue(sim, sim.entities[e], t)
    wait_off_core(sim, t)


@kernel
def _stay_for(sim, t, e):
    """Thread `t` stays on its core until the minor fault on page `e` is settled, at this instant."""
    charge(sim, t)
    sim.threads[t].page, sim.threads[t].stays = e, 1
    join_queue(sim, sim.entities[e], t)


@kernel
def _fault(sim, t, e, writes):
    """Page `e` is wanted; True when thread `t` could go on in place, its page being in."""
    page = sim.entities[e]
    minor = is_new(page)
    sim.faults += 1
    sim.major_faults += not minor
    charge(sim, t)
    alone = (minor or sim.plenty_cores) and sim.driver != NONE and nothing_until(sim, sim.now)
    if minor and not alone:
        _stay_for(sim, t, e)
    elif not alone:
        _wait_for(sim, t, e)
    note_user(sim, e, t)
    page.dirty = writes
    if sim.views > 0:
        show_user(sim, e)
        if sim.sample_faults > 0 and sim.faults % sim.sample_faults == 0:
            sample(sim)
    want(sim, Resource.MEMORY, e, Why.FAULT)
    if alone:
        return _fault_in_place(sim, t, e, minor)
    ask_for(sim, Resource.MEMORY, t, page.want_seq, Item.REQUEST)
    return False


@inlined
def _fault_in_place(sim, t, e, minor):
    """Settle the fault without agenda and calendar, as far as nothing else happens before its page-in."""
    settled = settle_fault(sim, e)
    if settled and minor:
        fill_on_core(sim, t)
        _use_from_afar(sim, t, e)
    elif settled and nothing_until(sim, sim.ready_ns):
        stall_in_place(sim, t, sim.ready_ns - sim.now)
    else:
        _wait_for(sim, t, e)
        if settled:
            page_in_due(sim, e)
        return False
    land_page(sim, e)
    _execute_touch(sim, t)
    return True


@inlined
def _execute_touch(sim, t):
    """The op that waited for a page is executed; its work is paid when the thread next runs."""
    thread = sim.threads[t]
    thread.started = 1
    thread.service_left = work_of(sim, t, sim.ops[thread.pc])


@inlined
def _use_from_afar(sim, t, e):
    """Thread `t`, charged up to now, pays the excess of its op if page `e` lies on another node than it runs on."""
    thread = sim.threads[t]
    if sim.entities[e].node != thread.node:
        thread.remote_left = sim.ops[thread.pc].lines * sim.remote_excess_ns


@kernel
def _leave_fault(sim, t, e):
    thread = sim.threads[t]
    thread.page = NONE
    _execute_touch(sim, t)
    if thread.stays:
        thread.stays = 0
        _use_from_afar(sim, t, e)
    elif sim.plenty_cores:
        become(sim, t, Status.RUNNING)
    else:
        become(sim, t, Status.CPU_WAIT)
        want_core(sim, t, Why.FAULT_DONE)
        return
    due(sim, t, sim.now + left(thread), Event.COMPLETION)


@inlined
def _hint_is_due(sim, t, e):
    """Tier: a page used from a node where it does not lie asks for a frame there, once per hint_ns."""
    page, node = sim.entities[e], sim.threads[t].node
    return (
        sim.hint_ns > 0
        and page.node != node
        and not page.pinned
        and (page.affinity >> node & 1) == 1
        and (page.hint_ns == NONE or sim.now - page.hint_ns >= sim.hint_ns)
    )


@inlined
def _touch(sim, t, op):
    """Carry out a READ or WRITE; False when the thread cannot go on now."""
    if sim.plenty_frames:
        sim.references += 1
        _begin_touch(sim, t, op)
        return True
    e = sim.threads_count + op.arg
    if sim.entities[e].state == State.HOLDING:
        return _touch_resident(sim, t, e, op)
    return _touch_absent(sim, t, e, op)


@inlined
def _begin_touch(sim, t, op):
    sim.threads[t].service_left += work_of(sim, t, op)
    sim.threads[t].started = 1


@inlined
def _touch_resident(sim, t, e, op):
    """False when the page asks for a frame where the thread runs, for which the thread waits on its core."""
    thread, page = sim.threads[t], sim.entities[e]
    if page.node != thread.node and _hint_is_due(sim, t, e):
        page.hint_ns = sim.now
        charge(sim, t)
        thread.minor_left += sim.hint_fault_ns
        note_user(sim, e, t)
        if sim.views > 0:
            show_user(sim, e)
            publish(sim, e)
        thread.page = e
        sim.seq += sim.seq_step
        ask_for(sim, Resource.MEMORY, t, sim.seq, Item.PROMOTION)
        return False
    sim.references += 1
    if sim.prophets:
        look_ahead(sim, t, op.arg, True)
    use_page(sim, e, t, op.op == Op.WRITE)
    if page.node != thread.node:
        charge(sim, t)  # service before it and the remote excess must not mix
        _use_from_afar(sim, t, e)
    _begin_touch(sim, t, op)
    return True


@inlined
def _touch_absent(sim, t, e, op):
    """True when the page could be brought in in place."""
    page, writes = sim.entities[e], op.op == Op.WRITE
    sim.references += 1
    sim.threads[t].promoted = 0
    if sim.prophets:
        look_ahead(sim, t, op.arg, False)
    if page.state == State.ABSENT:
        return _fault(sim, t, e, writes)
    if page.state == State.IN_FLIGHT:
        use_page(sim, e, t, writes)
    else:
        note_user(sim, e, t)
        page.dirty |= writes
        if sim.views > 0:
            show_user(sim, e)
            publish(sim, e)
        if sim.threads[page.queue_head].stays:
            _stay_for(sim, t, e)
            return False
    _wait_for(sim, t, e)
    return False


@kernel
def _advise(sim, op):
    """COLD, PAGEOUT or DONTNEED, which mean nothing where frames are plenty."""
    if sim.plenty_frames:
        return
    e = sim.threads_count + op.arg
    page = sim.entities[e]
    if op.op == Op.COLD:
        if page.slot != NONE:
            cool_page(sim, e)
    elif may_leave(page):
        release_page(sim, e, Why.PAGEOUT if op.op == Op.PAGEOUT else Why.DONTNEED)
    elif page.state == State.ABSENT and op.op == Op.DONTNEED:
        page.touched = 0
        publish(sim, e)


@kernel
def page_in(sim, e):
    """The page of a fault is there: the ops that wait for it are executed."""
    land_page(sim, e)
    queue = sim.entities[e]
    t = leave_queue(sim, queue)
    while t != NONE:
        _leave_fault(sim, t, e)
        t = leave_queue(sim, queue)
    serve_frame_queue(sim, sim.entities[e].node)


# -- the end of a thread


@kernel
def _release_private(sim, owner):
    """The last thread of `owner` has exited: its private pages are dropped, in slot order."""
    instance = sim.instances[Resource.MEMORY]
    for slot in range(instance.first_slot, instance.first_slot + instance.size):
        e = sim.slots[slot].holder
        if e != NONE and sim.entities[e].private and sim.entities[e].owner == owner:
            release_page(sim, e, Why.EXIT)


@kernel
def _exit(sim, t):
    end_burst(sim, t)
    if not sim.plenty_cores:
        leave_core(sim, t, Why.EXIT)
    become(sim, t, Status.EXITED)
    sim.threads[t].exit_ns = sim.now
    sim.entities[t].state = State.GONE
    publish(sim, t)
    sim.live -= 1
    owner = sim.owners[sim.entities[t].owner]
    owner.live -= 1
    if owner.live == 0 and not sim.plenty_frames:
        _release_private(sim, sim.entities[t].owner)


# -- op by op


@kernel
def _act(sim, t, op):
    """Carry out an op that takes no time on the core; False when the thread cannot go on. `pc` is behind the op."""
    if op.op == Op.SLEEP:
        if op.arg > 0:
            _sleep(sim, t, sim.now + op.arg)
            return False
    elif op.op == Op.SLEEP_UNTIL:
        if op.arg > sim.now:
            _sleep(sim, t, op.arg)
            return False
        end_burst(sim, t)
        begin_burst(sim, t, op.arg)
    elif op.op == Op.WAIT:
        channel = sim.channels[op.arg]
        if channel.count == 0:
            _block(sim, t, Status.BLOCKED)
            join_queue(sim, channel, t)
            return False
        channel.count -= 1
    elif op.op == Op.SIGNAL:
        _signal(sim, op.arg)
    elif op.op == Op.LOCK:
        return acquire(sim, t, op.arg)
    elif op.op == Op.UNLOCK:
        hand_over(sim, t, op.arg)
    elif op.op == Op.YIELD:
        if not sim.plenty_cores:
            leave_core(sim, t, Why.YIELD)
            return False
    elif op.op == Op.COLD or op.op == Op.PAGEOUT or op.op == Op.DONTNEED:
        _advise(sim, op)
    else:  # it must not pass for another
        sim.unknown_op, sim.stuck = sim.threads[t].pc - 1, 1
        return False
    return True


@inlined
def _touch_residents(sim, t):
    """Carry out touches of local, resident pages, up to another op or page, or until something else happens.

    Nothing changes but these pages, so that clock, sequence and position need not leave the processor's registers.
    """
    thread, ops, pages = sim.threads[t], sim.ops, sim.entities
    if thread.since + left(thread) > sim.now:  # a move is yet to be paid
        return
    if sim.tiers and thread.node > 0:  # uses of a slow tier are not for everybody
        return
    node, last, until = thread.node, thread.last, next_due(sim)
    now, seq, pc = sim.now, sim.seq, thread.pc
    while pc < last:
        op = ops[pc]
        if op.op != Op.READ and op.op != Op.WRITE:
            break
        e = sim.threads_count + op.arg
        page, done = pages[e], now + work_of(sim, t, op)
        if page.state != State.HOLDING or page.node != node or page.home != node or done >= until:
            break
        if pc + AHEAD < ops.size:
            _expect(sim, pages, pc + AHEAD)
        seq += 1
        note_gap(page, now)
        mark_used(page, seq, now)
        page.last_user = t
        page.dirty |= op.op == Op.WRITE
        if sim.prophets:
            look_ahead(sim, t, op.arg, True)
        tell_at(sim, now, Resource.MEMORY, Verb.USE, e)
        now, pc = done, pc + 1
    sim.references += pc - thread.pc
    thread.service_left += now - sim.now
    sim.now, sim.seq, thread.pc = now, seq, pc


@inlined
def _expect(sim, pages, at):
    """Bring the page of op `at` to the processor's cache, and what hosted policies and clairvoyants keep of it."""
    op = sim.ops[at]
    e = sim.threads_count + op.arg
    prefetch(pages, e)
    if sim.prophets and (op.op == Op.READ or op.op == Op.WRITE):
        expect_look_ahead(sim, at)
    for k in range(sim.linked):
        prefetch(sim.policies[2 * k + Resource.MEMORY].links, e)


@kernel
def step(sim, t):
    """Run thread `t` from its next op on, in place as long as nothing else is due before its completion, and a while.

    In place nothing is charged: what is left piles up since the last charge and is charged in one go.
    """
    thread, ops, pages = sim.threads[t], sim.ops, sim.entities
    quick = not sim.plenty_frames and not sim.observed and sim.views == 0
    while thread.pc < thread.last:
        if quick and not thread.promoted:
            _touch_residents(sim, t)
            if thread.pc == thread.last:
                break
        op = ops[thread.pc]
        if thread.pc + AHEAD < ops.size:
            _expect(sim, pages, thread.pc + AHEAD)
        if op.op == Op.READ or op.op == Op.WRITE:
            if not _touch(sim, t, op):
                return
        elif op.op == Op.COMPUTE:
            thread.service_left += op.arg
            thread.started = 1
        else:
            charge(sim, t)
            if op.op == Op.EXIT:
                break
            thread.pc += 1
            if not _act(sim, t, op):
                return
            continue
        done = thread.since + left(thread)
        if done > sim.now:
            sim.patience -= 1
            if sim.patience <= 0 or not comes_first(sim, done):
                due(sim, t, done, Event.COMPLETION)
                return
            sim.now = done
        thread.started = 0
        thread.pc += 1
    charge(sim, t)
    _exit(sim, t)


@kernel
def complete(sim, t):
    """What thread `t` had left is consumed: it goes on with the next op."""
    charge(sim, t)
    thread = sim.threads[t]
    if thread.started:
        thread.started = 0
        thread.pc += 1
    step(sim, t)
