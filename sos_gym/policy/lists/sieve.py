"""SIEVE: a queue whose hand spares what was used, where it stands."""

from sos_gym.policy.words import COOLED, NONE, ListPolicy, kernel, legal_holder, look, order, queue

RING = 2


@kernel
def claim(my, entity):
    """A use is a credit on frames and a debt on cores."""
    link = my.links[entity.id]
    level = -1 if link.queue == COOLED else link.mark * my.use_is_credit
    return float(level), order(my, entity)


@kernel
def want(my, e):
    my.links[e].mark = 0


@kernel
def hold(my, e):
    queue.push_back(my, RING, e)


@kernel
def use(my, e):
    """A cooled page that is used joins the queue like a new one."""
    if my.links[e].queue == COOLED:
        queue.to_back(my, RING, e)
    else:
        my.links[e].mark = 1


@kernel
def victim(my, decision):
    """The hand goes from the oldest to the newest and round again; it clears bits, but moves nobody."""
    e = queue.hand(my, RING)
    while True:
        if e == NONE:
            e = queue.front(my, RING)
        if legal_holder(my, decision, e):
            look(my, e)
            if not my.links[e].mark:
                queue.point(my, RING, e)
                return e
            my.links[e].mark = 0
        e = queue.behind(my, e)


SIEVE = ListPolicy(
    name="sieve",
    summary="a queue; its hand spares what was used, where it stands, and takes the next that was not",
    on_cores="two-level feedback: who has not run in this burst goes first, then round robin; the hand is idle",
    on_frames="SIEVE, exact; a page is loaded with its bit at 0",
    reads="order of holds, one bit per entity",
    sight="needs one bit at its hand: accessed bits lose it nothing, unmapping does",
    ties="pages: none, the queue orders; levels of threads: round robin",
    not_to_be_confused="second_chance (CLOCK), which puts the spared at the back, behind the newcomers",
    source="Zhang, Yang, Yue, Vigfusson, Rashmi, NSDI 2024",
    want=want,
    hold=hold,
    use=use,
    release=queue.remove,
    victim=victim,
    claim=claim,
    queues=2,
)
