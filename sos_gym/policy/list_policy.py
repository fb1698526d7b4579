"""List policies: queues whose order names the victim; on cores a queue is a level."""

import dataclasses
from collections.abc import Callable

from sos_gym.engine.uses import look
from sos_gym.kernel import kernel
from sos_gym.policy.books import levels
from sos_gym.policy.books.levels import COOLED
from sos_gym.policy.books.queue import first_legal
from sos_gym.policy.contract import Policy, Sides, names_victim, pick_without_victim, unless_older, unused_victim
from sos_gym.resource import NONE


@kernel
def pick_from_lists(my, decision):
    """Where the policy's rule names a victim, what cooled first goes before it. Others: as all (`pick_by_victim`)."""
    if not names_victim(my, decision):
        return pick_without_victim(my, decision)
    cooled = first_legal(my, decision, COOLED)
    while cooled != NONE and look(my, cooled):
        cooled = first_legal(my, decision, COOLED)
    return unless_older(my, decision, cooled if cooled != NONE else unused_victim(my, decision))


COOLING = Sides(frames=levels.cool)


@dataclasses.dataclass(frozen=True, repr=False)
class ListPolicy(Policy):
    """A policy of queues numbered from 2; what is cooled stands in the first one and goes before all others.

    Unless its card says otherwise it cools pages so, and on cores a queue is a level: the higher the number the
    stronger, turns within a level. With tiers its queues order the fast one.
    """

    fast_only: bool = True
    cool: Callable | Sides | None = COOLING
    claim: Callable | Sides | None = levels.claim

    @property
    def default_pick(self) -> Callable:
        return pick_from_lists
