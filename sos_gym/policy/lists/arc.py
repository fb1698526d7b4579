"""ARC: recency and frequency share the slots; ghosts of each move the border."""

from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import first_legal, front, length, push_front, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.resource import NONE, Why

MOVE, COLD, DONTNEED, EXIT = int(Why.MOVE), int(Why.COLD), int(Why.DONTNEED), int(Why.EXIT)
# T1, T2, B1, B2 of the paper; the front is the least recent
ONCE, OFTEN, ONCE_GHOST, OFTEN_GHOST = 1, 2, 3, 4
QUEUES = 4
COOLED = 1  # mark: it goes before all others
BORDER = 0  # floats: p of the paper, the slots that `ONCE` should have


@kernel
def want(my, entity, home, why, now):
    """Who comes back from a list's ghosts shows that the list was too short."""
    once, often = length(my, ONCE_GHOST), length(my, OFTEN_GHOST)
    queue = my.links[entity].queue
    if queue == ONCE_GHOST:
        my.floats[BORDER] = min(my.floats[BORDER] + max(1.0, often / once), float(my.slots_count))
    elif queue == OFTEN_GHOST:
        my.floats[BORDER] = max(my.floats[BORDER] - max(1.0, once / often), 0.0)


@kernel
def hold(my, entity, slot, why, now):
    """Known: to the often used. New: to the once used, for which the oldest ghost too many is forgotten."""
    if why == MOVE:
        return
    my.links[entity].mark = 0
    if my.links[entity].queue:
        to_back(my, OFTEN, entity)
        return
    to_back(my, ONCE, entity)
    _forget(my, ONCE_GHOST, length(my, ONCE) + length(my, ONCE_GHOST) - my.slots_count)
    everybody = length(my, ONCE) + length(my, OFTEN) + length(my, ONCE_GHOST) + length(my, OFTEN_GHOST)
    _forget(my, OFTEN_GHOST, everybody - 2 * my.slots_count)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        remove(my, entity)
        push_front(my, ONCE, entity)
        my.links[entity].mark = COOLED
    else:
        to_back(my, OFTEN, entity)
        my.links[entity].mark = 0


@kernel
def release(my, entity, slot, why, now):
    """It leaves a ghost, unless its identity ends."""
    queue = my.links[entity].queue
    if why == DONTNEED or why == EXIT:
        remove(my, entity)
    else:
        to_back(my, ONCE_GHOST if queue == ONCE else OFTEN_GHOST, entity)


@kernel
def _forget(my, ghosts, surplus):
    while surplus > 0 and length(my, ghosts) > 0:
        remove(my, front(my, ghosts))
        surplus -= 1


@kernel
def claim(my, entity, now, number):
    """Who was used often, then who was used once, then the unknown; among equals it is turns."""
    link = my.links[entity.id]
    level = 2.0 if link.queue == OFTEN or link.queue == OFTEN_GHOST else 1.0 if link.queue else 0.0
    return level - 2.0 * link.mark, order(my, entity, now)


@kernel
def victim(my, decision):
    """REPLACE of the paper: the least recent of the list that has more than its share."""
    once, border = length(my, ONCE), my.floats[BORDER]
    back_from_often = my.links[decision.entity].queue == OFTEN_GHOST
    cooled = once > 0 and my.links[front(my, ONCE)].mark == COOLED
    from_once = once > border or (once == border and back_from_often) or cooled
    e = first_legal(my, decision, ONCE if from_once else OFTEN)
    return e if e != NONE else first_legal(my, decision, OFTEN if from_once else ONCE)


ARC = Policy(
    name="arc",
    aliases=("adaptive_replacement",),
    summary="used once and used again share the slots; a ghost that comes back moves the border",
    on_cores="levels: ran again, ran once, new or forgotten (ghosts: one per core); turns within a level; no border",
    on_frames="ARC, exact; p is a real number. Who may wait (tier hints): by level",
    reads="order of holds and uses; the last slots_count pages to leave each list",
    ties="none: the queues order",
    source="Megiddo, Modha, FAST 2003",
    want=want,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    floats=(1, 0, 0),
    queues=QUEUES,
)
