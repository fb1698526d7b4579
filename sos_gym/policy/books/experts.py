"""Two experts and the trust between them.

One expert judges by recency, one by frequency. Each has a history of those it sent away; who is wanted again while it
stands in a history blames that expert, and trust shifts to the other one: multiplicative weights, kept as log odds.
The histories are the policy's first two queues. The frequency expert's order is the heap's. Only an EVICT ends in a
history, and a want follows it: whom a `hold` meets stands in none.
"""

import math

from sos_gym.engine.chance import uniform
from sos_gym.kernel import kernel
from sos_gym.policy.books import heap
from sos_gym.policy.books.queue import front, length, push_back, remove
from sos_gym.resource import NONE, Why

EVICT = int(Why.EVICTED)
BY_RECENCY, BY_FREQUENCY = 1, 2  # the histories
CLOCK, VICTIM, BLAMED = 1, 2, 3  # ints, from their end: verbs hold and use so far; the last victim, whose choice it was
INTS = (heap.INTS[0] + 3, heap.INTS[1] + 2, heap.INTS[2])  # of each entity: its count, the clock when it went away
ODDS = 1  # floats, from their end: log odds of the recency expert
LEAVES = (int(Why.EVICTED), int(Why.PAGEOUT), int(Why.DONTNEED), int(Why.EXIT))  # the end of an entity's stay


@kernel
def at(my, field):
    return my.ints.size - field


@kernel
def count_at(my, e):
    """Where the count of the uses of `e` lies; what returns from a history goes on counting."""
    return my.ints.size - BLAMED - 1 - 2 * e


@kernel
def went_at(my, e):
    return count_at(my, e) - 1


@kernel
def trust(my):
    """In the recency expert, from 0 to 1."""
    return 1 / (1 + math.exp(-my.floats[my.floats.size - ODDS]))


@kernel
def shift(my, history, step, floor):
    """Trust moves away from the expert whose `history` it is; neither falls below `floor`."""
    at, bound = my.floats.size - ODDS, math.log((1 - floor) / floor) if floor > 0 else math.inf
    odds = my.floats[at] - step if history == BY_RECENCY else my.floats[at] + step
    my.floats[at] = min(max(odds, -bound), bound)


@kernel
def asked(my, number):
    """The expert whom decision `number` follows."""
    return BY_RECENCY if uniform(my.seed, number, 0) < trust(my) else BY_FREQUENCY


@kernel
def choose(my, decision, recent, frequent):
    """One of two victims; it is noted whose choice it was, nobody's when they agree."""
    expert = asked(my, decision.number)
    victim = recent if expert == BY_RECENCY else frequent
    my.ints[at(my, VICTIM)], my.ints[at(my, BLAMED)] = victim + 1, expert if recent != frequent else 0
    return victim


@kernel
def history_for(my, e, why):
    """The history that `e`, which leaves, must enter: that of the expert who chose it, else 0."""
    chosen = why == EVICT and my.ints[at(my, VICTIM)] == e + 1
    my.ints[at(my, VICTIM)] = 0
    return my.ints[at(my, BLAMED)] if chosen else 0


@kernel
def enter_history(my, history, e, size):
    """At its back; returns who falls off the front because it holds more than `size`, or NONE."""
    my.ints[went_at(my, e)] = my.ints[at(my, CLOCK)]
    push_back(my, history, e)
    if length(my, history) <= size:
        return NONE
    oldest = front(my, history)
    remove(my, oldest)
    my.ints[count_at(my, oldest)] = 0
    return oldest


@kernel
def count(my, e):
    """A hold or a use of `e`."""
    my.ints[at(my, CLOCK)] += 1
    my.ints[count_at(my, e)] += 1
