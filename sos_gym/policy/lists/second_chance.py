"""Second chance: a queue in which whoever used its slot goes round once more (CLOCK)."""

from sos_gym.engine.legality import legal_holder, vacancy_for
from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import behind, expect, front, push_back, remove, to_back
from sos_gym.policy.contract import Policy, earliest_waiter
from sos_gym.resource import NONE, Kind, Why

ADMIT = int(Kind.ADMIT)
RING = 1
USED, SPENT = 1, 2  # values of the bit that is set; spent: it was kept once in this stay
MOVE, COLD, HINT = int(Why.MOVE), int(Why.COLD), int(Why.HINT)


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        push_back(my, RING, entity)
        my.links[entity].mark = 0


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        my.links[entity].mark = 0
    elif my.links[entity].mark == 0:
        my.links[entity].mark = USED


@kernel
def release(my, entity, slot, why, now):
    remove(my, entity)


@kernel
def _victim(my, decision):
    """The hand goes round: a set bit is cleared and its page goes to the back; the illegal are stepped over."""
    e = front(my, RING)
    while True:
        after = behind(my, e)
        if legal_holder(my, decision, e):
            if not my.links[e].mark:
                expect(my, my.links[e].next)
                return e
            my.links[e].mark = 0
            to_back(my, RING, e)
        e = after if after != NONE else front(my, RING)


@kernel
def pick(my, decision):
    """EVICT: the hand's victim, unless a newcomer may wait. ADMIT: a holder that used its slot gets one more turn."""
    if decision.kind == ADMIT:
        holder = decision.entity
        if holder != NONE and my.links[holder].mark == USED:
            my.links[holder].mark = SPENT
            return holder
        return earliest_waiter(my, decision)
    if decision.cause != HINT:
        slot = vacancy_for(my, decision)
        if slot != NONE:
            return -1 - slot
        if decision.may_wait:
            return decision.entity
    return _victim(my, decision)


SECOND_CHANCE = Policy(
    name="second_chance",
    aliases=("clock",),
    summary="a queue; whoever used its slot goes round once more",
    on_cores="round robin in which every thread that used its slice is kept for a second one; a waker waits",
    on_frames="CLOCK, exact; a page is loaded with its bit at 0",
    reads="order of holds, one bit per entity",
    ties="none: the queue orders",
    source="Corbató, MIT Project MAC, 1968",
    hold=hold,
    use=use,
    release=release,
    pick=pick,
    queues=1,
    needs_list=False,
)
