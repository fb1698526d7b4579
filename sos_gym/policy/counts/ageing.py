"""Ageing (LFU with dynamic ageing): uses count from a level that rises.

The level is the key of whoever went without last. A use sets the key anew, uses + level, so old fame fades.
libCacheSim (peer=1) takes the least key of the residents as the level and adds it to a key at every use: keys grow
exponentially. It looks for the next level upwards, key by key, so who is used at the level and lands below the next
one is out of its sight until used again.
"""

import math

from sos_gym.kernel import kernel
from sos_gym.policy.books import heap
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

COLD, EVICT, MOVE, PREEMPT = int(Why.COLD), int(Why.EVICTED), int(Why.MOVE), int(Why.PREEMPT)
LEVEL = 1  # ints, from their end, behind the heap's: the level, then the key of each entity
PEER = 0  # parameter
MOST = 1 << 53  # a claim, which is a float, does not tell greater keys apart


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
    elif _is_peer(my):
        _add_level(my, entity, now)
    else:
        _renew(my, entity)


@kernel
def release(my, entity, slot, why, now):
    """Who goes without raises the level; whoever the policy did not choose may lie below it."""
    heap.release(my, entity, slot, why, now)
    if why == EVICT or why == PREEMPT:
        _raise_level(my, heap.weakest(my) if _is_peer(my) else entity)


@kernel
def _is_peer(my):
    return my.parameters[PEER] != 0 and my.use_is_credit > 0


@kernel
def _key(my, e):
    return my.ints.size - LEVEL - 1 - e


@kernel
def _level(my):
    return my.ints[my.ints.size - LEVEL]


@kernel
def _raise_level(my, e):
    """To the key of `e`, if that is higher."""
    if e != NONE:
        my.ints[my.ints.size - LEVEL] = max(_level(my), min(my.ints[_key(my, e)], MOST))


@kernel
def _renew(my, e):
    my.ints[_key(my, e)] = _level(my) + my.entities[e].uses


@kernel
def _add_level(my, e, now):
    """Who stood at the level, or below, is out of the order until the level has risen to the least of the others."""
    key, level = my.ints[_key(my, e)], _level(my)
    my.ints[_key(my, e)] = min(key + level, MOST)
    if key <= level:
        heap.release(my, e, NONE, EVICT, now)
        _raise_level(my, heap.weakest(my))
        heap.hold(my, e, NONE, EVICT, now)


@kernel
def claim(my, entity, now, number):
    key = my.ints[_key(my, entity.id)]
    if _is_peer(my) and 0 < key < _level(my):
        return math.inf, 0.0
    return float(my.use_is_credit * key), 0.0


AGEING = Policy(
    name="ageing",
    aliases=("lfuda", "lfu_da"),
    summary="uses count from a level that rises, so old fame fades",
    on_cores="least used first, from the key of the thread preempted last: so who waits long comes first",
    on_frames="LFU with dynamic ageing, exact: key = uses + key of the page evicted last; ties by LRU",
    reads="uses at its last use, level at that time; use_seq",
    not_to_be_confused="LFU with halved counts",
    source="Arlitt, Cherkasova, Dilley, Friedrich, Jin, Performance Evaluation Review 27(4), 2000 (cost and size 1); "
    "peer=1: libCacheSim 0.3.5, exact (from 2**53 on keys are equal, but it counts up to them and does not get there)",
    parameters={
        "peer": Parameter(
            0, "", 0, 1, "1: on frames a use adds the least key of the residents, so keys grow exponentially"
        )
    },
    claim=claim,
    hold=hold,
    use=use,
    release=release,
    victim=heap.victim,
    ints=(heap.INTS[0] + 1, heap.INTS[1] + 1, heap.INTS[2]),
    floats=heap.FLOATS,
)
