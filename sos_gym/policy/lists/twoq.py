"""2Q: newcomers pass a FIFO; who comes back soon enters the LRU."""

from sos_gym.policy.words import COOLED, NONE, ListPolicy, Parameter, kernel, levels, queue

IN, MAIN, OUT = 2, 3, 4  # A1in, Am, A1out


@kernel
def want(my, e):
    """Who is still remembered will enter Am; it leaves A1out before its victim may join."""
    my.links[e].mark = MAIN if my.links[e].queue == OUT else IN
    queue.remove(my, e)


@kernel
def hold(my, e):
    queue.push_back(my, my.links[e].mark, e)


@kernel
def use(my, e):
    """Uses in A1in are taken as correlated and change nothing; a cooled page starts anew."""
    q = my.links[e].queue
    if q != IN:
        queue.to_back(my, IN if q == COOLED else MAIN, e)


@kernel
def release(my, e):
    if levels.leave(my, e) == IN and levels.may_return(my.why):
        levels.remember(my, OUT, e, int(my.parameters.kout * my.capacity))


@kernel
def victim(my, decision):
    """A1in pays if it is too long, else Am; who has nobody to give passes to the other."""
    in_pays = queue.length(my, IN) > int(my.parameters.kin * my.capacity)
    e = queue.first_legal(my, decision, IN if in_pays else MAIN)
    return e if e != NONE else queue.first_legal(my, decision, MAIN if in_pays else IN)


TWOQ = ListPolicy(
    name="twoq",
    aliases=("2q",),
    summary="newcomers pass a FIFO; who comes back while it is remembered enters the LRU",
    on_cores="who wakes while remembered (among the last cores times kout that left A1in) goes before newcomers, and "
    "is a newcomer the time after; turns within a level; newcomers may starve",
    on_frames="2Q, the full version, exact; what returns leaves A1out before its victim joins",
    reads="order of holds and of uses in Am, the queue",
    sight="the order in Am is that of harvests and looks; A1in and ghosts need no uses",
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
    queues=4,
)
