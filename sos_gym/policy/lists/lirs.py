"""LIRS: who comes back soonest stays, judged by recency between references."""

from sos_gym.policy.words import NONE, Parameter, Policy, Sides, Why, kernel, legal_holder, order, queue

# STACK holds second links by recency, the front is the oldest; the others are S, Q and non-resident of the paper
STACK, RESIDENT, GHOSTS = 1, 2, 3
LIR = 1  # mark of an entity: its last gap was among the shortest; else it is HIR, in RESIDENT or GHOSTS


@kernel
def hold(my, e):
    """In the stack or while there is room: LIR. Else a newcomer."""
    if _in_stack(my, e) or my.own.lir_count < _room(my):
        _become_lir(my, e)
        _bound(my)
    else:
        _queue_up(my, e)


@kernel
def use(my, e):
    if my.links[e].mark == LIR:
        queue.to_back(my, STACK, queue.second(my, e))
        _prune(my)
    elif _in_stack(my, e):
        _become_lir(my, e)
    else:
        _queue_up(my, e)


@kernel
def cool(my, e):
    _leave(my, e)
    queue.push_front(my, RESIDENT, e)
    _prune(my)


@kernel
def release(my, e):
    """Who stands in the stack stays there as a ghost, unless its identity ends."""
    if _in_stack(my, e) and my.why != Why.DONTNEED and my.why != Why.EXIT:
        _become_hir(my, e)
        queue.to_back(my, GHOSTS, e)
    else:
        _leave(my, e)
    _prune(my)


@kernel
def _in_stack(my, e):
    return my.links[queue.second(my, e)].queue == STACK


@kernel
def _room(my):
    """How many may be LIR."""
    return my.capacity - max(1, int(my.parameters.hir * my.capacity))


@kernel
def _queue_up(my, e):
    """A newcomer, or a HIR that left the stack: the top of the stack and the end of the resident HIR."""
    queue.to_back(my, STACK, queue.second(my, e))
    queue.to_back(my, RESIDENT, e)
    _bound(my)


@kernel
def _become_lir(my, e):
    """The top of the stack; of too many LIR the one of the oldest reference becomes HIR."""
    queue.remove(my, e)
    queue.to_back(my, STACK, queue.second(my, e))
    my.links[e].mark = LIR
    my.own.lir_count += 1
    _prune(my)
    if my.own.lir_count > _room(my):
        oldest = queue.whose(my, queue.front(my, STACK))
        _leave(my, oldest)
        queue.push_back(my, RESIDENT, oldest)
        _prune(my)


@kernel
def _become_hir(my, e):
    my.own.lir_count -= my.links[e].mark
    my.links[e].mark = 0


@kernel
def _leave(my, e):
    """Out of all queues, and no longer LIR."""
    _become_hir(my, e)
    queue.remove(my, e)
    queue.remove(my, queue.second(my, e))


@kernel
def _prune(my):
    """The stack ends with a LIR: an older gap than its would not make anyone LIR."""
    while queue.length(my, STACK) > 0:
        oldest = queue.whose(my, queue.front(my, STACK))
        if my.links[oldest].mark == LIR:
            return
        queue.remove(my, queue.second(my, oldest))
        if my.links[oldest].queue == GHOSTS:
            queue.remove(my, oldest)


@kernel
def _bound(my):
    """Of too many in the stack the first to have left is forgotten."""
    while queue.length(my, STACK) > my.parameters.stack * my.capacity and queue.length(my, GHOSTS) > 0:
        _leave(my, queue.front(my, GHOSTS))


@kernel
def claim(my, entity):
    """LIR, then who is in the stack, then the others; among equals it is turns."""
    return float(my.links[entity.id].mark + _in_stack(my, entity.id)), order(my, entity)


@kernel
def _oldest_legal_lir(my, decision):
    member = queue.front(my, STACK)
    while member != NONE and not legal_holder(my, decision, queue.whose(my, member)):
        member = queue.behind(my, member)
    return queue.whose(my, member)


@kernel
def victim(my, decision):
    """The first resident HIR, else the oldest LIR."""
    e = queue.first_legal(my, decision, RESIDENT)
    return e if e != NONE else _oldest_legal_lir(my, decision)


LIRS = Policy(
    name="lirs",
    aliases=("low_inter_reference_recency",),
    summary="the shortest gap between the last two references stays; newcomers share few slots",
    on_cores="levels: whose last gap was short, who ran lately, the others; turns within a level (one core: turns)",
    on_frames="LIRS, exact, S bounded.",
    reads="order of holds and uses, of residents and of those that left",
    sight="the gap between two sightings decides: the stack S is in the order of harvests and looks",
    ties="none: the queues order",
    source="Jiang, Zhang, SIGMETRICS 2002. libCacheSim 0.3.5 besides demotes a LIR page at a hit outside S and, with Q "
    "full, evicts for it: an oracle in tests/policy/test_adaptive_lists.py",
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=release,
    victim=victim,
    fast_only=True,
    claim=claim,
    own={"lir_count": 0},
    queues=3,
    links=2,
    parameters={
        "hir": Parameter(
            0.01, "slots", 0.0, 1.0, "more room for newcomers (one slot at least), less for those of short gaps"
        ),
        "stack": Parameter(2.0, "slots", 1.0, 1000.0, "longer gaps are seen; the paper has no bound"),
    },
)
