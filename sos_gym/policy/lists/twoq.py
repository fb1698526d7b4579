"""2Q: newcomers pass a FIFO; who comes back soon enters the LRU."""

from sos_gym.kernel import kernel
from sos_gym.policy.books.levels import COOLED, claim, leave, may_return, remember
from sos_gym.policy.books.queue import first_legal, length, push_back, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

IN, MAIN, OUT = 2, 3, 4  # A1in, Am, A1out
K_IN, K_OUT = 0, 1  # parameters
MOVE, COLD = int(Why.MOVE), int(Why.COLD)


@kernel
def want(my, entity, home, why, now):
    """Who is still remembered will enter Am; it leaves A1out before its victim may join."""
    my.links[entity].mark = MAIN if my.links[entity].queue == OUT else IN
    remove(my, entity)


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        push_back(my, my.links[entity].mark, entity)


@kernel
def use(my, entity, amount, why, now):
    """Uses in A1in are taken as correlated and change nothing; a cooled page starts anew."""
    q = my.links[entity].queue
    if why == COLD:
        to_back(my, COOLED, entity)
    elif q == MAIN:
        to_back(my, MAIN, entity)
    elif q == COOLED:
        to_back(my, IN, entity)


@kernel
def release(my, entity, slot, why, now):
    if leave(my, entity) == IN and may_return(why):
        remember(my, OUT, entity, int(my.parameters[K_OUT] * my.slots_count))


@kernel
def _victim(my, decision):
    in_pays = length(my, IN) > int(my.parameters[K_IN] * my.slots_count)
    first, second = (IN, MAIN) if in_pays else (MAIN, IN)
    victim = first_legal(my, decision, first)
    return victim if victim != NONE else first_legal(my, decision, second)


@kernel
def victim(my, decision):
    """What cooled first, else A1in if it is too long, else Am."""
    cooled = first_legal(my, decision, COOLED)
    return cooled if cooled != NONE else _victim(my, decision)


TWOQ = Policy(
    name="twoq",
    aliases=("2q",),
    summary="newcomers pass a FIFO; who comes back while it is remembered enters the LRU",
    on_cores="who wakes while remembered (among the last cores times kout that left A1in) goes before newcomers, and "
    "is a newcomer the time after; turns within a level; newcomers may starve",
    on_frames="2Q, the full version, exact; what returns leaves A1out before its victim joins",
    reads="order of holds and of uses in Am, the queue",
    ties="pages: none, the queues order; levels of threads: round robin",
    source="Johnson, Shasha, VLDB 1994",
    parameters={
        "kin": Parameter(0.25, "of the slots", 0.0, 1.0, "newcomers stay longer, Am is smaller"),
        "kout": Parameter(0.5, "of the slots", 0.0, 16.0, "who left A1in is remembered longer"),
    },
    want=want,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    queues=4,
)
