"""Multi-generation LRU: a walk now and then tells who was used; who was not for longest goes.

A use marks a page and does nothing else; marks are read, and cleared, by walks (`_age`) and by the hand.
"""

from sos_gym.policy.books import generations, refaults
from sos_gym.policy.books.generations import ANONYMOUS, FEWEST, FILE, MOST
from sos_gym.policy.words import (
    NONE,
    Kind,
    Parameter,
    Policy,
    Resource,
    Sides,
    State,
    Why,
    kernel,
    legal_holder,
    look,
    order,
    pick_by_claim,
)

AROUND = 64  # pages, MIN_LRU_BATCH: around one that the hand found in use, others may be
BOTH = 200  # MAX_SWAPPINESS: the gains of the two kinds together
MOST_ROUNDS = 4 * MOST  # within one decision every page is promoted, and protected, once; then it grows old

# -- cores: generations of turns


@kernel
def begin_core(my, e):
    if my.why == Why.NEW:
        my.each[e].generations.number = my.own.generations.youngest


@kernel
def use_core(my, e):
    """It ran: youngest."""
    my.each[e].generations.number = my.own.generations.youngest


@kernel
def _next_turns(my, decision):
    """When all that contend have run in this generation, the next one begins."""
    for i in range(decision.count):
        e = my.contenders[i]
        if e >= 0 and my.each[e].generations.number < my.own.generations.youngest:
            return
    my.own.generations.youngest += 1


# -- frames


@kernel
def want_frame(my, e):
    """A page without contents never left."""
    if not my.entities[e].touched:
        my.each[e].shadow = 0


@kernel
def hold_frame(my, e):
    """Who was faulted in joins the youngest generation, marked as used; who is pinned stands nowhere."""
    if my.entities[e].pinned:
        return
    own = my.own.generations
    _refault(my, e)
    my.each[e].seen = 0
    if _by_descriptor(my, e):
        generations.join(my, e, _inactive(my, FILE))
        _count_access(my, e)
    else:
        generations.join(my, e, own.youngest)
        my.each[e].seen = 1


@kernel
def use_frame(my, e):
    if _by_descriptor(my, e):
        _count_access(my, e)
    else:
        my.each[e].seen = 1


@kernel
def cool_frame(my, e):
    """MADV_COLD: unused, and no longer active (lru_deactivate)."""
    if generations.is_listed(my, e):
        my.each[e].seen = 0
        generations.renumber(my, e, _inactive(my, generations.kind_of(my, e)))
        generations.follow(my, e)


@kernel
def release_frame(my, e):
    """Who is evicted leaves a shadow: when it went, and its accesses (lru_gen_eviction)."""
    if not generations.is_listed(my, e):
        return
    mine, kind = my.each[e], generations.kind_of(my, e)
    generations.leave(my, e)
    mine.shadow = 0
    if my.why == Why.EVICTED:
        generations.close_empty(my)
    if my.why == Why.EVICTED or my.why == Why.PAGEOUT:
        mine.shadow = 1 + my.own.generations.oldest[kind]
        mine.shadow_refs = mine.generations.refs if mine.generations.referenced else 0
        my.own.refaults.evicted[refaults.TIERS * kind + refaults.tier_of(mine.shadow_refs)] += 1


@kernel
def _refault(my, e):
    """Who left while the present generation was the oldest is of the working set, and will be protected once."""
    mine, kind = my.each[e], generations.kind_of(my, e)
    mine.generations.refs = mine.generations.referenced = 0
    if mine.shadow == 1 + my.own.generations.oldest[kind]:
        my.own.refaults.came_back[refaults.TIERS * kind + refaults.tier_of(mine.shadow_refs)] += 1
        if not _by_descriptor(my, e) or mine.shadow_refs >= refaults.MOST_REFS - 1:
            mine.generations.refs = refaults.MOST_REFS
    mine.shadow = 0


@kernel
def _by_descriptor(my, e):
    """Whether uses of `e` are read(2) and write(2), which the kernel counts; else they are loads and stores."""
    return my.parameters.descriptors > 0 and my.entities[e].file == 1


@kernel
def _count_access(my, e):
    """folio_inc_refs: the first access is noted, the others are counted."""
    mine = my.each[e].generations
    if mine.referenced:
        mine.refs = min(mine.refs + 1, refaults.MOST_REFS)
    mine.referenced = 1


@kernel
def _inactive(my, kind):
    """The generation of who is neither hot nor to go first (lru_gen_add_folio)."""
    own = my.own.generations
    if kind == ANONYMOUS:
        return own.youngest - 1
    return own.oldest[FILE] if own.oldest[FILE] + FEWEST >= own.youngest else own.oldest[FILE] + 1


@kernel
def _was_used(my, e):
    """Read the mark and clear it."""
    look(my, e)  # where bits must be looked at, this marks it
    seen = my.each[e].seen
    my.each[e].seen = 0
    return seen != 0


@kernel
def _walk(my, e):
    """Promote a resident page that was used."""
    resident = my.entities[e].state == State.HOLDING and generations.is_listed(my, e) and not _by_descriptor(my, e)
    if resident and _was_used(my, e):
        generations.promote(my, e)


@kernel
def _age(my):
    """A walk over all page tables, then a new generation (try_to_inc_max_seq)."""
    for slot in range(my.first_slot, my.first_slot + my.slots_count):
        if my.slots[slot].holder != NONE:
            _walk(my, my.slots[slot].holder)
    generations.open_youngest(my)


@kernel
def _look_around(my, e):
    """Pages are numbered as they were touched first: who stands beside `e` there stands in for its neighbours."""
    first = max(my.first_entity, e - AROUND // 2)
    for other in range(first, min(my.entities.size, e + AROUND // 2)):
        if my.entities[other].owner == my.entities[e].owner:
            _walk(my, other)


@kernel
def _activate(my, e):
    """The hand found it in use: it goes to the youngest generation, and so does who was used beside it."""
    generations.promote(my, e)
    generations.follow(my, e)
    _look_around(my, e)


@kernel
def _is_sorted(my, decision, e, tier):
    """Whether it goes elsewhere before its use is asked for: promoted, protected or not eligible (sort_folio)."""
    mine, kind = my.each[e].generations, generations.kind_of(my, e)
    if not generations.is_oldest(my, e):
        generations.follow(my, e)
        return True
    own_tier = refaults.tier_of(mine.refs)
    if own_tier > tier or mine.refs == refaults.MOST_REFS:
        my.own.refaults.protected[refaults.TIERS * kind + own_tier] += 1
        generations.grow_younger(my, e)
        return True
    if not legal_holder(my, decision, e):
        generations.grow_younger(my, e)
        return True
    return False


@kernel
def _scan(my, decision, kind, tier):
    """The first of the oldest generation that may go and was not used, or NONE (scan_folios, shrink_folio_list)."""
    if generations.how_many(my, kind) == FEWEST:
        return NONE
    e = generations.first(my, kind)
    while e != NONE:
        if not _is_sorted(my, decision, e, tier):
            if _by_descriptor(my, e) or not _was_used(my, e):
                return e
            _activate(my, e)
        e = generations.first(my, kind)
    return NONE


@kernel
def _tier_within(my, kind):
    """Up to which tier pages of a kind may go, by its own first tier (get_tier_idx)."""
    return refaults.last_unprotected(my, kind, 2.0, kind, 1.0, my.parameters.batch)


@kernel
def _reclaim(my, decision):
    """One kind first, the other one where it has nobody (isolate_folios)."""
    own, batch = my.own.generations, my.parameters.batch
    gain, gain_file = my.parameters.swappiness, BOTH - my.parameters.swappiness
    if own.oldest[ANONYMOUS] < own.oldest[FILE]:
        kind, tier = ANONYMOUS, _tier_within(my, ANONYMOUS)
    elif refaults.prefers(my, FILE, gain_file, ANONYMOUS, gain, batch):
        kind, tier = FILE, refaults.last_unprotected(my, FILE, gain_file, ANONYMOUS, gain, batch)
    else:
        kind, tier = ANONYMOUS, refaults.last_unprotected(my, ANONYMOUS, gain, FILE, gain_file, batch)
    e = _scan(my, decision, kind, tier)
    return e if e != NONE else _scan(my, decision, 1 - kind, _tier_within(my, 1 - kind))


@kernel
def victim(my, decision):
    """Age where it is due, then take; in the end every page that may go grows old."""
    for _ in range(MOST_ROUNDS):
        if generations.must_open(my):
            _age(my)
        e = _reclaim(my, decision)
        if e != NONE:
            return e
        generations.close_empty(my)
    return _any_legal(my, decision)


@kernel
def _any_legal(my, decision):
    for slot in range(my.first_slot, my.first_slot + my.slots_count):
        holder = my.slots[slot].holder
        if holder != NONE and legal_holder(my, decision, holder):
            return holder
    return NONE


@kernel
def _demoted(my, decision):
    """A page is wanted nearer: of the farthest generation an unused one makes room, or else, after a walk, none."""
    if not _find_unused(my, decision):
        _age(my)
        if not _find_unused(my, decision):
            return decision.entity
    best = decision.entity
    for i in range(decision.count):
        e = my.contenders[i]
        if e >= 0 and e != decision.entity and (best == decision.entity or _is_older(my, e, best)):
            best = e
    return best


@kernel
def _find_unused(my, decision):
    """Whether one of the inactive holders was not used; the others are activated."""
    found = False
    for i in range(decision.count):
        e = my.contenders[i]
        inactive = e >= 0 and my.each[max(e, 0)].generations.number <= my.own.generations.youngest - FEWEST
        if inactive and e != decision.entity:
            if _was_used(my, e):
                _activate(my, e)
            else:
                found = True
    return found


@kernel
def _is_older(my, e, other):
    one, two = my.each[e].generations.number, my.each[other].generations.number
    return one < two or (one == two and _came_ns(my, e) < _came_ns(my, other))


@kernel
def _came_ns(my, e):
    """When it came to where it lies."""
    return max(my.entities[e].hold_ns, my.entities[e].move_ns)


@kernel
def claim(my, entity):
    """Cores: who ran in this generation comes after who did not, then turns. Frames: the generation."""
    number = float(my.each[entity.id].generations.number)
    return (number, 0.0) if my.use_is_credit > 0 else (-number, order(my, entity))


@kernel
def pick(my, decision):
    if decision.resource == Resource.CPU:
        if decision.kind == Kind.ADMIT:
            _next_turns(my, decision)
        return pick_by_claim(my, decision)
    if decision.kind == Kind.ADMIT:
        return pick_by_claim(my, decision)
    if decision.cause == Why.HINT:
        return _demoted(my, decision)
    return -1 - decision.vacancy if decision.vacancy != NONE else victim(my, decision)


MGLRU = Policy(
    name="mglru",
    aliases=("lru_gen", "multi_generation_lru"),
    summary="who was seen in use at the last walk is young; the oldest generation goes, and refaults say of which kind",
    on_cores="generations of turns, kin of the O(1) scheduler's two arrays: who ran is in the youngest generation and "
    "comes after all that have not; when all that contend have run, the next one begins; turns within a generation",
    on_frames="multi-generation LRU: 2 to 4 generations; where too few pages are old, a walk promotes all that were "
    "used and opens a new one. The hand takes the first of the oldest that was not used since; who was goes to the "
    "youngest, and so does who was used beside it. Anonymous or file first, by swappiness and refaults. A tier hint: "
    "an unused fast page of the oldest generation makes room, if there is one; a scan: a page of a younger generation "
    "moves in",
    reads="accessed bits, at its own walks only, under every sight; order of holds, kind of page",
    ties="frames: the queues order; cores: turns",
    not_to_be_confused="`ladder`, in which every use and every period counts",
    source="mm/vmscan.c (lru_gen), mm/workingset.c, include/linux/mm_inline.h, mmzone.h of Linux 6.6 to 6.12; "
    "vm.swappiness = 60. Our references are loads and stores: tiers 1 and 2, of reads through descriptors, stay empty "
    "unless `descriptors` says that file pages are read so; tier 3 has who refaulted, until a walk sees it in use. "
    "Unlike there: one set of generations for all nodes, no groups, no Bloom filter (a walk sees all pages), one page "
    "is taken at a time, not 64, no flushers (a dirty file page goes like a clean one); neighbours are pages touched "
    "first one after another; a page of a slow tier is hot (numa_balancing_hot_threshold is 1 s)",
    parameters={
        "swappiness": Parameter(60, "of 200", 2, 198, "anonymous pages go sooner, file pages later"),
        "batch": Parameter(64, "pages", 1, 10**6, "MIN_LRU_BATCH: as many refaults count as few"),
        "descriptors": Parameter(0, "", 0, 1, "1: file pages are used by read and write, which the kernel counts"),
    },
    want=Sides(cores=begin_core, frames=want_frame),
    hold=Sides(frames=hold_frame),
    use=Sides(cores=use_core, frames=use_frame),
    cool=Sides(frames=cool_frame),
    release=Sides(frames=release_frame),
    victim=victim,
    claim=claim,
    pick=pick,
    # seen: used since its mark was read; shadow: 1 + the oldest generation when it was evicted, or 0
    each={"seen": 0, "shadow": 0, "shadow_refs": 0},
    books=(generations.GENERATIONS, refaults.REFAULTS),
    queues=generations.QUEUES,
)
