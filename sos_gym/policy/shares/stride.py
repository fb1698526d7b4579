"""Stride: whoever would have had least for its weight after one more quantum."""

import math

from sos_gym.policy.books import virtual_time
from sos_gym.policy.words import Parameter, Policy, Sides, kernel


@kernel
def release(my, e):
    virtual_time.leave(my, e, my.why, math.inf)


@kernel
def claim(my, entity):
    """The least pass first: a debt on cores, a credit on frames."""
    quantum = 1.0 if my.use_is_credit > 0 else my.parameters.quantum_ns
    passed = virtual_time.given(my, entity.id) + quantum * virtual_time.rate(my, entity.id)
    return my.use_is_credit * passed, 0.0


STRIDE = Policy(
    name="stride",
    aliases=("stride_scheduling",),
    summary="the least pass first; each quantum adds one stride, the inverse of the weight",
    on_cores="stride scheduling of threads: of any two, no one is a quantum ahead of its share",
    on_frames="kin of LFU with dynamic ageing: each use adds the page's weight, newcomers start at the mean of all, "
    "the least goes",
    reads="ns held (threads), uses (pages), weight",
    sight="a page is given its sightings as service",
    not_to_be_confused="`lottery`, its random counterpart; `fair_share`, which is by owner",
    source="Waldspurger, Weihl, MIT/LCS/TM-528, 1995; the global pass is the mean pass by weight",
    parameters={"quantum_ns": Parameter(1_000_000, "ns", 0, 10**12, "light threads start later; best tick_ns")},
    want=virtual_time.join,
    use=Sides(frames=virtual_time.use),
    cool=Sides(frames=virtual_time.cool),
    release=release,
    claim=claim,
    books=(virtual_time.VIRTUAL_TIME,),
    queues=1,
)
