"""Placement: whoever is near the slot has the stronger claim to it."""

import math

from sos_gym.kernel import kernel
from sos_gym.policy.contract import Policy, pick_by_claim
from sos_gym.policy.lists.turns import turn
from sos_gym.resource import Kind
from sos_gym.settings.ranges import Parameter

ADMIT = int(Kind.ADMIT)
OFFER, NODE, SLOT = 0, 1, 2  # ints: the decision, as far as the claim must know it
INTS = (3, 0, 0)
WORTH = 0  # parameter
NEARER = Parameter(500_000, "ns", 0, 10**15, "per step nearer, sysctl sched_migration_cost_ns; fewer moves, less order")


@kernel
def _order(my, entity, now):
    """Turns; for pages the time since their last use, in which a cooled one is the oldest."""
    if my.use_is_credit < 0:
        return turn(entity, now)
    return -math.inf if entity.use_seq < 0 else -float(now - entity.last_use), float(entity.use_seq)


@kernel
def nearness(my, entity):
    """ADMIT: steps from the slot's node to the slot itself. EVICT: a stay that is local, or no use to who wants."""
    ints = my.ints
    if ints[OFFER]:
        own = entity.slot == ints[SLOT] or entity.last_slot == ints[SLOT]
        return int(entity.home == ints[NODE]) + int(own)
    return int(entity.home == entity.node) + int(entity.node != ints[NODE])


@kernel
def claim(my, entity, now, number):
    first, second = _order(my, entity, now)
    return first + my.parameters[WORTH] * nearness(my, entity), second


@kernel
def pick(my, decision):
    my.ints[OFFER], my.ints[NODE], my.ints[SLOT] = decision.kind == ADMIT, decision.node, decision.slot
    return pick_by_claim(my, decision)


NEAREST = Policy(
    name="nearest",
    aliases=("affinity_first",),
    summary="order, but every step nearer to the slot counts as time",
    on_cores=(
        "turns, in which a thread counts as having waited `worth` longer when the core is on its home node, and again "
        "when it ran there last; a waker waits for the end of a turn"
    ),
    on_frames=(
        "LRU, in which a page counts as used `worth` later when it lies where it is used, and again when its frame "
        "would not be local to the page that wants one; a scan brings home what was used later"
    ),
    reads="home, node, slot, last_slot; want_ns, hold_ns, turn_over; last_use",
    source="cache-hot tasks: kernel/sched/fair.c, task_hot; local reclaim: mm/vmscan.c, node_reclaim",
    claim=claim,
    pick=pick,
    ints=INTS,
    parameters={"worth": NEARER},
)
