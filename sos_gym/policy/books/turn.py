"""Turns: what they say of a claim, for all policies that take turns somewhere."""

import math

from sos_gym.kernel import kernel
from sos_gym.resource import NONE


@kernel
def turn(my, entity):
    """Waiting: the longer the stronger. Holding: unassailable until its turn is over, then the longer the weaker."""
    if entity.slot == NONE:
        return float(my.now - entity.want_ns), -float(entity.want_seq)
    if not entity.turn_over:
        return math.inf, 0.0
    return -float(my.now - entity.hold_ns), float(entity.hold_seq)


@kernel
def order(my, entity):
    """Among equals, for policies whose claim is a level: turns on cores, recency on frames."""
    return turn(my, entity)[0] if my.use_is_credit < 0 else float(entity.use_seq)


@kernel
def age(my, entity):
    """The gap so far: ns since a page's last use, ns of service in a thread's burst."""
    return my.now - entity.last_use if my.use_is_credit > 0 else entity.attained
