"""Multi-generation LRU: a walk now and then tells who was used; who was not for longest goes.

What it does is in books: generations (who is how old), walks (who was used), shadows and refaults (who comes back),
reclaim (who goes).
"""

from sos_gym.policy.books import generations, reclaim, refaults, shadows, walks
from sos_gym.policy.books.generations import FEWEST, FILE
from sos_gym.policy.words import (
    NONE,
    Kind,
    Parameter,
    Policy,
    Resource,
    Sides,
    Why,
    kernel,
    order,
    pick_by_claim,
)

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
        shadows.clear(my, e)


@kernel
def hold_frame(my, e):
    """Who was faulted in joins the youngest generation, marked as used; who is pinned stands nowhere."""
    if my.entities[e].pinned:
        return
    shadows.come_back(my, e)
    walks.forget(my, e)
    by_descriptor = walks.by_descriptor(my, e)
    generations.join(my, e, generations.inactive(my, FILE) if by_descriptor else my.own.generations.youngest)
    walks.note(my, e)


@kernel
def cool_frame(my, e):
    """MADV_COLD: unused, and no longer active (lru_deactivate)."""
    if generations.is_listed(my, e):
        walks.forget(my, e)
        generations.renumber(my, e, generations.inactive(my, generations.kind_of(my, e)))
        generations.follow(my, e)


@kernel
def release_frame(my, e):
    """Who is sent away leaves a shadow."""
    if not generations.is_listed(my, e):
        return
    generations.leave(my, e)
    shadows.clear(my, e)
    if my.why == Why.EVICTED:
        generations.close_empty(my)
    if my.why == Why.EVICTED or my.why == Why.PAGEOUT:
        shadows.leave(my, e)


@kernel
def _demoted(my, decision):
    """A page is wanted nearer: of the farthest generation an unused one makes room, or else, after a walk, none."""
    if not _is_hot(my, decision.entity):
        return decision.entity
    if not _find_unused(my, decision):
        walks.age(my)
        if not _find_unused(my, decision):
            return decision.entity
    best = decision.entity
    for i in range(decision.count):
        e = my.contenders[i]
        if e >= 0 and e != decision.entity and (best == decision.entity or _is_older(my, e, best)):
            best = e
    return best


@kernel
def _is_hot(my, e):
    """Whether it asked a short time ago as well (numa_hint_fault_latency against the threshold)."""
    before, my.each[e].asked = my.each[e].asked, my.now
    return before > 0 and my.now - before <= my.parameters.hot_ns


@kernel
def _find_unused(my, decision):
    """Whether one of the inactive holders was not used; the others are activated."""
    found = False
    for i in range(decision.count):
        e = my.contenders[i]
        inactive = e >= 0 and my.each[max(e, 0)].generations.number <= my.own.generations.youngest - FEWEST
        if inactive and e != decision.entity:
            if walks.was_used(my, e):
                walks.activate(my, e)
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
    return -1 - decision.vacancy if decision.vacancy != NONE else reclaim.victim(my, decision)


MGLRU = Policy(
    name="mglru",
    aliases=("lru_gen", "multi_generation_lru"),
    summary="who was seen in use at the last walk is young; the oldest generation goes, and refaults say of which kind",
    on_cores="generations of turns, kin of the O(1) scheduler's two arrays: who ran is in the youngest generation and "
    "comes after all that have not; when all that contend have run, the next one begins; turns within a generation",
    on_frames="multi-generation LRU: 2 to 4 generations; where too few pages are old, a walk promotes all that were "
    "used and opens a new one. The hand takes the first of the oldest that was not used since; who was goes to the "
    "youngest, and so does who was used beside it. Anonymous or file first, by swappiness and refaults. A hint of a "
    "hot page: an unused fast page of the oldest generation makes room, if there is one; a scan: a page of a younger "
    "generation moves in",
    reads="accessed bits, at its own walks only, under every sight; order of holds, kind of page",
    sight="made for bits: it reads them at its own walks and at its hand, under every sight, and harvests only "
    "read them before",
    ties="frames: the queues order; cores: turns",
    not_to_be_confused="`ladder`, in which every use and every period counts",
    source="mm/vmscan.c (lru_gen), mm/workingset.c, include/linux/mm_inline.h, mmzone.h of Linux 6.6 to 6.12; "
    "vm.swappiness = 60. Our references are loads and stores: tiers 1 and 2, of reads through descriptors, stay empty "
    "unless `descriptors` says that file pages are read so; tier 3 has who refaulted, until a walk sees it in use. "
    "Unlike there: one set of generations for all nodes, no groups, no Bloom filter (a walk sees all pages), one page "
    "is taken at a time, not 64, no flushers (a dirty file page goes like a clean one); neighbours are pages touched "
    "first one after another. A page of a slow tier is hot if it is used within numa_balancing_hot_threshold after it "
    "was unmapped; that is 1 s, as the period of the scan that unmaps (numa_balancing_scan_period_min): here one hint "
    "and one period more, `hot_ns`, are twice Tier's hint_ns",
    parameters={
        "swappiness": Parameter(60, "of 200", 2, 198, "anonymous pages go sooner, file pages later"),
        "batch": Parameter(64, "pages", 1, 10**6, "MIN_LRU_BATCH: as many refaults count as few"),
        "hot_ns": Parameter(200_000, "ns", 1, 10**12, "pages of a slow tier go up that ask more rarely"),
        "descriptors": Parameter(0, "", 0, 1, "1: file pages are used by read and write, which the kernel counts"),
    },
    want=Sides(cores=begin_core, frames=want_frame),
    hold=Sides(frames=hold_frame),
    use=Sides(cores=use_core, frames=walks.note),
    cool=Sides(frames=cool_frame),
    release=Sides(frames=release_frame),
    victim=reclaim.victim,
    claim=claim,
    pick=pick,
    each={"asked": 0},  # ns, its last hint
    books=(generations.GENERATIONS, walks.WALKS, shadows.SHADOWS, refaults.REFAULTS),
    queues=generations.QUEUES,
)
