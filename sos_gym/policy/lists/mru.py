"""MRU: what was used last goes first."""

from sos_gym.kernel import kernel
from sos_gym.policy.books.levels import COOLED
from sos_gym.policy.books.queue import first_legal, push_front, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why

USED = 2
MOVE, COLD = int(Why.MOVE), int(Why.COLD)


@kernel
def claim(my, entity, now, number):
    return -abs(float(entity.use_seq)), 0.0  # far below zero once cooled: of greater size than any other


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        push_front(my, USED, entity)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        to_back(my, COOLED, entity)
    else:
        remove(my, entity)
        push_front(my, USED, entity)


@kernel
def release(my, entity, slot, why, now):
    remove(my, entity)


@kernel
def victim(my, decision):
    """What cooled first, else what was used last."""
    cooled = first_legal(my, decision, COOLED)
    return cooled if cooled != NONE else first_legal(my, decision, USED)


MRU = Policy(
    name="mru",
    aliases=("coldest_first",),
    summary="what was used last goes first",
    on_cores="coldest first: whoever ran longest ago runs; a waker always preempts the thread that was charged last",
    on_frames="MRU, exact: best for a loop that does not fit, poor for nearly all else",
    reads="use_seq",
    source="Chou, DeWitt, VLDB 1985",
    claim=claim,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    queues=2,
)
