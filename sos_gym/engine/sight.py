"""How uses of pages are seen where not every one is: by unmapping pages (sampled), or by accessed bits (scanned)."""

from sos_gym.engine.account import charge
from sos_gym.engine.events import put_off
from sos_gym.engine.holding import lies_slow, tell, tell_host
from sos_gym.engine.records import Verb
from sos_gym.engine.uses import mark_used, note_gap, publish, remember, see
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NONE, Resource, State

ALL_VIEWS = -1  # bits


@kernel
def touch(sim, e, t, promoted):
    """Thread `t` uses page `e`, which holds a frame, and perhaps was promoted by this; who sees it depends."""
    page = sim.entities[e]
    sim.seq += sim.seq_step
    note_gap(page, sim.now)
    mark_used(page, sim.seq, sim.now)
    publish(sim, e)
    if sim.accesses.size > 0:
        access = sim.accesses[e]
        access.unread, access.user, access.home = ALL_VIEWS, t, page.home
    elif page.unmapped:
        _map_again(sim, e, t, promoted)


@kernel
def _map_again(sim, e, t, promoted):
    """Sampled: the first touch after the page was unmapped faults, in place, and is seen by all."""
    page, seen = sim.entities[e], sim.seen[e]
    page.unmapped = seen.unmapped = 0
    see(seen, t, page.home, sim.seq, sim.now)
    remember(sim, e, t)
    charge(sim, t)  # service before it must not mix with it
    sim.threads[t].minor_left += sim.look_ns
    sim.looks += 1
    tell(sim, Resource.MEMORY, Verb.USE, e, promoted or lies_slow(sim, Resource.MEMORY, page.node))


@kernel
def sample(sim):
    """Sampled: every resident page is unmapped, so that its next touch is seen."""
    instance = sim.instances[Resource.MEMORY]
    for slot in range(instance.first_slot, instance.first_slot + instance.size):
        e = sim.slots[slot].holder
        if e != NONE and sim.entities[e].state == State.HOLDING:
            sim.entities[e].unmapped = sim.seen[e].unmapped = 1


@kernel
def harvest(sim):
    """Scanned: the accessed bits of all resident pages are read and cleared, in the order of slots."""
    instance = sim.instances[Resource.MEMORY]
    for slot in range(instance.first_slot, instance.first_slot + instance.size):
        e = sim.slots[slot].holder
        if e != NONE and sim.entities[e].state == State.HOLDING:
            _read_bit(sim, e)
            charge_minor(sim, sim.entities[e].last_user, sim.look_ns)


@kernel
def _read_bit(sim, e):
    sim.seq += sim.seq_step
    sim.looks += 1
    access, entities = sim.accesses[e], sim.entities.size
    slow = lies_slow(sim, Resource.MEMORY, sim.entities[e].node)
    for k in range(sim.views):
        if access.unread >> k & 1 == 0:
            continue
        see(sim.seen[k * entities + e], access.user, access.home, sim.seq, sim.now)
        if k == sim.hosted:
            remember(sim, e, access.user)
        elif not (slow and sim.policies[2 * k].fast_only):
            tell_host(sim, k, Resource.MEMORY, Verb.USE, e)
    access.unread = 0


@kernel
def charge_minor(sim, t, cost):
    """Thread `t` pays `cost` ns on its core, as for a minor fault, unless it has exited."""
    if cost > 0 and sim.threads[t].exit_ns == NONE:
        charge(sim, t)
        sim.threads[t].minor_left += cost
        put_off(sim, t)


@inlined
def look_at_rows(sim, shown, rows):
    """Scanned: the accessed bits of the pages that an agent is shown are read and cleared, in the order of rows."""
    sim.rows_looked = 0
    if sim.accesses.size > 0:
        _look_at_rows(sim, shown, rows)


@kernel
def _look_at_rows(sim, shown, rows):
    agent, entities = sim.views - 1, sim.entities.size
    for i in range(rows):
        e = shown[i]
        if e < sim.threads_count or sim.entities[e].slot == NONE:
            continue
        sim.rows_looked += 1
        access = sim.accesses[e]
        if access.unread >> agent & 1:
            access.unread &= ~(1 << agent)
            see(sim.seen[agent * entities + e], access.user, access.home, sim.seq + sim.rows_looked, sim.now)
            remember(sim, e, access.user)
