"""Placement: how near a contender is to the slot, or to who wants one. The parameter `worth` says what that counts."""

from sos_gym.kernel import kernel
from sos_gym.policy.contract import Book, pick_by_claim
from sos_gym.resource import Kind
from sos_gym.settings.ranges import Parameter

OFFER = Book("offer", own={"admits": 0, "node": 0, "slot": 0})  # the decision, as far as the claim must know it
NEARER = Parameter(500_000, "ns", 0, 10**15, "per step nearer, sysctl sched_migration_cost_ns; fewer moves, less order")


@kernel
def nearness(my, entity):
    """ADMIT: steps from the slot's node to the slot itself. EVICT: a stay that is local, or no use to who wants."""
    offer = my.own.offer
    if offer.admits:
        own = entity.slot == offer.slot or entity.last_slot == offer.slot
        return int(entity.home == offer.node) + int(own)
    return int(entity.home == entity.node) + int(entity.node != offer.node)


@kernel
def worth(my, entity):
    """What its nearness counts for, ns."""
    return my.parameters.worth * nearness(my, entity)


@kernel
def pick(my, decision):
    """By claim, which may ask for `nearness`."""
    offer = my.own.offer
    offer.admits, offer.node, offer.slot = decision.kind == Kind.ADMIT, decision.node, decision.slot
    return pick_by_claim(my, decision)
