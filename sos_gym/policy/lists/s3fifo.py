"""S3-FIFO: three FIFO queues; a small one sifts the newcomers."""

from sos_gym.kernel import kernel
from sos_gym.policy.books.levels import COOLED, claim, leave, may_return, remember
from sos_gym.policy.books.queue import first_legal, length, push_back, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

SMALL, MAIN, GHOST = 2, 3, 4
SMALL_SHARE, GHOST_SHARE, MOVE_AT, PEER = 0, 1, 2, 3  # parameters
EVICTED = 0  # ints: whether anything was evicted yet
MOST_LIVES = 3  # two bits
MOVE, COLD, EVICT = int(Why.MOVE), int(Why.COLD), int(Why.EVICTED)


@kernel
def want(my, entity, home, why, now):
    """Whom the ghosts remember will enter main; it leaves them before its victim may join."""
    my.links[entity].mark = MAIN if my.links[entity].queue == GHOST else SMALL
    remove(my, entity)


@kernel
def hold(my, entity, slot, why, now):
    """From here on the mark counts uses."""
    if why == MOVE:
        return
    q = my.links[entity].mark
    if q == SMALL and my.parameters[PEER] and not my.ints[EVICTED] and _small_is_full(my):
        q = MAIN
    push_back(my, q, entity)
    my.links[entity].mark = 0


@kernel
def use(my, entity, amount, why, now):
    """A cooled page that is used starts anew."""
    link = my.links[entity]
    if why == COLD:
        _put(my, COOLED, entity)
    elif link.queue == COOLED:
        _put(my, SMALL, entity)
    else:
        link.mark += 1


@kernel
def release(my, entity, slot, why, now):
    """Only those leave a ghost whom the small queue found wanting."""
    my.ints[EVICTED] |= why == EVICT
    uses = my.links[entity].mark
    if leave(my, entity) == SMALL and uses < my.parameters[MOVE_AT] and may_return(why):
        remember(my, GHOST, entity, int(my.parameters[GHOST_SHARE] * my.slots_count))


@kernel
def _put(my, q, e):
    to_back(my, q, e)
    my.links[e].mark = 0


@kernel
def _small_is_full(my):
    return length(my, SMALL) >= int(my.parameters[SMALL_SHARE] * my.slots_count)


@kernel
def _from_small(my, decision):
    """The oldest that was used too little; the others go over to main."""
    e = first_legal(my, decision, SMALL)
    while e != NONE and my.links[e].mark >= my.parameters[MOVE_AT]:
        _put(my, MAIN, e)
        e = first_legal(my, decision, SMALL)
    return e


@kernel
def _from_main(my, decision):
    """The oldest without a life left; the others lose one and go round."""
    e = first_legal(my, decision, MAIN)
    while e != NONE and my.links[e].mark > 0:
        my.links[e].mark = min(my.links[e].mark, MOST_LIVES) - 1
        to_back(my, MAIN, e)
        e = first_legal(my, decision, MAIN)
    return e


@kernel
def _victim(my, decision):
    """Small pays when it is full, main otherwise; who has nobody to give passes to the other."""
    small, e = _small_is_full(my), NONE
    while e == NONE:
        e = _from_small(my, decision) if small else _from_main(my, decision)
        small = not small
    return e


@kernel
def victim(my, decision):
    """What cooled first, else small's or main's."""
    cooled = first_legal(my, decision, COOLED)
    return cooled if cooled != NONE else _victim(my, decision)


S3FIFO = Policy(
    name="s3fifo",
    aliases=("s3_fifo",),
    summary="a small FIFO sifts the newcomers; main is a FIFO with up to three lives; ghosts come back into main",
    on_cores="who left after fewer than `move` ticks and wakes while remembered goes before newcomers, and is a "
    "newcomer the time after; turns within a level; newcomers may starve",
    on_frames="S3-FIFO, exact; shares are rounded down; a fault evicts one page, also where moves overfill main",
    reads="order of holds, uses in this stay, the queue",
    ties="pages: none, the queues order; levels of threads: round robin",
    source="Yang, Zhang, Qiu, Yue, Rashmi, SOSP 2023; peer=1: libCacheSim",
    parameters={
        "small": Parameter(0.1, "of the slots", 0.0, 1.0, "newcomers get more time to prove themselves"),
        "ghost": Parameter(0.9, "of the slots", 0.0, 16.0, "who left the small queue is remembered longer"),
        "move": Parameter(2, "uses", 1, 1_000, "harder to get from small to main"),
        "peer": Parameter(0, "", 0, 1, "1: until the first eviction what small has no room for enters main"),
    },
    want=want,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    ints=(1, 0, 0),
    queues=4,
)
