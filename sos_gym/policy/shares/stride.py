"""Stride: whoever would have had least for its weight after one more quantum."""

import math

from sos_gym.kernel import kernel
from sos_gym.policy.books.virtual_time import FLOATS, cool, credit_use, given, join, leave, rate
from sos_gym.policy.contract import Policy
from sos_gym.resource import Why
from sos_gym.settings.ranges import Parameter

COLD = int(Why.COLD)
QUANTUM = 0


@kernel
def want(my, entity, home, why, now):
    join(my, entity, now)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        cool(my, entity, now)
    else:
        credit_use(my, entity)


@kernel
def release(my, entity, slot, why, now):
    leave(my, entity, why, now, math.inf)


@kernel
def claim(my, entity, now, number):
    """The least pass first: a debt on cores, a credit on frames."""
    quantum = 1.0 if my.use_is_credit > 0 else my.parameters[QUANTUM]
    return my.use_is_credit * (given(my, entity.id, now) + quantum * rate(my, entity.id)), 0.0


STRIDE = Policy(
    name="stride",
    aliases=("stride_scheduling",),
    summary="the least pass first; each quantum adds one stride, the inverse of the weight",
    on_cores="stride scheduling of threads: of any two, no one is a quantum ahead of its share",
    on_frames="kin of LFU with dynamic ageing: each use adds the page's weight, newcomers start at the mean of all, "
    "the least goes",
    reads="ns held (threads), uses (pages), weight",
    not_to_be_confused="`lottery`, its random counterpart; `fair_share`, which is by owner",
    source="Waldspurger, Weihl, MIT/LCS/TM-528, 1995; the global pass is the mean pass by weight",
    parameters={"quantum_ns": Parameter(1_000_000, "ns", 0, 10**12, "light threads start later; best tick_ns")},
    want=want,
    use=use,
    release=release,
    claim=claim,
    floats=FLOATS,
    queues=1,
)
