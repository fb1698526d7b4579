"""SIEVE: a queue whose hand spares what was used, where it stands."""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import kernel
from sos_gym.policy.books.levels import COOLED
from sos_gym.policy.books.queue import behind, first_legal, front, push_back, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.resource import NONE, Why

RING = 2
HAND = 0  # ints: 1 + whom the hand asks next; 0: the front
MOVE, COLD = int(Why.MOVE), int(Why.COLD)


@kernel
def claim(my, entity, now, number):
    """A use is a credit on frames and a debt on cores."""
    link = my.links[entity.id]
    level = -1 if link.queue == COOLED else link.mark * my.use_is_credit
    return float(level), order(my, entity, now)


@kernel
def want(my, entity, home, why, now):
    my.links[entity].mark = 0


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        push_back(my, RING, entity)


@kernel
def use(my, entity, amount, why, now):
    """A cooled page that is used joins the queue like a new one."""
    if why == COLD:
        _leave(my, entity)
        push_back(my, COOLED, entity)
        my.links[entity].mark = 0
    elif my.links[entity].queue == COOLED:
        to_back(my, RING, entity)
    else:
        my.links[entity].mark = 1


@kernel
def release(my, entity, slot, why, now):
    _leave(my, entity)


@kernel
def _leave(my, e):
    if my.ints[HAND] == 1 + e:
        my.ints[HAND] = 1 + behind(my, e)
    remove(my, e)


@kernel
def _victim(my, decision):
    """The hand goes from the oldest to the newest and round again; it clears bits, but moves nobody."""
    e = my.ints[HAND] - 1
    while True:
        if e == NONE:
            e = front(my, RING)
        if legal_holder(my, decision, e):
            if not my.links[e].mark:
                my.ints[HAND] = 1 + e
                return e
            my.links[e].mark = 0
        e = behind(my, e)


@kernel
def victim(my, decision):
    """What cooled first, else where the hand stops."""
    cooled = first_legal(my, decision, COOLED)
    return cooled if cooled != NONE else _victim(my, decision)


SIEVE = Policy(
    name="sieve",
    summary="a queue; its hand spares what was used, where it stands, and takes the next that was not",
    on_cores="two-level feedback: who has not run in this burst goes first, then round robin; the hand is idle",
    on_frames="SIEVE, exact; a page is loaded with its bit at 0",
    reads="order of holds, one bit per entity",
    ties="pages: none, the queue orders; levels of threads: round robin",
    not_to_be_confused="second_chance (CLOCK), which puts the spared at the back, behind the newcomers",
    source="Zhang, Yang, Yue, Vigfusson, Rashmi, NSDI 2024",
    want=want,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    ints=(1, 0, 0),
    queues=2,
)
