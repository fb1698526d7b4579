"""Spare next: a pager that looks at the cores."""

from sos_gym.policy.words import NEVER, Parameter, Policy, State, kernel, turn

RUNNING_LEVEL = 2.0  # above 1/want_seq
COUPLING = Parameter(1, "", 0, 1, "0: frames are blind, LRU; 1: they look at the threads")


@kernel
def _soon(thread):
    """Running, then waiting in the order of their wants, then away, the shortest bursts first."""
    if thread.state == State.HOLDING:
        return RUNNING_LEVEL
    if thread.state == State.WAITING:
        return 1.0 / thread.want_seq
    return -float(NEVER if thread.state == State.GONE else thread.last_gap)


@kernel
def claim(my, entity):
    if my.use_is_credit < 0:
        return turn(my, entity)
    spared = _soon(my.entities[entity.last_user]) if my.parameters.coupling else 0.0
    return spared, float(entity.use_seq)


SPARE_NEXT = Policy(
    name="spare_next",
    aliases=("schedule_aware",),
    summary="spares the pages of those who run now or next; threads by turns",
    on_cores="round robin, exact",
    on_frames=(
        "pages of threads that are away go first, all of the longest last burst before the next one's, then those of "
        "waiting threads from the queue's end, then of running ones; within a thread LRU. Plenty of cores: all are "
        "away, and it is worse than LRU where threads sleep"
    ),
    reads="last_user of a page; state, want_seq, last_gap of that thread; use_seq; want_ns, hold_ns, turn_over",
    sight="last user and recency are those of the last sighting",
    not_to_be_confused="`recency` on frames and `turns` on cores, which it is with coupling=0",
    source="sos_gym; swapping whole processes: Ritchie, Thompson, CACM 17(7), 1974",
    claim=claim,
    parameters={"coupling": COUPLING},
)
