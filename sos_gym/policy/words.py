"""The words that policies are written in: one import for all that a policy needs."""

from sos_gym.engine.chance import mixed, uniform
from sos_gym.engine.legality import legal_holder
from sos_gym.engine.records import claim_at
from sos_gym.engine.uses import look
from sos_gym.kernel import inlined, kernel
from sos_gym.policy.books import heap, levels, log, queue, sample
from sos_gym.policy.books.levels import COOLED
from sos_gym.policy.books.turn import age, order, turn
from sos_gym.policy.contract import (
    Book,
    Policy,
    Records,
    Sides,
    earliest_waiter,
    names_victim,
    pick_by_claim,
    pick_by_victim,
    pick_without_victim,
    unless_older,
)
from sos_gym.policy.list_policy import ListPolicy
from sos_gym.resource import COLD_OFFSET, DEFAULT_WEIGHT, NEVER, NONE, Kind, Resource, State, Why
from sos_gym.settings.ranges import Parameter
