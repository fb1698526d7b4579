"""Nearest: whoever is near the slot has the stronger claim to it."""

import math

from sos_gym.policy.books import placement
from sos_gym.policy.words import Policy, kernel, turn


@kernel
def _order(my, entity):
    """Turns; for pages the time since their last use, in which a cooled one is the oldest."""
    if my.use_is_credit < 0:
        return turn(my, entity)
    return -math.inf if entity.use_seq < 0 else -float(my.now - entity.last_use), float(entity.use_seq)


@kernel
def claim(my, entity):
    first, second = _order(my, entity)
    return first + placement.worth(my, entity), second


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
    sight="recency is that of sightings, home the node of the last one",
    source="cache-hot tasks: kernel/sched/fair.c, task_hot; local reclaim: mm/vmscan.c, node_reclaim",
    claim=claim,
    pick=placement.pick,
    books=(placement.OFFER,),
    parameters={"worth": placement.NEARER},
)
