"""Working sets (Denning): the pages of a thread's last references, and how many are in.

Both managers see them: the frame-side verbs keep them, either side reads them. A page stands in the set of its last
user alone. The policy's parameter `window` counts the thread's own references, so a thread that waits or sleeps keeps
its set.

A set is a ring through its thread, the page used longest ago first. Links are relative: zeros are an empty ring.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.contract import Book
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

WORKING_SET = Book(
    "working",
    shared_each={
        **{"next": 0, "previous": 0},
        "clock": 0,  # a thread's references so far; a page's own, when it was last used
        "user": 0,  # of a page
        **{"size": 0, "resident": 0},  # of a thread's set
    },
)
REFERENCES = Parameter(32, "references", 1, 10**9, "of a thread that make its working set; a slower estimate")


@kernel
def size(my, thread):
    return my.shared_each[thread].working.size


@kernel
def resident(my, thread):
    """How many of its working set hold a frame."""
    return my.shared_each[thread].working.resident


@kernel
def share(my, thread):
    """How much of its working set is in."""
    return resident(my, thread) / max(1, size(my, thread))


@kernel
def _is_listed(my, page):
    return my.shared_each[page].working.next != 0


@kernel
def _link(my, before, after):
    my.shared_each[before].working.next = after - before
    my.shared_each[after].working.previous = before - after


@kernel
def _count(my, page, pages, frames):
    thread = my.shared_each[my.shared_each[page].working.user].working
    thread.size += pages
    thread.resident += frames


@kernel
def _drop(my, page):
    if not _is_listed(my, page):
        return
    listed = my.shared_each[page].working
    _link(my, page + listed.previous, page + listed.next)
    listed.next = listed.previous = 0
    _count(my, page, -1, -int(my.entities[page].slot != NONE))


@kernel
def _touch(my, page):
    """One reference by its last user: the page joins at the end, what the window has passed leaves at the front."""
    _drop(my, page)
    thread = my.entities[page].last_user
    of_thread, listed = my.shared_each[thread].working, my.shared_each[page].working
    _link(my, thread + of_thread.previous, page)
    _link(my, page, thread)
    of_thread.clock += 1
    listed.clock, listed.user = of_thread.clock, thread
    _count(my, page, 1, 1)
    first = thread + of_thread.next
    while my.shared_each[first].working.clock <= of_thread.clock - my.parameters.window:
        _drop(my, first)
        first = thread + of_thread.next


# -- the verbs of a page


@kernel
def hold(my, e):
    if _is_listed(my, e):
        _count(my, e, 0, 1)
    _touch(my, e)


@kernel
def use(my, e):
    _touch(my, e)


@kernel
def cool(my, e):
    _drop(my, e)


@kernel
def release(my, e):
    """Evicted, it stays in the set; without contents it does not."""
    if _is_listed(my, e):
        _count(my, e, 0, -1)
    if my.why == Why.DONTNEED or my.why == Why.EXIT:
        _drop(my, e)
