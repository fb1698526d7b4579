"""List policies: queues whose order names the victim; on cores a queue is a level."""

import dataclasses
from collections.abc import Callable

from sos_gym.engine.records import pick_at
from sos_gym.kernel import kernel
from sos_gym.policy.books import levels
from sos_gym.policy.books.levels import COOLED
from sos_gym.policy.books.queue import first_legal
from sos_gym.policy.contract import Policy, Sides, pick_by_claim
from sos_gym.resource import NONE, Kind


@kernel
def pick_from_lists(my, decision):
    """A page fault: the vacancy if there is one, else what cooled first, else the policy's victim. Others: by claim."""
    if decision.kind != Kind.EVICT or decision.may_wait:
        return pick_by_claim(my, decision)
    if decision.vacancy != NONE:
        return -1 - decision.vacancy
    cooled = first_legal(my, decision, COOLED)
    return cooled if cooled != NONE else pick_at(my.victim_at)(my, decision)


COOLING = Sides(frames=levels.cool)


@dataclasses.dataclass(frozen=True, repr=False)
class ListPolicy(Policy):
    """A policy of queues numbered from 2; what is cooled stands in the first one and goes before all others.

    Unless its card says otherwise it cools pages so, and on cores a queue is a level: the higher the number the
    stronger, turns within a level.
    """

    cool: Callable | Sides | None = COOLING
    claim: Callable | Sides | None = levels.claim

    @property
    def default_pick(self) -> Callable:
        return pick_from_lists
