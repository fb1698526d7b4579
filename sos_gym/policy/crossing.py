"""The two managers see each other: who runs decides what stays, and the reverse."""

from ..kernel import kernel
from ..ranges import Parameter
from ..resource import NEVER, State
from . import placement, recency, working_set
from .base import Policy
from .turns import turn

WAITING, HOLDING, GONE = int(State.WAITING), int(State.HOLDING), int(State.GONE)
COUPLING, WINDOW, WORTH = 0, 1, 2  # parameters
RUNNING_LEVEL = 2.0  # above 1/want_seq
REFERENCES = Parameter(32, "references", 1, 10**9, "of a thread that make its working set; a slower estimate")


# -- the frame-side verbs keep the working sets


@kernel
def hold(my, entity, slot, why, now):
    if my.use_is_credit > 0:
        working_set.hold(my, entity, why, my.parameters[WINDOW])


@kernel
def use(my, entity, amount, why, now):
    if my.use_is_credit > 0:
        working_set.use(my, entity, why, my.parameters[WINDOW])


@kernel
def release(my, entity, slot, why, now):
    if my.use_is_credit > 0:
        working_set.release(my, entity, why)


# -- resident_first: a scheduler that looks at the frames


@kernel
def _hold_and_log(my, entity, slot, why, now):
    hold(my, entity, slot, why, now)
    recency.hold(my, entity, slot, why, now)


@kernel
def _use_and_log(my, entity, amount, why, now):
    use(my, entity, amount, why, now)
    recency.use(my, entity, amount, why, now)


@kernel
def resident_first_claim(my, entity, now, number):
    if my.use_is_credit > 0:
        return float(entity.use_seq), 0.0
    first, second = turn(entity, now)
    share = working_set.resident(my, entity.id) / max(1, working_set.size(my, entity.id))
    return first + my.parameters[COUPLING] * share, second


# -- spare_next: a pager that looks at the cores


@kernel
def _soon(thread):
    """Running, then waiting in the order of their wants, then away, the shortest bursts first."""
    if thread.state == HOLDING:
        return RUNNING_LEVEL
    if thread.state == WAITING:
        return 1.0 / thread.want_seq
    return -float(NEVER if thread.state == GONE else thread.last_gap)


@kernel
def spare_next_claim(my, entity, now, number):
    if my.use_is_credit < 0:
        return turn(entity, now)
    spared = _soon(my.entities[entity.last_user]) if my.parameters[COUPLING] else 0.0
    return spared, float(entity.use_seq)


# -- together: one claim for a thread and its pages


@kernel
def _short_burst(my, thread):
    """The burst as last time, or as long as it is by now, and what its missing pages will add."""
    missing = working_set.size(my, thread.id) - working_set.resident(my, thread.id)
    return -(max(thread.last_gap, thread.attained) + my.parameters[COUPLING] * missing)


@kernel
def together_claim(my, entity, now, number):
    if my.use_is_credit < 0:
        return _short_burst(my, entity) + my.parameters[WORTH] * placement.nearness(my, entity), 0.0
    inherited = _short_burst(my, my.entities[entity.last_user]) if my.parameters[COUPLING] > 0 else 0.0
    return inherited, float(entity.use_seq)


RESIDENT_FIRST = Policy(
    name="resident_first",
    aliases=("residency_aware",),
    summary="round robin in which a thread whose pages are in goes first; pages by recency",
    on_cores="turns, where a thread whose working set is all in counts as having waited `coupling` longer",
    on_frames="LRU, exact",
    reads="want_ns, hold_ns, turn_over; shared: working sets and their resident share; use_seq",
    not_to_be_confused="`turns` on cores and `recency` on frames, which it is with coupling=0",
    source="sos_gym; working sets: Denning, CACM 11(5), 1968",
    hold=_hold_and_log,
    use=_use_and_log,
    release=release,
    claim=resident_first_claim,
    pick=recency.pick,
    ints=recency.INTS,
    shared=working_set.SHARED,
    parameters={
        "coupling": Parameter(20_000_000, "ns", 0, 10**15, "of waiting that a full residence outweighs; less fair"),
        "window": REFERENCES,
    },
    needs_list=False,
)
SPARE_NEXT = Policy(
    name="spare_next",
    aliases=("schedule_aware",),
    summary="spares the pages of those who run now or next; threads by turns",
    on_cores="round robin, exact",
    on_frames=(
        "pages of threads that are away go first, all of the longest last burst before the next one's, then those of "
        "waiting threads from the queue's end, then of running ones; within a thread LRU. Plenty of cores: all are away"
    ),
    reads="last_user of a page; state, want_seq, last_gap of that thread; use_seq; want_ns, hold_ns, turn_over",
    not_to_be_confused="`recency` on frames and `turns` on cores, which it is with coupling=0",
    source="sos_gym; swapping whole processes: Ritchie, Thompson, CACM 17(7), 1974",
    claim=spare_next_claim,
    parameters={"coupling": Parameter(1, "", 0, 1, "0: blind, LRU; 1: looks at the cores")},
)
TOGETHER = Policy(
    name="together",
    aliases=("inherit",),
    summary="the shortest burst with its swap-ins goes first, near its last core, and its pages stay",
    on_cores=(
        "shortest burst first, as `gap`, but every missing page of the working set lengthens it by `coupling`, every "
        "step nearer to the core shortens it by `worth`; long bursts may starve"
    ),
    on_frames="a page has the claim of the thread that used it last; within a thread LRU. Plenty of cores: the same",
    reads=(
        "last_gap, attained, home, slot, last_slot of a thread; shared: how many pages of its working set are missing; "
        "last_user, use_seq of a page"
    ),
    not_to_be_confused="coupling=0 is its blind kin: `gap` with `nearest` on cores, `recency` on frames",
    source="sos_gym; priority inheritance: Sha, Rajkumar, Lehoczky, IEEE TC 39(9), 1990",
    hold=hold,
    use=use,
    release=release,
    claim=together_claim,
    pick=placement.pick,
    ints=placement.INTS,
    shared=working_set.SHARED,
    parameters={
        "coupling": Parameter(30_000, "ns", 0, 10**12, "that a missing page adds to a burst; less by burst length"),
        "window": REFERENCES,
        "worth": placement.NEARER,
    },
)
POLICIES = (RESIDENT_FIRST, SPARE_NEXT, TOGETHER)
