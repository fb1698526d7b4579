"""Generations of pages: who was seen in use since the last walk is in the youngest, who was not grows older.

A page has a generation, a number that grows, and stands in the queue of one. To promote a page changes its number and
nothing else; the queue follows when the hand meets it in the oldest one. There are two to four generations of each
kind, anonymous and file. As in mm/vmscan.c (lru_gen) of Linux 6.6 to 6.12, with one set of generations for all nodes.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.books import queue, refaults
from sos_gym.policy.contract import Book
from sos_gym.resource import NONE

MOST, FEWEST = 4, 2  # MAX_NR_GENS, MIN_NR_GENS, include/linux/mmzone.h
ANONYMOUS, FILE = 0, 1  # kinds
QUEUES = 2 * MOST
GENERATIONS = Book(
    "generations",
    own={
        "youngest": FEWEST + 1,  # lru_gen_init_lruvec
        "oldest": [0, 0],  # by kind
        "pages": [0] * QUEUES,  # by kind, then generation modulo MOST
    },
    each={
        "number": 0,
        "refs": 0,  # accesses through file descriptors beyond the first, up to MOST_REFS
        "referenced": 0,  # 1: there was a first one
    },
)


@kernel
def kind_of(my, e):
    return FILE if my.entities[e].file else ANONYMOUS


@kernel
def _at(my, e):
    """Of its kind and generation: the place in `pages`, and the queue less one."""
    return MOST * kind_of(my, e) + my.each[e].generations.number % MOST


@kernel
def is_listed(my, e):
    return my.links[e].queue != 0


@kernel
def is_oldest(my, e):
    return my.each[e].generations.number == my.own.generations.oldest[kind_of(my, e)]


@kernel
def how_many(my, kind):
    own = my.own.generations
    return own.youngest - own.oldest[kind] + 1


@kernel
def inactive(my, kind):
    """The generation of who is neither hot nor to go first (lru_gen_add_folio)."""
    own = my.own.generations
    if kind == ANONYMOUS:
        return own.youngest - 1
    return own.oldest[FILE] if own.oldest[FILE] + FEWEST >= own.youngest else own.oldest[FILE] + 1


@kernel
def join(my, e, number):
    """Enter generation `number`, as the last of it to go."""
    my.each[e].generations.number = number
    my.own.generations.pages[_at(my, e)] += 1
    queue.push_back(my, 1 + _at(my, e), e)


@kernel
def leave(my, e):
    my.own.generations.pages[_at(my, e)] -= 1
    queue.remove(my, e)


@kernel
def renumber(my, e, number):
    """Its generation from now on; the past does not count for it (folio_update_gen)."""
    mine, pages = my.each[e].generations, my.own.generations.pages
    pages[_at(my, e)] -= 1
    mine.number = number
    pages[_at(my, e)] += 1
    mine.refs = mine.referenced = 0


@kernel
def promote(my, e):
    renumber(my, e, my.own.generations.youngest)


@kernel
def follow(my, e):
    """Stand in the queue of its generation, as the last of it to go."""
    queue.to_back(my, 1 + _at(my, e), e)


@kernel
def grow_younger(my, e):
    """From the oldest generation to the next, as the first of it to go, unless it was promoted (folio_inc_gen)."""
    if is_oldest(my, e):
        renumber(my, e, my.each[e].generations.number + 1)
    queue.to_front(my, 1 + _at(my, e), e)


@kernel
def first(my, kind):
    """Who stands first in the queue of the oldest generation, or NONE."""
    return queue.front(my, 1 + MOST * kind + my.own.generations.oldest[kind] % MOST)


@kernel
def _end_oldest(my, kind):
    """Who is left in the oldest generation joins the next one (inc_min_seq)."""
    e = first(my, kind)
    while e != NONE:
        grow_younger(my, e)
        e = first(my, kind)
    refaults.carry_over(my, kind)
    my.own.generations.oldest[kind] += 1


@kernel
def open_youngest(my):
    """A new generation, for which the oldest one makes room (inc_max_seq)."""
    for kind in (FILE, ANONYMOUS):
        if how_many(my, kind) == MOST:
            _end_oldest(my, kind)
    my.own.generations.youngest += 1


@kernel
def _first_with_pages(my, kind):
    """The oldest generation whose queue has pages, but one of the last FEWEST at the latest."""
    own = my.own.generations
    number = own.oldest[kind]
    while number + FEWEST <= own.youngest and queue.front(my, 1 + MOST * kind + number % MOST) == NONE:
        number += 1
    return number


@kernel
def close_empty(my):
    """Generations without pages end, of both kinds together (try_to_inc_min_seq)."""
    own = my.own.generations
    oldest = min(_first_with_pages(my, ANONYMOUS), _first_with_pages(my, FILE))
    for kind in (ANONYMOUS, FILE):
        if own.oldest[kind] < oldest:
            refaults.carry_over(my, kind)
            own.oldest[kind] = oldest


@kernel
def must_open(my):
    """No generation is left to take from, or few pages are old while most are young (should_run_aging)."""
    own = my.own.generations
    if own.oldest[ANONYMOUS] + FEWEST != own.youngest:
        return own.oldest[ANONYMOUS] + FEWEST > own.youngest
    young = old = total = 0
    for kind in (ANONYMOUS, FILE):
        young += own.pages[MOST * kind + own.youngest % MOST]
        old += own.pages[MOST * kind + (own.youngest - FEWEST) % MOST]
        for number in range(own.oldest[kind], own.youngest + 1):
            total += own.pages[MOST * kind + number % MOST]
    return young * FEWEST > total or old * (FEWEST + 2) < total
