"""Guards: between the engine and a policy from outside, whose mistakes end the episode, in words.

The engine calls a guard where it would call the policy. The guard calls on, by the address in `my.guarded`, and sees
what came of it: an error, a choice that is no contender, a claim that is not a number. What is wrong first stands in
the record FAULT; from then on nobody is called any more, and the loop ends.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import cache

from sos_gym.engine.legality import allowed, legal_holder
from sos_gym.engine.records import (
    CLAIM,
    CLAIM_SIGNATURE,
    PARTS,
    PICK_SIGNATURE,
    RANK,
    VERB_SIGNATURE,
    VICTIM,
    Verb,
)
from sos_gym.kernel import address_of, inlined, kernel
from sos_gym.kernel.attempts import RAISED, attempt_at
from sos_gym.resource import NONE

TURNS = 1 << 20  # of loops, in one call of a policy: some milliseconds
TURNS_EACH = 1 << 10  # more for each entity and slot


class Fault(IntEnum):
    """What is wrong."""

    RAISED = RAISED  # an exception of compiled code
    PLAIN = 2  # an exception of Python
    NO_CONTENDER = 3
    NOT_A_NUMBER = 4
    MISSING = 5  # a part that the policy has not
    NESTED = 6  # a part that calls itself


_attempt_verb, _attempt_pick, _attempt_claim = map(attempt_at, (VERB_SIGNATURE, PICK_SIGNATURE, CLAIM_SIGNATURE))


@kernel
def fail(my, part, e, code, error_at, choice):
    """Write down what is wrong, unless something was before."""
    fault = my.fault[0]
    if fault.code == 0:
        fault.code, fault.host, fault.part, fault.resource = code, my.host, part, my.resource
        fault.entity, fault.number, fault.choice = e, my.number, choice
        fault.wrong, fault.size, fault.error_at = my.wrong, my.size, error_at


@inlined
def _enter(my, part, e):
    """Whether `part` may be called."""
    if my.fault[0].code != 0:
        return False
    if my.guarded[part] == 0 or my.inside >> part & 1:
        fail(my, part, e, Fault.MISSING if my.guarded[part] == 0 else Fault.NESTED, 0, NONE)
        return False
    if my.inside == 0:
        my.turns, my.size = TURNS + TURNS_EACH * (my.entities.size + my.slots.size), 0
    my.inside |= 1 << part
    return True


@inlined
def _leave(my, part, e, code, error_at):
    my.inside &= ~(1 << part)
    if code != 0:
        fail(my, part, e, code, error_at, NONE)


def _telling(part: int) -> Callable:
    @kernel
    def tell(my, e):
        if _enter(my, part, e):
            code, error_at, _ = _attempt_verb(my.guarded[part], my, e)
            _leave(my, part, e, code, error_at)

    return tell


def _weighing(part: int) -> Callable:
    @kernel
    def weigh(my, entity):
        if not _enter(my, part, entity.id):
            return 0.0, 0.0
        code, error_at, (first, second) = _attempt_claim(my.guarded[part], my, entity)
        _leave(my, part, entity.id, code, error_at)
        if first == first and second == second:
            return first, second
        fail(my, part, entity.id, Fault.NOT_A_NUMBER, 0, NONE)
        return 0.0, 0.0

    return weigh


def _choosing(part: int, is_legal: Callable) -> Callable:
    @kernel
    def choose(my, decision):
        if not _enter(my, part, decision.entity):
            return _some_contender(my, decision)
        code, error_at, choice = _attempt_pick(my.guarded[part], my, decision)
        _leave(my, part, decision.entity, code, error_at)
        if code == 0 and is_legal(my, decision, choice):
            return choice
        fail(my, part, decision.entity, Fault.NO_CONTENDER, 0, choice)
        return _some_contender(my, decision)

    return choose


# -- who contends


@kernel
def _is_contender(my, decision, choice):
    if decision.listed:
        for i in range(decision.count):
            if my.contenders[i] == choice:
                return True
        return False
    return _is_lowest_vacant(my, decision, -1 - choice) if choice < 0 else _is_legal_holder(my, decision, choice)


@kernel
def _is_legal_holder(my, decision, choice):
    """Whether it may be the victim of a page fault; of any int64."""
    if choice < my.first_entity or choice >= my.first_entity + my.entities_count:
        return False
    return legal_holder(my, decision, choice)


@inlined
def _is_lowest_vacant(my, decision, slot):
    for node in range(my.nodes.size // 2):
        place = my.nodes[decision.resource * (my.nodes.size // 2) + node]
        if place.vacant > 0 and my.vacant_slots[place.first_slot] == slot:
            return allowed(my, decision.entity, node)
    return False


@kernel
def _some_contender(my, decision):
    """The engine needs one until it comes to its end."""
    if decision.listed:
        return my.contenders[0]
    for slot in range(my.first_slot, my.first_slot + my.slots_count):
        holder = my.slots[slot].holder
        if holder != NONE and legal_holder(my, decision, holder):
            return holder
    return -1 - decision.vacancy


@cache
def guard_at(part: int) -> int:
    """The address of what the engine calls in place of a policy's part."""
    if part in (CLAIM, RANK):
        return address_of(_weighing(part), CLAIM_SIGNATURE)
    if part in (Verb.PICK, VICTIM):
        return address_of(_choosing(part, _is_contender if part == Verb.PICK else _is_legal_holder), PICK_SIGNATURE)
    return address_of(_telling(part), VERB_SIGNATURE)


assert len(PARTS) < 32  # bits of `inside`
