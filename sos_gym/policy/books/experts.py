"""Two experts and the trust between them.

One expert judges by recency, one by frequency. Each has a history of those it sent away; who is wanted again while it
stands in a history blames that expert, and trust shifts to the other one: multiplicative weights, kept as log odds.
The histories are the policy's first two queues. The frequency expert's order is the heap's. Only an EVICT ends in a
history, and a want follows it: whom a `hold` meets stands in none.

The policy has the parameters `history`, the most that a history holds as a share of the slots, and `floor`, the least
trust in an expert.
"""

import math

from sos_gym.engine.chance import uniform
from sos_gym.kernel import kernel
from sos_gym.policy.books import heap
from sos_gym.policy.books.queue import front, length, push_back, remove
from sos_gym.policy.contract import Book
from sos_gym.resource import NONE, Why

BY_RECENCY, BY_FREQUENCY = 1, 2  # the histories
EXPERTS = Book(
    "experts",
    own={
        "clock": 0,  # holds and uses so far
        "victim": NONE,  # the last one chosen,
        "blamed": 0,  # and whose choice it was: a history, or 0 where both agreed
        "odds": 0.0,  # log odds of the recency expert
    },
    each={
        "count": 0,  # of its holds and uses; what returns from a history goes on counting
        "left": 0,  # the clock when it entered a history
    },
)


@kernel
def trust(my):
    """In the recency expert, from 0 to 1."""
    return 1 / (1 + math.exp(-my.own.experts.odds))


@kernel
def asked(my):
    """The expert whom this decision follows."""
    return BY_RECENCY if uniform(my.seed, my.number, 0) < trust(my) else BY_FREQUENCY


@kernel
def choose(my, recent, frequent):
    """One of two victims; it is noted whose choice it was, nobody's when they agree."""
    own, expert = my.own.experts, asked(my)
    own.victim = recent if expert == BY_RECENCY else frequent
    own.blamed = expert if recent != frequent else 0
    return own.victim


@kernel
def blame(my, e, step):
    """Who stands in a history leaves it; trust moves by `step` of log odds to the other expert."""
    own, floor = my.own.experts, my.parameters.floor
    bound = math.log((1 - floor) / floor) if floor > 0 else math.inf
    odds = own.odds - step if my.links[e].queue == BY_RECENCY else own.odds + step
    own.odds = min(max(odds, -bound), bound)
    remove(my, e)


@kernel
def count(my, e):
    """A hold or a use of `e`."""
    my.own.experts.clock += 1
    my.each[e].experts.count += 1


@kernel
def cool(my, e):
    """The frequency expert's next victim."""
    my.each[e].experts.count = 0
    heap.cool(my, e)


@kernel
def leave(my, e, why):
    """A release: to the history of the expert who chose `e`, if any; returns who is forgotten for it, or NONE."""
    heap.release(my, e)
    remove(my, e)
    history = _history_for(my, e, why)
    if history:
        return _enter(my, history, e)
    if why == Why.EVICTED or why == Why.PAGEOUT or why == Why.DONTNEED or why == Why.EXIT:
        my.each[e].experts.count = 0
    return NONE


@kernel
def _history_for(my, e, why):
    """The history that `e`, which leaves, must enter, or 0."""
    own = my.own.experts
    chosen = why == Why.EVICTED and own.victim == e
    own.victim = NONE
    return own.blamed if chosen else 0


@kernel
def _enter(my, history, e):
    """At its back; returns who falls off the front because it holds too many, or NONE."""
    my.each[e].experts.left = my.own.experts.clock
    push_back(my, history, e)
    if length(my, history) <= int(my.parameters.history * my.capacity):
        return NONE
    oldest = front(my, history)
    remove(my, oldest)
    my.each[oldest].experts.count = 0
    return oldest
