"""A use, as a record has it: the truth, and what each view of the pages shows of it.

With sight "exact" there are no views: policies and columns read the engine's own records. Else `sim.seen` holds, per
view, a record of every entity: all of it follows the engine's, but for what is known of a page's uses.
"""

from sos_gym.engine.records import RECENT, look_at, verb_at
from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NONE, Resource


@inlined
def note_gap(page, now):
    """The time since its last use becomes the page's last gap."""
    page.prev_gap, page.last_gap = page.last_gap, now - page.last_use
    page.gaps = min(page.gaps + 1, 2)


@inlined
def mark_used(entity, seq, now):
    """Number and date its last use, and count it."""
    entity.use_seq = seq
    entity.uses += 1
    entity.uses_total += 1
    entity.last_use = now


# -- views


@kernel
def _publish(sim, e):
    """Looks are numbered from what the engine has numbered last."""
    entity, entities = sim.entities[e], sim.entities.size
    for k in range(sim.hosted):
        my = sim.policies[2 * k + Resource.MEMORY]
        my.seq = max(my.seq, sim.seq)
    for k in range(sim.views):
        at = k * entities + e
        seen = sim.seen[at]
        use_seq, last_use, last_gap, prev_gap = seen.use_seq, seen.last_use, seen.last_gap, seen.prev_gap
        uses, uses_total, gaps, last_user, home = seen.uses, seen.uses_total, seen.gaps, seen.last_user, seen.home
        sim.seen[at] = entity
        if e >= sim.threads_count:
            seen.use_seq, seen.last_use, seen.last_gap, seen.prev_gap = use_seq, last_use, last_gap, prev_gap
            seen.uses, seen.uses_total, seen.gaps, seen.last_user, seen.home = uses, uses_total, gaps, last_user, home


@inlined
def publish(sim, e):
    """What has changed of entity `e` stands in every view; of a page all but its uses, and who used it."""
    if sim.views > 0:
        _publish(sim, e)


@inlined
def see(page, user, home, seq, now):
    """A view learns that its record `page` was used, by which thread and from where."""
    note_gap(page, now)
    mark_used(page, seq, now)
    page.last_user, page.home = user, home


@inlined
def remember(sim, e, t):
    """What columns say of a page's users, and of what a thread used lately."""
    if sim.observed:
        thread = sim.threads[t]
        sim.users[e] |= 1 << (t & 63)
        sim.recent[t * RECENT + thread.recent_at] = e
        thread.recent_at = (thread.recent_at + 1) % RECENT


@kernel
def show_user(sim, e):
    """A fault on page `e`, of whatever kind, shows every view who wants it, and from where."""
    page, entities = sim.entities[e], sim.entities.size
    for k in range(sim.views):
        seen = sim.seen[k * entities + e]
        seen.last_user, seen.home = page.last_user, page.home
    remember(sim, e, page.last_user)


@kernel
def show_hold(sim, e):
    """That page `e` gets a frame is seen by all, and counts as its use."""
    page, entities = sim.entities[e], sim.entities.size
    for k in range(sim.views):
        seen = sim.seen[k * entities + e]
        if seen.uses_total > 0:
            note_gap(seen, page.hold_ns)
        seen.use_seq, seen.last_use, seen.uses = page.use_seq, page.last_use, page.uses
        seen.uses_total += 1
    page.unmapped = 0
    if sim.accesses.size > 0:
        sim.accesses[e].unread = 0


@kernel
def show_cooled(sim, e):
    """So is MADV_COLD; it clears the accessed bit, mm/madvise.c: madvise_cold_or_pageout_pte_range."""
    page, entities = sim.entities[e], sim.entities.size
    for k in range(sim.views):
        sim.seen[k * entities + e].use_seq = page.use_seq
    if sim.accesses.size > 0:
        sim.accesses[e].unread = 0


# -- the word of policies


@kernel
def look(my, e):
    """Read and clear the accessed bit of page `e`: whether it was used since the last look, or harvest.

    If so, that is a use, now: the record of `e` is brought up to date and `use` is told before this returns. Where uses
    are told without a look (sight "exact" or "sampled"), and for threads, it is False and does nothing. It is paid with
    the decision on pages in which, or before which, it is made; a page that was just looked at costs nothing more.
    """
    if my.look_at == 0:
        return False
    return look_at(my.look_at)(my, e) != 0


@kernel
def look_by_bit(my, e):
    """What `my.look_at` names under sight "scanned"."""
    if e < my.first_entity or my.entities[e].slot == NONE:
        return 0
    my.looks += my.looked != e or my.looked_number != my.number
    my.looked, my.looked_number = e, my.number
    access = my.accesses[e]
    if access.unread >> my.host & 1 == 0:
        return 0
    access.unread &= ~(1 << my.host)
    my.seq += 1
    see(my.entities[e], access.user, access.home, my.seq, my.now)
    if my.use_at != 0 and not (my.fast_only and my.entities[e].node > 0):  # of a slow tier it is not told (N24)
        verb_at(my.use_at)(my, e)
    return 1
