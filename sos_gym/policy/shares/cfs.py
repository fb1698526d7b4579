"""CFS: whoever had least for its weight; who slept starts a little ahead, who is new a slice behind.

`front` is the kernel's min_vruntime: where stands who was given least, and it never goes back.
"""

from sos_gym.policy.books import tunables, virtual_time
from sos_gym.policy.books.queue import behind, front, push_back, remove
from sos_gym.policy.books.virtual_time import ACTIVE
from sos_gym.policy.words import NONE, Kind, Parameter, Policy, Resource, Sides, Why, kernel, pick_by_claim


@kernel
def want(my, e):
    """Placed by `front`; but who comes back and is farther on stays there (place_entity)."""
    advance(my)
    mine = my.each[e]
    push_back(my, ACTIVE, e)
    if mine.known:
        mine.virtual_time.place = max(mine.virtual_time.place, my.own.front + my.use_is_credit * _head_start(my))
    else:
        mine.virtual_time.place = my.own.front + _newcomer(my, e)
    mine.known = 1


@kernel
def release(my, e):
    """Who waits on, preempted or after a yield, stays in line."""
    virtual_time.pause(my, e)
    if my.why != Why.PREEMPT and my.why != Why.YIELD:
        advance(my)
        remove(my, e)
        my.each[e].known = int(my.why != Why.DONTNEED and my.why != Why.EXIT)


@kernel
def advance(my):
    """Bring `front` up to the least of the active (update_min_vruntime)."""
    e = front(my, ACTIVE)
    if e == NONE:
        return
    least = virtual_time.given(my, e)
    while e != NONE:
        least = min(least, virtual_time.given(my, e))
        e = behind(my, e)
    my.own.front = max(my.own.front, least)


@kernel
def _newcomer(my, e):
    """A new thread waits for a turn of its own (START_DEBIT); a new page has no uses yet."""
    return 0.0 if my.use_is_credit > 0 else turn_of(my, e) * virtual_time.rate(my, e)


@kernel
def _head_start(my):
    """Of who comes back: half a latency (GENTLE_FAIR_SLEEPERS), whatever its weight; of a page so many uses."""
    if my.use_is_credit > 0:
        return my.parameters.uses
    return my.parameters.latency_ns * tunables.factor(my) / 2


@kernel
def turn_of(my, e):
    """Its part, by weight, of a period in which every thread has a turn, ns (sched_slice).

    A runqueue of the kernel has one core: the threads per core, and their weight, stand for it.
    """
    threads, load, other = 0.0, 0.0, front(my, ACTIVE)
    while other != NONE:
        threads += 1.0
        load += float(my.entities[other].weight)
        other = behind(my, other)
    scale, cores = tunables.factor(my), float(my.slots_count)
    least = my.parameters.granularity_ns * scale
    period = max(my.parameters.latency_ns * scale, threads / cores * least)
    return max(period * min(1.0, my.entities[e].weight * cores / load), least)


@kernel
def claim(my, entity):
    """The least given first: a debt on cores, a credit on frames."""
    return my.use_is_credit * virtual_time.given(my, entity.id), 0.0


@kernel
def first_in_line(my, decision):
    """Of those who wait, the one that was given least; equals by turns."""
    best, least = NONE, 0.0
    for i in range(decision.count):
        e = my.contenders[i]
        if e >= 0 and e != decision.entity:
            place = virtual_time.given(my, e)
            earlier = best != NONE and my.entities[e].want_seq < my.entities[best].want_seq
            if best == NONE or place < least or (place == least and earlier):
                best, least = e, place
    return best


@kernel
def _at_tick(my, decision):
    """The holder's turn is over when its part is used up, or when it is a whole part ahead (check_preempt_tick)."""
    holder, first = decision.entity, first_in_line(my, decision)
    scale = tunables.factor(my)
    part = min(turn_of(my, holder), my.parameters.latency_ns * scale)
    ran, ahead = my.now - my.entities[holder].hold_ns, virtual_time.given(my, holder) - virtual_time.given(my, first)
    if ran > part:
        return holder if ahead < 0 else first
    if ran < my.parameters.granularity_ns * scale:
        return holder
    return first if ahead > part else holder


@kernel
def _at_wakeup(my, decision):
    """Whoever was given most goes, if it is a granularity, by the waker's weight, ahead (wakeup_preempt_entity)."""
    waker, worst = decision.entity, NONE
    for i in range(decision.count):
        e = my.contenders[i]
        if e < 0:
            return e
        if e != waker and (worst == NONE or virtual_time.given(my, e) > virtual_time.given(my, worst)):
            worst = e
    granularity = my.parameters.wakeup_ns * tunables.factor(my) * virtual_time.rate(my, waker)
    ahead = virtual_time.given(my, worst) - virtual_time.given(my, waker)
    return worst if ahead > granularity else waker


@kernel
def pick(my, decision):
    if decision.resource == Resource.MEMORY or decision.entity == NONE:
        return pick_by_claim(my, decision)
    return _at_wakeup(my, decision) if decision.kind == Kind.EVICT else _at_tick(my, decision)


CFS = Policy(
    name="cfs",
    aliases=("completely_fair",),
    summary="the least virtual runtime first; sleepers start half a latency ahead, newcomers a slice behind",
    on_cores="CFS, one runqueue over all cores: a turn is a part of the latency by weight, at least the granularity, "
    "and is judged at ticks; a waker preempts who is a wakeup granularity ahead of it. Times grow with 1 + log2(cores)",
    on_frames="a credit: uses by weight, the least goes. LFU with dynamic ageing: newcomers start level with the page "
    "that has least, who comes back keeps what it had, and is `uses` uses ahead of that page at the least",
    reads="ns held (threads), uses (pages), weight",
    sight="a page is given its sightings as service",
    ties="cores: the earliest want; at a wakeup the waker waits; frames: least recently used goes",
    not_to_be_confused="`fair_share`, which is by owner and has neither slices nor granularities",
    source="kernel/sched/fair.c of Linux 6.5: sched_slice, place_entity, check_preempt_tick, wakeup_preempt_entity. "
    "Unlike there: no runqueue per core, no groups, no buddies (LAST_BUDDY; who yields stands aside once); a fork does "
    "not look at its parent",
    parameters={
        "latency_ns": Parameter(6_000_000, "ns", 1, 10**12, "longer turns and a longer head start; sched_latency"),
        "granularity_ns": Parameter(750_000, "ns", 1, 10**12, "longer turns in a crowd; sched_min_granularity"),
        "wakeup_ns": Parameter(1_000_000, "ns", 0, 10**12, "wakers preempt less; sched_wakeup_granularity"),
        "uses": Parameter(4, "uses", 0, 10**9, "pages that come back stay longer"),
    },
    want=want,
    use=Sides(frames=virtual_time.use),
    cool=Sides(frames=virtual_time.cool),
    release=release,
    claim=claim,
    pick=pick,
    own={"front": 0.0},  # virtual time
    each={"known": 0},  # 1: it was here before
    books=(virtual_time.VIRTUAL_TIME,),
    queues=1,
)
