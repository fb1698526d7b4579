"""ARC: recency and frequency share the slots; ghosts of each move the border."""

from sos_gym.policy.words import NONE, Policy, Sides, Why, kernel, order, queue

# T1, T2, B1, B2 of the paper; the front is the least recent
ONCE, OFTEN, ONCE_GHOST, OFTEN_GHOST = 1, 2, 3, 4
COOLED = 1  # mark: it goes before all others


@kernel
def want(my, e):
    """Who comes back from a list's ghosts shows that the list was too short."""
    once, often = queue.length(my, ONCE_GHOST), queue.length(my, OFTEN_GHOST)
    if my.links[e].queue == ONCE_GHOST:
        my.own.border = min(my.own.border + max(1.0, often / once), float(my.capacity))
    elif my.links[e].queue == OFTEN_GHOST:
        my.own.border = max(my.own.border - max(1.0, once / often), 0.0)


@kernel
def hold(my, e):
    """Known: to the often used. New: to the once used, for which the oldest ghost too many is forgotten."""
    my.links[e].mark = 0
    if my.links[e].queue:
        queue.to_back(my, OFTEN, e)
        return
    queue.to_back(my, ONCE, e)
    _forget(my, ONCE_GHOST, queue.length(my, ONCE) + queue.length(my, ONCE_GHOST) - my.capacity)
    others = queue.length(my, ONCE) + queue.length(my, OFTEN) + queue.length(my, ONCE_GHOST)
    _forget(my, OFTEN_GHOST, others + queue.length(my, OFTEN_GHOST) - 2 * my.capacity)


@kernel
def use(my, e):
    queue.to_back(my, OFTEN, e)
    my.links[e].mark = 0


@kernel
def cool(my, e):
    queue.to_front(my, ONCE, e)
    my.links[e].mark = COOLED


@kernel
def release(my, e):
    """It leaves a ghost, unless its identity ends."""
    if my.why == Why.DONTNEED or my.why == Why.EXIT:
        queue.remove(my, e)
    else:
        queue.to_back(my, ONCE_GHOST if my.links[e].queue == ONCE else OFTEN_GHOST, e)


@kernel
def _forget(my, ghosts, surplus):
    while surplus > 0 and queue.length(my, ghosts) > 0:
        queue.remove(my, queue.front(my, ghosts))
        surplus -= 1


@kernel
def claim(my, entity):
    """Who was used often, then who was used once, then the unknown; among equals it is turns."""
    link = my.links[entity.id]
    level = 2.0 if link.queue == OFTEN or link.queue == OFTEN_GHOST else 1.0 if link.queue else 0.0
    return level - 2.0 * link.mark, order(my, entity)


@kernel
def victim(my, decision):
    """REPLACE of the paper: the least recent of the list that has more than its share."""
    once, border = queue.length(my, ONCE), my.own.border
    back_from_often = my.links[decision.entity].queue == OFTEN_GHOST
    cooled = once > 0 and my.links[queue.front(my, ONCE)].mark == COOLED
    from_once = once > border or (once == border and back_from_often) or cooled
    e = queue.first_legal(my, decision, ONCE if from_once else OFTEN)
    return e if e != NONE else queue.first_legal(my, decision, OFTEN if from_once else ONCE)


ARC = Policy(
    name="arc",
    aliases=("adaptive_replacement",),
    summary="used once and used again share the slots; a ghost that comes back moves the border",
    on_cores="levels: ran again, ran once, new or forgotten (ghosts: one per core); turns within a level; no border",
    on_frames="ARC, exact; p is a real number.",
    reads="order of holds and uses; the last capacity pages to leave each list",
    sight="used again is who is found used by a harvest or a look; a ghost that returns is a fault, and exact",
    ties="none: the queues order",
    source="Megiddo, Modha, FAST 2003",
    want=want,
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=release,
    victim=victim,
    fast_only=True,
    claim=claim,
    own={"border": 0.0},  # p of the paper, the slots that ONCE should have
    queues=4,
)
