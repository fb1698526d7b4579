"""Virtual time: what each was given for its weight, against the mean of all.

`eevdf`, `stride` and `cfs` rest on it. The active, who want or hold, stand in one queue. A thread is given the ns it
holds a core, divided by its weight: a debt. A page is given its uses, multiplied by its weight: a credit.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import behind, front, push_back, remove
from sos_gym.policy.contract import Book
from sos_gym.resource import DEFAULT_WEIGHT, NONE, Why

ACTIVE = 1  # queue
VIRTUAL_TIME = Book(
    "virtual_time",
    own={"mean": 0.0},  # as last surveyed
    each={"place": 0.0, "lag": 0.0},  # where it stood when it last got or lost its slot; its lag when it left
)


@kernel
def rate(my, e):
    """Virtual time per unit of use."""
    share = my.entities[e].weight / DEFAULT_WEIGHT
    return share if my.use_is_credit > 0 else 1.0 / share


@kernel
def given(my, e):
    """Where `e` stands in virtual time; `service` would be late, a thread is charged only when a decision is due."""
    entity, place = my.entities[e], my.each[e].virtual_time.place
    if my.use_is_credit > 0 or entity.slot == NONE:
        return place
    return place + (my.now - entity.hold_ns) * rate(my, e)


@kernel
def use(my, e):
    """A page was used once; threads are given time as it passes."""
    my.each[e].virtual_time.place += rate(my, e)


@kernel
def survey(my):
    """The mean of the active by weight, and their weight; while nobody is active the mean stands still."""
    total, moment, e = 0.0, 0.0, front(my, ACTIVE)
    while e != NONE:
        weight = float(my.entities[e].weight)
        moment += weight * (given(my, e) - my.own.virtual_time.mean)  # small numbers, small errors
        total += weight
        e = behind(my, e)
    if total > 0:
        my.own.virtual_time.mean += moment / total
    return my.own.virtual_time.mean, total


@kernel
def join(my, e):
    """It stands as far from the mean as when it left, once it has pulled the mean towards itself."""
    mean, total = survey(my)
    pull = (total + my.entities[e].weight) / total if total > 0 else 0.0
    my.each[e].virtual_time.place = mean - my.each[e].virtual_time.lag * pull
    push_back(my, ACTIVE, e)


@kernel
def pause(my, e):
    """It lost its slot, and stands where it has come to; who is preempted or yields waits there."""
    if my.use_is_credit < 0:
        my.each[e].virtual_time.place += (my.now - my.entities[e].hold_ns) * rate(my, e)


@kernel
def retire(my, e, why, limit):
    """It is no longer active; its lag, `limit` at most either way, is kept for its return."""
    lag = survey(my)[0] - given(my, e)
    ends = why == Why.DONTNEED or why == Why.EXIT
    my.each[e].virtual_time.lag = 0.0 if ends else max(-limit, min(limit, lag))
    remove(my, e)


@kernel
def leave(my, e, why, limit):
    """It lost its slot and leaves, unless it waits on."""
    pause(my, e)
    if why != Why.PREEMPT and why != Why.YIELD:
        retire(my, e, why, limit)


@kernel
def cool(my, e):
    """It stands behind everybody, by one use."""
    least, other = given(my, e), front(my, ACTIVE)
    while other != NONE:
        least = min(least, given(my, other))
        other = behind(my, other)
    my.each[e].virtual_time.place = least - rate(my, e)
