"""Ageing (LFU with dynamic ageing): uses count from a level that rises.

The level is the key of whoever went without last. A use sets the key anew, uses + level, so old fame fades.
"""

from ..kernel import kernel
from ..resource import Why
from . import heap
from .base import Policy

COLD, EVICT, MOVE, PREEMPT = int(Why.COLD), int(Why.EVICT), int(Why.MOVE), int(Why.PREEMPT)
LEVEL = 1  # ints, from their end, behind the heap's: the level, then the key of each entity


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        _renew(my, entity)
        heap.hold(my, entity, slot, why, now)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        my.ints[_key(my, entity)] = 0
        heap.use(my, entity, amount, why, now)
    else:
        _renew(my, entity)


@kernel
def release(my, entity, slot, why, now):
    """Who goes without raises the level; whoever the policy did not choose may lie below it."""
    if why == EVICT or why == PREEMPT:
        level = my.ints.size - LEVEL
        my.ints[level] = max(my.ints[level], my.ints[_key(my, entity)])
    heap.release(my, entity, slot, why, now)


@kernel
def _key(my, e):
    return my.ints.size - LEVEL - 1 - e


@kernel
def _renew(my, e):
    my.ints[_key(my, e)] = my.ints[my.ints.size - LEVEL] + my.entities[e].uses


@kernel
def claim(my, entity, now, number):
    return float(my.use_is_credit * my.ints[_key(my, entity.id)]), 0.0


AGEING = Policy(
    name="ageing",
    aliases=("lfuda", "lfu_da"),
    summary="uses count from a level that rises, so old fame fades",
    on_cores="least used first, from the key of the thread preempted last: so who waits long comes first",
    on_frames="LFU with dynamic ageing, exact: key = uses + key of the page evicted last; ties by LRU",
    reads="uses at its last use, level at that time; use_seq",
    not_to_be_confused="LFU with halved counts; libCacheSim 0.3.5 LFUDA, where every hit adds the level once more",
    source="Arlitt, Cherkasova, Dilley, Friedrich, Jin, Performance Evaluation Review 27(4), 2000 (cost and size 1)",
    claim=claim,
    hold=hold,
    use=use,
    release=release,
    victim=heap.victim,
    ints=(heap.INTS[0] + 1, heap.INTS[1] + 1, heap.INTS[2]),
    floats=heap.FLOATS,
)
