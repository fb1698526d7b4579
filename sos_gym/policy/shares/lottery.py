"""Lottery: chance decides, in proportion to weight."""

import math

from sos_gym.policy.words import Policy, kernel, uniform


@kernel
def claim(my, entity):
    return math.log(uniform(my.seed, my.number, entity.id)) / entity.weight, 0.0


LOTTERY = Policy(
    name="lottery",
    aliases=("random",),
    summary="chance in proportion to weight",
    on_cores="lottery scheduling: P(win) = weight / sum of weights",
    on_frames="weighted random replacement: light owners lose pages sooner",
    reads="weight; u = hash(seed, decision number, entity)",
    sight="needs no uses: the same under every sight",
    looks=False,
    ties="none: log(u)/weight is distinct",
    source="Waldspurger, Weihl, OSDI 1994; log(u)/weight: Efraimidis, Spirakis, IPL 97, 2006",
    claim=claim,
)
