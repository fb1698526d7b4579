"""Virtual time: what each was given for its weight, against the mean of all.

`eevdf` and `stride` rest on it. The active, who want or hold, stand in one queue. A thread is given the ns it holds a
core, divided by its weight: a debt. A page is given its uses, multiplied by its weight: a credit.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import behind, front, push_back, remove
from sos_gym.resource import DEFAULT_WEIGHT, NONE, Why

PREEMPT, YIELD, DONTNEED, EXIT = int(Why.PREEMPT), int(Why.YIELD), int(Why.DONTNEED), int(Why.EXIT)
ACTIVE = 1  # queue
MEAN = 0  # floats: the last mean, then those of each entity
PART = 3  # floats of an entity: its place when it last got or lost its slot, its lag when it left, the policy's own
PLACE, LAG, OWN = 1, 2, 3
FLOATS = (1, PART, 0)


@kernel
def rate(my, e):
    """Virtual time per unit of use."""
    share = my.entities[e].weight / DEFAULT_WEIGHT
    return share if my.use_is_credit > 0 else 1.0 / share


@kernel
def given(my, e, now):
    """Where `e` stands in virtual time; `service` would be late, a thread is charged only when a decision is due."""
    entity, place = my.entities[e], my.floats[PART * e + PLACE]
    if my.use_is_credit > 0 or entity.slot == NONE:
        return place
    return place + (now - entity.hold_ns) * rate(my, e)


@kernel
def credit_use(my, e):
    """A page was used once."""
    if my.use_is_credit > 0:
        my.floats[PART * e + PLACE] += rate(my, e)


@kernel
def survey(my, now):
    """The mean of the active by weight, and their weight; while nobody is active the mean stands still."""
    total, moment, e = 0.0, 0.0, front(my, ACTIVE)
    while e != NONE:
        weight = float(my.entities[e].weight)
        moment += weight * (given(my, e, now) - my.floats[MEAN])  # small numbers, small errors
        total += weight
        e = behind(my, e)
    if total > 0:
        my.floats[MEAN] += moment / total
    return my.floats[MEAN], total


@kernel
def join(my, e, now):
    """It stands as far from the mean as when it left, once it has pulled the mean towards itself."""
    mean, total = survey(my, now)
    pull = (total + my.entities[e].weight) / total if total > 0 else 0.0
    my.floats[PART * e + PLACE] = mean - my.floats[PART * e + LAG] * pull
    push_back(my, ACTIVE, e)


@kernel
def leave(my, e, why, now, limit):
    """It lost its slot and leaves, unless it waits on; its lag, `limit` at most either way, is kept for its return."""
    if my.use_is_credit < 0:
        my.floats[PART * e + PLACE] += (now - my.entities[e].hold_ns) * rate(my, e)
    if why == PREEMPT or why == YIELD:
        return
    lag = survey(my, now)[0] - given(my, e, now)
    kept = 0.0 if why == DONTNEED or why == EXIT else max(-limit, min(limit, lag))
    my.floats[PART * e + LAG] = kept
    remove(my, e)


@kernel
def cool(my, e, now):
    """It stands behind everybody, by one use."""
    least, other = given(my, e, now), front(my, ACTIVE)
    while other != NONE:
        least = min(least, given(my, other, now))
        other = behind(my, other)
    my.floats[PART * e + PLACE] = least - rate(my, e)
