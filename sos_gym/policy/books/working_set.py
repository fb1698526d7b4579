"""Working sets (Denning): the pages of a thread's last references, and how many are in.

They lie in `shared`, so that both managers see them: the frame-side verbs keep them, either side reads them. A page
stands in the set of its last user alone. The window counts the thread's own references, so a thread that waits or
sleeps keeps its set.

A set is a ring through its thread, the page used longest ago first. Links are relative: zeros are an empty ring.
"""

from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

COLD, MOVE = int(Why.COLD), int(Why.MOVE)
DONTNEED, EXIT = int(Why.DONTNEED), int(Why.EXIT)
NEXT, PREVIOUS, CLOCK, USER, SIZE, RESIDENT = 0, 1, 2, 3, 3, 4  # a page's USER lies where a thread's SIZE does
FIELDS = 5
SHARED = (0, FIELDS, 0)
REFERENCES = Parameter(32, "references", 1, 10**9, "of a thread that make its working set; a slower estimate")


@kernel
def end(my):
    """Where in `shared` a policy's own begins."""
    return FIELDS * my.entities.size


@kernel
def size(my, thread):
    return my.shared[FIELDS * thread + SIZE]


@kernel
def resident(my, thread):
    """How many of its working set hold a frame."""
    return my.shared[FIELDS * thread + RESIDENT]


@kernel
def _is_listed(my, page):
    return my.shared[FIELDS * page + NEXT] != 0


@kernel
def _link(my, before, after):
    my.shared[FIELDS * before + NEXT] = after - before
    my.shared[FIELDS * after + PREVIOUS] = before - after


@kernel
def _count(my, page, pages, frames):
    user = FIELDS * my.shared[FIELDS * page + USER]
    my.shared[user + SIZE] += pages
    my.shared[user + RESIDENT] += frames


@kernel
def _drop(my, page):
    if not _is_listed(my, page):
        return
    at = FIELDS * page
    _link(my, page + my.shared[at + PREVIOUS], page + my.shared[at + NEXT])
    my.shared[at + NEXT] = my.shared[at + PREVIOUS] = 0
    _count(my, page, -1, -int(my.entities[page].slot != NONE))


@kernel
def _touch(my, page, window):
    """One reference by its last user: the page joins at the end, what the window has passed leaves at the front."""
    _drop(my, page)
    shared, thread = my.shared, my.entities[page].last_user
    _link(my, thread + shared[FIELDS * thread + PREVIOUS], page)
    _link(my, page, thread)
    shared[FIELDS * thread + CLOCK] += 1
    now = shared[FIELDS * thread + CLOCK]
    shared[FIELDS * page + CLOCK], shared[FIELDS * page + USER] = now, thread
    _count(my, page, 1, 1)
    first = thread + shared[FIELDS * thread + NEXT]
    while shared[FIELDS * first + CLOCK] <= now - window:
        _drop(my, first)
        first = thread + shared[FIELDS * thread + NEXT]


# -- the verbs of a page


@kernel
def hold(my, page, why, window):
    if why == MOVE:
        return
    if _is_listed(my, page):
        _count(my, page, 0, 1)
    _touch(my, page, window)


@kernel
def use(my, page, why, window):
    if why == COLD:
        _drop(my, page)
    else:
        _touch(my, page, window)


@kernel
def release(my, page, why):
    """Evicted, it stays in the set; without contents it does not."""
    if _is_listed(my, page):
        _count(my, page, 0, -1)
    if why == DONTNEED or why == EXIT:
        _drop(my, page)
