"""S3-FIFO: three FIFO queues; a small one sifts the newcomers."""

from sos_gym.policy.words import COOLED, NONE, ListPolicy, Parameter, Why, kernel, levels, queue

SMALL, MAIN, GHOST = 2, 3, 4
MOST_LIVES = 3  # two bits


@kernel
def want(my, e):
    """Whom the ghosts remember will enter main; it leaves them before its victim may join."""
    my.links[e].mark = MAIN if my.links[e].queue == GHOST else SMALL
    queue.remove(my, e)


@kernel
def hold(my, e):
    """From here on the mark counts uses."""
    q = my.links[e].mark
    if q == SMALL and my.parameters.peer and not my.own.evicted and _small_is_full(my):
        q = MAIN
    _put(my, q, e)


@kernel
def use(my, e):
    """A cooled page that is used starts anew."""
    if my.links[e].queue == COOLED:
        _put(my, SMALL, e)
    else:
        my.links[e].mark += 1


@kernel
def release(my, e):
    """Only those leave a ghost whom the small queue found wanting."""
    my.own.evicted |= my.why == Why.EVICTED
    uses = my.links[e].mark
    if levels.leave(my, e) == SMALL and uses < my.parameters.move and levels.may_return(my.why):
        levels.remember(my, GHOST, e, int(my.parameters.ghost * my.capacity))


@kernel
def _put(my, q, e):
    queue.to_back(my, q, e)
    my.links[e].mark = 0


@kernel
def _small_is_full(my):
    return queue.length(my, SMALL) >= int(my.parameters.small * my.capacity)


@kernel
def _from_small(my, decision):
    """The oldest that was used too little; the others go over to main."""
    e = queue.first_legal(my, decision, SMALL)
    while e != NONE and my.links[e].mark >= my.parameters.move:
        _put(my, MAIN, e)
        e = queue.first_legal(my, decision, SMALL)
    return e


@kernel
def _from_main(my, decision):
    """The oldest without a life left; the others lose one and go round."""
    e = queue.first_legal(my, decision, MAIN)
    while e != NONE and my.links[e].mark > 0:
        my.links[e].mark = min(my.links[e].mark, MOST_LIVES) - 1
        queue.to_back(my, MAIN, e)
        e = queue.first_legal(my, decision, MAIN)
    return e


@kernel
def victim(my, decision):
    """Small pays when it is full, main otherwise; who has nobody to give passes to the other."""
    small, e = _small_is_full(my), NONE
    while e == NONE:
        e = _from_small(my, decision) if small else _from_main(my, decision)
        small = not small
    return e


S3FIFO = ListPolicy(
    name="s3fifo",
    aliases=("s3_fifo",),
    summary="a small FIFO sifts the newcomers; main is a FIFO with up to three lives; ghosts come back into main",
    on_cores="who left after fewer than `move` ticks and wakes while remembered goes before newcomers, and is a "
    "newcomer the time after; turns within a level; newcomers may starve",
    on_frames="S3-FIFO, exact; shares are rounded down; a fault evicts one page, also where moves overfill main",
    reads="order of holds, uses in this stay, the queue",
    sight="counts sightings, to three: several uses between two harvests or looks are one",
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
    own={"evicted": 0},  # whether anything was evicted yet
    queues=4,
)
