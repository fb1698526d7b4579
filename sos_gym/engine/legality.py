"""Who may be chosen. `view` is the simulation, or what a policy sees of it."""

from sos_gym.kernel import inlined, kernel
from sos_gym.resource import NONE, Resource, State, Why


@inlined
def allowed(view, e, node):
    """Whether the affinity of entity `e` admits `node`."""
    return (view.entities[e].affinity >> node & 1) == 1


@inlined
def may_leave(entity):
    """Whether it holds a slot that may be taken from it: it is neither in flight nor pinned."""
    return entity.state == State.HOLDING and not entity.pinned


@inlined
def legal_holder(view, decision, e):
    """Whether holder `e` may go without in this EVICT."""
    entity = view.entities[e]
    if not may_leave(entity) or e == decision.entity:
        return False
    if decision.cause == Why.HINT:
        return entity.node == decision.node and allowed(view, e, view.entities[decision.entity].node)
    if decision.local and entity.node != decision.node:
        return False
    return allowed(view, decision.entity, entity.node)


@kernel
def may_move(view, e, node):
    """Whether page `e` may lie on `node`, and may be moved now."""
    return may_leave(view.entities[e]) and allowed(view, e, node)


@kernel
def legal_waiter(view, decision, e):
    """Whether waiter `e` may get the slot of this ADMIT."""
    if decision.resource == Resource.CPU:
        return allowed(view, e, decision.node) and e != view.slots[decision.slot].excluded
    holder = decision.entity
    return (
        view.entities[e].home == decision.node
        and may_move(view, e, decision.node)
        and (holder == NONE or allowed(view, holder, view.entities[e].node))
    )
