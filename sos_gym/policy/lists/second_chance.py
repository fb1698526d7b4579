"""Second chance: a queue in which whoever used its slot goes round once more (CLOCK)."""

from sos_gym.policy.words import (
    NONE,
    Kind,
    Policy,
    Resource,
    Sides,
    earliest_waiter,
    kernel,
    legal_holder,
    look,
    names_victim,
    pick_without_victim,
    queue,
    unless_older,
)

RING = 1
USED, SPENT = 1, 2  # values of the bit that is set; spent: it was kept once in this stay


@kernel
def hold(my, e):
    queue.push_back(my, RING, e)
    my.links[e].mark = 0


@kernel
def use(my, e):
    if my.links[e].mark == 0:
        my.links[e].mark = USED


@kernel
def cool(my, e):
    my.links[e].mark = 0


@kernel
def victim(my, decision):
    """The hand goes round: a set bit is cleared and its page goes to the back; the illegal are stepped over."""
    e = queue.front(my, RING)
    while True:
        after = queue.behind(my, e)
        if legal_holder(my, decision, e):
            look(my, e)
            if not my.links[e].mark:
                queue.expect(my, my.links[e].next)
                return e
            my.links[e].mark = 0
            queue.to_back(my, RING, e)
        e = after if after != NONE else queue.front(my, RING)


@kernel
def _one_more_turn(my, decision):
    """A holder that used its slot keeps it for one more turn."""
    holder = decision.entity
    if holder != NONE and my.links[holder].mark == USED:
        my.links[holder].mark = SPENT
        return holder
    return earliest_waiter(my, decision)


@kernel
def pick(my, decision):
    """EVICT: a vacancy, else who wakes waits for a core, and the hand finds a page. ADMIT: one more turn."""
    if decision.kind == Kind.ADMIT:
        return _one_more_turn(my, decision)
    if decision.resource == Resource.CPU:
        return decision.entity if decision.vacancy == NONE else -1 - decision.vacancy
    if names_victim(my, decision):
        return unless_older(my, decision, victim(my, decision))
    return pick_without_victim(my, decision)


SECOND_CHANCE = Policy(
    name="second_chance",
    aliases=("clock",),
    summary="a queue; whoever used its slot goes round once more",
    on_cores="round robin in which every thread that used its slice is kept for a second one; a waker waits",
    on_frames="CLOCK, exact; a page is loaded with its bit at 0",
    reads="order of holds, one bit per entity",
    sight="needs one bit at its hand: accessed bits lose it nothing, unmapping does",
    ties="none: the queue orders",
    source="Corbató, MIT Project MAC, 1968",
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=queue.remove,
    pick=pick,
    victim=victim,
    fast_only=True,
    queues=1,
    needs_list=False,
)
