"""Walks: who was used since one last looked. A use marks a page; walks and the hand read the mark, and clear it.

The policy has the parameter `descriptors`: 1 where file pages are used by read(2) and write(2). Such uses leave no mark
in page tables; the kernel counts them.
"""

from sos_gym.engine.uses import look
from sos_gym.kernel import kernel
from sos_gym.policy.books import generations, refaults
from sos_gym.policy.contract import Book
from sos_gym.resource import NONE, State

AROUND = 64  # pages, MIN_LRU_BATCH: around one that the hand found in use, others may be
WALKS = Book("walks", each={"seen": 0})  # 1: used since its mark was read


@kernel
def by_descriptor(my, e):
    """Whether uses of `e` are read(2) and write(2); else they are loads and stores."""
    return my.parameters.descriptors > 0 and my.entities[e].file == 1


@kernel
def note(my, e):
    """A use. Of those through descriptors the first is noted, the others are counted (folio_inc_refs)."""
    if not by_descriptor(my, e):
        my.each[e].walks.seen = 1
        return
    mine = my.each[e].generations
    if mine.referenced:
        mine.refs = min(mine.refs + 1, refaults.MOST_REFS)
    mine.referenced = 1


@kernel
def forget(my, e):
    my.each[e].walks.seen = 0


@kernel
def was_used(my, e):
    """Read the mark and clear it."""
    look(my, e)  # where bits must be looked at, this marks it
    seen = my.each[e].walks.seen
    my.each[e].walks.seen = 0
    return seen != 0


@kernel
def visit(my, e):
    """Promote a resident page that was used."""
    resident = my.entities[e].state == State.HOLDING and generations.is_listed(my, e) and not by_descriptor(my, e)
    if resident and was_used(my, e):
        generations.promote(my, e)


@kernel
def age(my):
    """A walk over all page tables, then a new generation (try_to_inc_max_seq)."""
    for slot in range(my.first_slot, my.first_slot + my.slots_count):
        if my.slots[slot].holder != NONE:
            visit(my, my.slots[slot].holder)
    generations.open_youngest(my)


@kernel
def activate(my, e):
    """It was found in use: it goes to the youngest generation, and so does who was used beside it.

    Pages are numbered as they were touched first: who stands beside it there stands in for its neighbours in the page
    table (lru_gen_look_around).
    """
    generations.promote(my, e)
    generations.follow(my, e)
    first = max(my.first_entity, e - AROUND // 2)
    for other in range(first, min(my.entities.size, e + AROUND // 2)):
        if my.entities[other].owner == my.entities[e].owner:
            visit(my, other)
