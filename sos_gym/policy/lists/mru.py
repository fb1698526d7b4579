"""MRU: what was used last goes first."""

from sos_gym.policy.words import ListPolicy, kernel, queue

USED = 2


@kernel
def claim(my, entity):
    return -abs(float(entity.use_seq)), 0.0  # far below zero once cooled: of greater size than any other


@kernel
def use(my, e):
    queue.to_front(my, USED, e)


@kernel
def victim(my, decision):
    return queue.first_legal(my, decision, USED)


MRU = ListPolicy(
    name="mru",
    aliases=("coldest_first",),
    summary="what was used last goes first",
    on_cores="coldest first: whoever ran longest ago runs; a waker always preempts the thread that was charged last",
    on_frames="MRU, exact: best for a loop that does not fit, poor for nearly all else",
    reads="use_seq",
    sight="the page that was used last is known at a harvest: between two of them the newcomer goes",
    source="Chou, DeWitt, VLDB 1985",
    claim=claim,
    hold=use,
    use=use,
    release=queue.remove,
    victim=victim,
    queues=2,
)
