"""The nearest expected future first: a policy that knows the workload's generator, but not what it drew.

On pages that are drawn independently this is A0 (Aho, Denning and Ullman, JACM 18(1), 1971): the page least likely to
be used goes. On bursts of a known class with memoryless rests it is the order by Gittins' index (Gittins, 1979): the
shortest mean rest first; by weight, w / rest (the c mu rule, Cox and Smith, 1961). It runs on draws of synthetic
families only and is no competitor: it says how much there is to learn.
"""

from sos_gym.engine.futures import position
from sos_gym.policy.books import placement
from sos_gym.policy.words import DEFAULT_WEIGHT, Policy, kernel
from sos_gym.workload.tables import GROWING, MEMORYLESS


@kernel
def _references_ahead(my, entity, value):
    """Until the next use of a page."""
    if value >= 0:
        return value
    return max(-1 - value - position(my, entity.last_user), 0)


@kernel
def _rest(entity, value, then):
    """Of a thread's burst, ns."""
    if then == MEMORYLESS:
        return value
    if then == GROWING:
        return max(value, entity.attained)
    return max((value if entity.attained < value else then) - entity.attained, 0)


@kernel
def claim(my, entity):
    known = my.forecasts[entity.id]
    per_weight = DEFAULT_WEIGHT / entity.weight
    if my.use_is_credit > 0:
        return -per_weight * _references_ahead(my, entity, known.value), 0.0
    rest = per_weight * _rest(entity, known.value, known.then)
    return placement.worth(my, entity) - rest, 0.0


INFORMED = Policy(
    name="informed",
    aliases=(),
    summary="the nearest expected future first; knows the generator, not the draw",
    on_cores="shortest mean rest of the burst, its class being known; every step nearer to the core counts as `worth`",
    on_frames="A0: the page with the longest mean time to its next use goes",
    reads="forecasts (privileged)",
    sight="needs no uses: it knows what they are drawn from",
    looks=False,
    source="Aho, Denning, Ullman, JACM 18(1), 1971; Gittins, J. Royal Statistical Society B 41(2), 1979",
    claim=claim,
    pick=placement.pick,
    books=(placement.OFFER,),
    parameters={"worth": placement.NEARER},
    needs_forecast=True,
)
