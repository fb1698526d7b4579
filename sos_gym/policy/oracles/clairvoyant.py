"""The nearest future first: SRPT on cores, Belady's MIN on frames. It knows the tape."""

from sos_gym.engine.bitmap import greatest_below, leave
from sos_gym.engine.futures import to_next_use, used_again, work_done
from sos_gym.policy.lists import recency
from sos_gym.policy.words import NONE, Policy, Sides, State, inlined, kernel, legal_holder, log


@kernel
def claim(my, entity):
    return -float(entity.future), 0.0


# -- pages that are never used again, least recently used first


@inlined
def _is_done_with(my, e):
    return not used_again(my, e - my.first_entity)


@kernel
def use(my, e):
    if _is_done_with(my, e):
        recency.use(my, e)


@kernel
def cool(my, e):
    if _is_done_with(my, e):
        recency.cool(my, e)


@kernel
def _any_done_with(my, decision):
    """Where not every use is told, the last one may not have been: all holders are asked, not the log alone."""
    best = NONE
    for slot in range(my.first_slot, my.first_slot + my.slots_count):
        e = my.slots[slot].holder
        if e != NONE and legal_holder(my, decision, e) and _is_done_with(my, e):
            if best == NONE or my.entities[e].use_seq < my.entities[best].use_seq:
                best = e
    return best


# -- the others


@kernel
def _later(my, e, future, best, best_future):
    if best == NONE or future != best_future:
        return best == NONE or future > best_future
    return my.entities[e].use_seq < my.entities[best].use_seq


@kernel
def _used_farthest_ahead(my, decision):
    """Thread by thread from its last awaited op down, as long as that is farther ahead than what was found.

    A page that several threads use is used by another one before that, perhaps. What lost its frame is awaited no more.
    """
    best, best_future, n = NONE, 0, my.ops.size
    for t in range(my.threads.size):
        thread, done = my.threads[t], work_done(my, t)
        op = greatest_below(my.awaited, n, thread.last)
        while op >= thread.pc + thread.started and my.work[op] - done >= best_future:
            p = my.ops[op].arg
            e = my.first_entity + p
            if my.entities[e].state == State.ABSENT:
                leave(my.awaited, n, op)
            elif legal_holder(my, decision, e):
                future = to_next_use(my, p)
                if _later(my, e, future, best, best_future):
                    best, best_future = e, future
            op = greatest_below(my.awaited, n, op)
    return best


@kernel
def victim(my, decision):
    """Who is used farthest ahead; of equals, the least recently used."""
    e = log.oldest(my, decision, log.BY_USE)
    if e == NONE and not my.every_use:
        e = _any_done_with(my, decision)
    return e if e != NONE else _used_farthest_ahead(my, decision)


CLAIRVOYANT = Policy(
    name="clairvoyant",
    aliases=("belady", "min", "srpt"),
    summary="the nearest future first; knows the tape, not a bound",
    on_cores="SRPT: least own work left in this burst",
    on_frames="Belady's MIN: the page used farthest ahead (own-thread work) goes",
    reads="future (privileged)",
    sight="needs no uses: it knows them; only ties, which go by recency, may fall otherwise",
    looks=False,
    source="Belady, 1966; Schrage, Operations Research 16(3), 1968",
    claim=claim,
    hold=Sides(frames=use),
    use=Sides(frames=use),
    cool=Sides(frames=cool),
    victim=victim,
    books=recency.RECENCY.books,
    needs_future=True,
)
