"""Turns (FIFO, round robin): everybody holds a slot in turn."""

import math

from sos_gym.kernel import kernel
from sos_gym.policy.books.log import HEAD, INTS, append, first_legal
from sos_gym.policy.contract import Policy, earliest_waiter, pick_by_victim
from sos_gym.resource import NONE, Kind, Resource, Why

MOVE = int(Why.MOVE)
CPU, ADMIT = int(Resource.CPU), int(Kind.ADMIT)
BY_HOLD = 0


@kernel
def turn(entity, now):
    """Waiting: the longer the stronger. Holding: unassailable until its turn is over, then the longer the weaker."""
    if entity.slot == NONE:
        return float(now - entity.want_ns), -float(entity.want_seq)
    if not entity.turn_over:
        return math.inf, 0.0
    return -float(now - entity.hold_ns), float(entity.hold_seq)


@kernel
def order(my, entity, now):
    """Among equals, for policies whose claim is a level: turns on cores, recency on frames."""
    return turn(entity, now)[0] if my.use_is_credit < 0 else float(entity.use_seq)


@kernel
def claim(my, entity, now, number):
    return turn(entity, now)


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        append(my, HEAD, entity, my.entities[entity].hold_seq, BY_HOLD)


@kernel
def victim(my, decision):
    """Who holds longest."""
    return first_legal(my, decision, HEAD, BY_HOLD)


@kernel
def pick(my, decision):
    """What `claim` says; for a core without a scan by claim."""
    if decision.resource == CPU and decision.kind == ADMIT:
        holder = decision.entity
        keeps = holder != NONE and not my.entities[holder].turn_over
        return holder if keeps else earliest_waiter(my, decision)
    return pick_by_victim(my, decision)


TURNS = Policy(
    name="turns",
    aliases=("fifo", "round_robin"),
    summary="everybody holds a slot in turn",
    on_cores="round robin, exact; the quantum is tick_ns and counts from dispatch",
    on_frames="FIFO replacement, exact",
    reads="want_ns, hold_ns, turn_over",
    not_to_be_confused="SCHED_FIFO, which is `seniority`: `fifo` is the replacement rule, on cores that is round robin",
    source="Belady, IBM Systems Journal 5(2), 1966 (FIFO); Kleinrock, 1964 (round robin)",
    claim=claim,
    hold=hold,
    pick=pick,
    victim=victim,
    ints=INTS,
)
