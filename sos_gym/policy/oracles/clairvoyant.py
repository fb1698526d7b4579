"""The nearest future first: SRPT on cores, Belady's MIN on frames. It knows the tape."""

from sos_gym.engine.bitmap import greatest_below, leave
from sos_gym.engine.futures import to_next_use, used_again, work_done
from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import inlined, kernel
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists import recency
from sos_gym.resource import NONE, State

ABSENT = int(State.ABSENT)


@kernel
def claim(my, entity, now, number):
    return -float(entity.future), 0.0


# -- pages that are never used again, least recently used first


@inlined
def _is_page_done_with(my, entity):
    return my.use_is_credit > 0 and not used_again(my, entity - my.first_entity)


@kernel
def hold(my, entity, slot, why, now):
    if _is_page_done_with(my, entity):
        recency.hold(my, entity, slot, why, now)


@kernel
def use(my, entity, amount, why, now):
    if _is_page_done_with(my, entity):
        recency.use(my, entity, amount, why, now)


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
            if my.entities[e].state == ABSENT:
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
    e = recency.victim(my, decision)
    return e if e != NONE else _used_farthest_ahead(my, decision)


CLAIRVOYANT = Policy(
    name="clairvoyant",
    aliases=("belady", "min", "srpt"),
    summary="the nearest future first; knows the tape, not a bound",
    on_cores="SRPT: least own work left in this burst",
    on_frames="Belady's MIN: the page used farthest ahead (own-thread work) goes",
    reads="future (privileged)",
    source="Belady, 1966; Schrage, Operations Research 16(3), 1968",
    claim=claim,
    hold=hold,
    use=use,
    victim=victim,
    ints=recency.INTS,
    needs_future=True,
)
