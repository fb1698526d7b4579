"""LIRS: who comes back soonest stays, judged by recency between references."""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import (
    behind,
    first_legal,
    front,
    length,
    push_back,
    push_front,
    remove,
    second,
    to_back,
    whose,
)
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

MOVE, COLD, DONTNEED, EXIT = int(Why.MOVE), int(Why.COLD), int(Why.DONTNEED), int(Why.EXIT)
# STACK holds second links by recency, the front is the oldest; the others are S, Q and non-resident of the paper
STACK, RESIDENT, GHOSTS = 1, 2, 3
QUEUES = 3
LIR = 1  # mark of an entity: its last gap was among the shortest; else it is HIR, in RESIDENT or GHOSTS
LIR_COUNT = 0  # ints: how many
PARAMETERS = {
    "hir": Parameter(
        0.01, "slots", 0.0, 1.0, "more room for newcomers (one slot at least), less for those of short gaps"
    ),
    "stack": Parameter(2.0, "slots", 1.0, 1000.0, "longer gaps are seen; the paper has no bound"),
}
HIR_SHARE, STACK_BOUND = range(len(PARAMETERS))


@kernel
def hold(my, entity, slot, why, now):
    """In the stack or while there is room: LIR. Else a newcomer."""
    if why == MOVE:
        return
    if _in_stack(my, entity) or my.ints[LIR_COUNT] < _room(my):
        _become_lir(my, entity)
    else:
        to_back(my, STACK, second(my, entity))
        to_back(my, RESIDENT, entity)
    _bound(my)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        _leave(my, entity)
        push_front(my, RESIDENT, entity)
        _prune(my)
    elif my.links[entity].mark == LIR:
        to_back(my, STACK, second(my, entity))
        _prune(my)
    elif _in_stack(my, entity):
        _become_lir(my, entity)
    else:
        push_back(my, STACK, second(my, entity))
        to_back(my, RESIDENT, entity)
        _bound(my)


@kernel
def release(my, entity, slot, why, now):
    """Who stands in the stack stays there as a ghost, unless its identity ends."""
    remembered = _in_stack(my, entity) and why != DONTNEED and why != EXIT
    if remembered:
        _become_hir(my, entity)
        to_back(my, GHOSTS, entity)
    else:
        _leave(my, entity)
    _prune(my)


@kernel
def _in_stack(my, e):
    return my.links[second(my, e)].queue == STACK


@kernel
def _room(my):
    """How many may be LIR."""
    return my.slots_count - max(1, int(my.parameters[HIR_SHARE] * my.slots_count))


@kernel
def _become_lir(my, e):
    """The top of the stack; of too many LIR the one of the oldest reference becomes HIR."""
    remove(my, e)
    to_back(my, STACK, second(my, e))
    my.links[e].mark = LIR
    my.ints[LIR_COUNT] += 1
    _prune(my)
    if my.ints[LIR_COUNT] > _room(my):
        oldest = whose(my, front(my, STACK))
        _leave(my, oldest)
        push_back(my, RESIDENT, oldest)
        _prune(my)


@kernel
def _become_hir(my, e):
    my.ints[LIR_COUNT] -= my.links[e].mark
    my.links[e].mark = 0


@kernel
def _leave(my, e):
    """Out of all queues, and no longer LIR."""
    _become_hir(my, e)
    remove(my, e)
    remove(my, second(my, e))


@kernel
def _prune(my):
    """The stack ends with a LIR: an older gap than its would not make anyone LIR."""
    while length(my, STACK) > 0:
        oldest = whose(my, front(my, STACK))
        if my.links[oldest].mark == LIR:
            return
        remove(my, second(my, oldest))
        if my.links[oldest].queue == GHOSTS:
            remove(my, oldest)


@kernel
def _bound(my):
    """Of too many in the stack the first to have left is forgotten."""
    while length(my, STACK) > my.parameters[STACK_BOUND] * my.slots_count and length(my, GHOSTS) > 0:
        _leave(my, front(my, GHOSTS))


@kernel
def claim(my, entity, now, number):
    """LIR, then who is in the stack, then the others; among equals it is turns."""
    return float(my.links[entity.id].mark + _in_stack(my, entity.id)), order(my, entity, now)


@kernel
def _oldest_legal_lir(my, decision):
    member = front(my, STACK)
    while member != NONE and not legal_holder(my, decision, whose(my, member)):
        member = behind(my, member)
    return whose(my, member)


@kernel
def victim(my, decision):
    """The first resident HIR, else the oldest LIR."""
    e = first_legal(my, decision, RESIDENT)
    return e if e != NONE else _oldest_legal_lir(my, decision)


LIRS = Policy(
    name="lirs",
    aliases=("low_inter_reference_recency",),
    summary="the shortest gap between the last two references stays; newcomers share few slots",
    on_cores="levels: whose last gap was short, who ran lately, the others; turns within a level (one core: turns)",
    on_frames="LIRS, exact, S bounded. Who may wait (tier hints): by level",
    reads="order of holds and uses, of residents and of those that left",
    ties="none: the queues order",
    source="Jiang, Zhang, SIGMETRICS 2002. libCacheSim 0.3.5 besides demotes a LIR page at a hit outside S and, with Q "
    "full, evicts for it: an oracle in tests/test_adaptive_lists.py",
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    ints=(1, 0, 0),
    queues=QUEUES,
    links=2,
    parameters=PARAMETERS,
)
