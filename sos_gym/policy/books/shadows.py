"""Shadows: what is kept of pages that were sent away, so that one sees who comes back at once (mm/workingset.c)."""

from sos_gym.kernel import kernel
from sos_gym.policy.books import generations, refaults, walks
from sos_gym.policy.contract import Book

# when it went: 1 + the generation that was the oldest then, or 0; and its accesses so far
SHADOWS = Book("shadows", each={"age": 0, "refs": 0})


@kernel
def clear(my, e):
    my.each[e].shadows.age = 0


@kernel
def leave(my, e):
    """It is sent away (lru_gen_eviction)."""
    mine, of_lists, kind = my.each[e].shadows, my.each[e].generations, generations.kind_of(my, e)
    mine.age = 1 + my.own.generations.oldest[kind]
    mine.refs = of_lists.refs if of_lists.referenced else 0
    my.own.refaults.evicted[refaults.TIERS * kind + refaults.tier_of(mine.refs)] += 1


@kernel
def come_back(my, e):
    """Who left while the present generation was the oldest is of the working set, and will be protected once."""
    mine, of_lists, kind = my.each[e].shadows, my.each[e].generations, generations.kind_of(my, e)
    of_lists.refs = of_lists.referenced = 0
    if mine.age == 1 + my.own.generations.oldest[kind]:
        my.own.refaults.came_back[refaults.TIERS * kind + refaults.tier_of(mine.refs)] += 1
        if not walks.by_descriptor(my, e) or mine.refs >= refaults.MOST_REFS - 1:
            of_lists.refs = refaults.MOST_REFS
    mine.age = 0
