"""Ageing (LFU with dynamic ageing): uses count from a level that rises.

The level is the key of whoever went without last. A use sets the key anew, uses + level, so old fame fades.
libCacheSim (peer=1) takes the least key of the residents as the level and adds it to a key at every use: keys grow
exponentially. It looks for the next level upwards, key by key, so who is used at the level and lands below the next
one is out of its sight until used again.
"""

import math

from sos_gym.policy.words import NONE, Parameter, Policy, Sides, Why, heap, kernel

MOST = 1 << 53  # a claim, which is a float, does not tell greater keys apart


@kernel
def hold(my, e):
    _renew(my, e)
    heap.hold(my, e)


@kernel
def use(my, e):
    if _is_peer(my):
        _add_level(my, e)
    else:
        _renew(my, e)


@kernel
def cool(my, e):
    my.each[e].key = 0
    heap.cool(my, e)


@kernel
def release(my, e):
    """Who goes without raises the level; whoever the policy did not choose may lie below it."""
    heap.release(my, e)
    if my.why == Why.EVICTED or my.why == Why.PREEMPT:
        _raise_level(my, heap.weakest(my) if _is_peer(my) else e)


@kernel
def _is_peer(my):
    return my.parameters.peer != 0 and my.use_is_credit > 0


@kernel
def _raise_level(my, e):
    """To the key of `e`, if that is higher."""
    if e != NONE:
        my.own.level = max(my.own.level, min(my.each[e].key, MOST))


@kernel
def _renew(my, e):
    my.each[e].key = my.own.level + my.entities[e].uses


@kernel
def _add_level(my, e):
    """Who stood at the level, or below, is out of the order until the level has risen to the least of the others."""
    key, level = my.each[e].key, my.own.level
    my.each[e].key = min(key + level, MOST)
    if key <= level:
        heap.release(my, e)
        _raise_level(my, heap.weakest(my))
        heap.hold(my, e)


@kernel
def claim(my, entity):
    key = my.each[entity.id].key
    if _is_peer(my) and 0 < key < my.own.level:
        return math.inf, 0.0
    return float(my.use_is_credit * key), 0.0


AGEING = Policy(
    name="ageing",
    aliases=("lfuda", "lfu_da"),
    summary="uses count from a level that rises, so old fame fades",
    on_cores="least used first, from the key of the thread preempted last: so who waits long comes first",
    on_frames="LFU with dynamic ageing, exact: key = uses + key of the page evicted last; ties by LRU",
    reads="uses at its last use, level at that time; use_seq",
    sight="counts sightings: one per harvest or look, so hot pages differ less",
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
    cool=Sides(frames=cool),
    release=release,
    victim=heap.victim,
    own={"level": 0},
    each={"key": 0},
    books=(heap.HEAP,),
)
