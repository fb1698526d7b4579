"""Policies that are only a claim: one kernel and one card each."""

import math
from typing import Any

from sos_gym.engine.chance import uniform
from sos_gym.kernel import kernel
from sos_gym.policy.books import heap
from sos_gym.policy.contract import Policy


@kernel
def age(my, entity, now):
    """The gap so far: ns since a page's last use, ns of service in a thread's burst."""
    return now - entity.last_use if my.use_is_credit > 0 else entity.attained


@kernel
def seniority_claim(my, entity, now, number):
    return -float(entity.spell_seq), 0.0


@kernel
def frequency_claim(my, entity, now, number):
    return float(entity.uses), float(entity.use_seq)


@kernel
def priority_claim(my, entity, now, number):
    return float(entity.weight), float(entity.use_seq)


@kernel
def gap_claim(my, entity, now, number):
    return -float(max(entity.last_gap, age(my, entity, now))), 0.0


@kernel
def lottery_claim(my, entity, now, number):
    return math.log(uniform(my.seed, number, entity.id)) / entity.weight, 0.0


def _by_heap(**card: Any) -> Policy:
    """A claim that a heap serves: time alone never changes the order of two holders."""
    verbs: dict[str, Any] = {"hold": heap.hold, "use": heap.use, "release": heap.release, "victim": heap.victim}
    return Policy(**card, **verbs, ints=heap.INTS, floats=heap.FLOATS)


SENIORITY = Policy(
    name="seniority",
    aliases=("fcfs", "sched_fifo"),
    summary="first come, first served; never takes a slot away for a newcomer",
    on_cores="FCFS, which is SCHED_FIFO at one priority",
    on_frames="LIFO: the page that faulted last goes first. Silly: a newcomer is the likeliest to be used",
    reads="spell_seq",
    source="sched(7)",
    claim=seniority_claim,
)
FREQUENCY = _by_heap(
    name="frequency",
    aliases=("lfu",),
    summary="what was used most since it got its slot stays; then what was used last",
    on_cores="busiest first: whoever was given most slices gets the next",
    on_frames="LFU in cache (counts start anew at each fault), ties by LRU",
    reads="uses, use_seq",
    source="Aho, Denning, Ullman, JACM 18(1), 1971",
    claim=frequency_claim,
)
PRIORITY = _by_heap(
    name="priority",
    aliases=(),
    summary="the greater weight, then recency",
    on_cores="static priority; a waker preempts only a strictly lower one",
    on_frames="priority paging: LRU among the pages of the lightest owner",
    reads="weight, use_seq",
    source="sched(7); Solaris 7 priority paging",
    claim=priority_claim,
)
GAP = Policy(
    name="gap",
    aliases=("reuse_distance",),
    summary="the shortest max(last gap, age) stays",
    on_cores="short burst first, judged by the last burst, or the present one when that is longer",
    on_frames="least estimated time to the next use",
    reads="last_gap; age: ns since last use (pages), ns of service in this burst (threads)",
    source="DESIGN 1; on pages close to LIRS's inter-reference recency (Jiang, Zhang, SIGMETRICS 2002)",
    claim=gap_claim,
)
LOTTERY = Policy(
    name="lottery",
    aliases=("random",),
    summary="chance in proportion to weight",
    on_cores="lottery scheduling: P(win) = weight / sum of weights",
    on_frames="weighted random replacement: light owners lose pages sooner",
    reads="weight; u = hash(seed, decision number, entity)",
    ties="none: log(u)/weight is distinct",
    source="Waldspurger, Weihl, OSDI 1994; log(u)/weight: Efraimidis, Spirakis, IPL 97, 2006",
    claim=lottery_claim,
)
POLICIES = (SENIORITY, FREQUENCY, PRIORITY, GAP, LOTTERY)
