"""The two managers see each other: who runs decides what stays, and the reverse."""

from sos_gym.kernel import kernel
from sos_gym.policy.books import placement, working_set
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists import recency
from sos_gym.policy.lists.turns import turn
from sos_gym.resource import NEVER, State, Why
from sos_gym.settings.ranges import Parameter

WAITING, HOLDING, GONE = int(State.WAITING), int(State.HOLDING), int(State.GONE)
NEW, WAKE, BLOCK, EXIT = int(Why.NEW), int(Why.WAKE), int(Why.BLOCK), int(Why.EXIT)
COUPLING, WINDOW, WORTH = 0, 1, 1  # parameters
LONGER = float(1 << 50)  # ns, than any burst; exact in a float64
RUNNING_LEVEL = 2.0  # above 1/want_seq
WAITED = Parameter(20_000_000, "ns", 0, 10**15, "of waiting that a whole working set outweighs; less fair")
BLIND = "0: frames are blind, LRU; 1: they look at the threads"


# -- the frame-side verbs keep the working sets


@kernel
def _hold(my, entity, slot, why, now):
    if my.use_is_credit > 0:
        working_set.hold(my, entity, why, my.parameters[WINDOW])


@kernel
def _use(my, entity, amount, why, now):
    if my.use_is_credit > 0:
        working_set.use(my, entity, why, my.parameters[WINDOW])


@kernel
def _release(my, entity, slot, why, now):
    if my.use_is_credit > 0:
        working_set.release(my, entity, why)


@kernel
def _share(my, thread):
    """How much of its working set is in."""
    return working_set.resident(my, thread) / max(1, working_set.size(my, thread))


# -- resident_first: a scheduler that looks at the frames, and a pager that does not


@kernel
def _hold_logged(my, entity, slot, why, now):
    _hold(my, entity, slot, why, now)
    recency.hold(my, entity, slot, why, now)


@kernel
def _use_logged(my, entity, amount, why, now):
    _use(my, entity, amount, why, now)
    recency.use(my, entity, amount, why, now)


@kernel
def resident_first_claim(my, entity, now, number):
    if my.use_is_credit > 0:
        return float(entity.use_seq), 0.0
    first, second = turn(entity, now)
    return first + my.parameters[COUPLING] * _share(my, entity.id), second


# -- whole_sets: the same scheduler, and a pager that takes from who has least


@kernel
def whole_sets_claim(my, entity, now, number):
    if my.use_is_credit < 0:
        return resident_first_claim(my, entity, now, number)
    return _share(my, entity.last_user), float(entity.use_seq)


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


# -- together: one order of threads, in which cores serve and frames keep


@kernel
def _begin(my, entity, home, why, now):
    if my.use_is_credit < 0 and (why == NEW or why == WAKE):
        my.shared[entity] = 1


@kernel
def _end(my, entity, slot, why, now):
    """A fault does not end a burst."""
    if my.use_is_credit < 0 and (why == BLOCK or why == EXIT):
        my.shared[entity] = 0


@kernel
def _short(thread):
    """As long as the last burst, or as this one is by now."""
    return -float(max(thread.last_gap, thread.attained))


@kernel
def together_claim(my, entity, now, number):
    if my.use_is_credit < 0:
        return _short(entity) + my.parameters[WORTH] * placement.nearness(my, entity), 0.0
    inherited = _short(my.entities[entity.last_user]) + LONGER * my.shared[entity.last_user]
    return inherited if my.parameters[COUPLING] else 0.0, float(entity.use_seq)


RESIDENT_FIRST = Policy(
    name="resident_first",
    aliases=("residency_aware",),
    summary="round robin in which a thread whose pages are in goes first; pages by recency",
    on_cores="turns, where a thread whose working set is all in counts as having waited `coupling` longer",
    on_frames="LRU, exact",
    reads="want_ns, hold_ns, turn_over; shared: working sets and their resident share; use_seq",
    not_to_be_confused="`turns` on cores and `recency` on frames, which it is with coupling=0",
    source="sos_gym; working sets: Denning, CACM 11(5), 1968",
    hold=_hold_logged,
    use=_use_logged,
    release=_release,
    claim=resident_first_claim,
    victim=recency.victim,
    ints=recency.INTS,
    shared=working_set.SHARED,
    parameters={"coupling": WAITED, "window": working_set.REFERENCES},
)
WHOLE_SETS = Policy(
    name="whole_sets",
    aliases=("all_or_nothing",),
    summary="keeps working sets whole: who has least of its own in loses pages and goes last",
    on_cores="turns, where a thread whose working set is all in counts as having waited `coupling` longer",
    on_frames=(
        "pages whose last user has the least share of its working set in go first; within a thread LRU. Fewer faults "
        "for all together, unfair for who is robbed; worse than LRU where threads sleep. A single thread: LRU, exact"
    ),
    reads="want_ns, hold_ns, turn_over; shared: working sets and their resident share; last_user, use_seq",
    not_to_be_confused="`resident_first`, its kin whose frames are blind",
    source="sos_gym; working sets all in or all out: Denning, CACM 11(5), 1968",
    hold=_hold,
    use=_use,
    release=_release,
    claim=whole_sets_claim,
    shared=working_set.SHARED,
    parameters={"coupling": WAITED, "window": working_set.REFERENCES},
)
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
    not_to_be_confused="`recency` on frames and `turns` on cores, which it is with coupling=0",
    source="sos_gym; swapping whole processes: Ritchie, Thompson, CACM 17(7), 1974",
    claim=spare_next_claim,
    parameters={"coupling": Parameter(1, "", 0, 1, BLIND)},
)
TOGETHER = Policy(
    name="together",
    aliases=("inherit",),
    summary="short bursts first, near their last core; pages of a burst in progress stay, in the same order",
    on_cores="shortest burst first, as `gap`, and every step nearer to the core shortens it by `worth`; may starve",
    on_frames=(
        "pages whose last user is asleep go first, then those of the longest burst; within a thread LRU. Plenty of "
        "cores: the pages of the longest burst go first"
    ),
    reads="last_gap, attained, home, slot, last_slot of a thread; shared: who is in a burst; last_user, use_seq",
    not_to_be_confused="coupling=0 is its blind kin: `gap` with `nearest` on cores, `recency` on frames",
    source="sos_gym; priority inheritance: Sha, Rajkumar, Lehoczky, IEEE TC 39(9), 1990",
    want=_begin,
    release=_end,
    claim=together_claim,
    pick=placement.pick,
    ints=placement.INTS,
    shared=(0, 1, 0),
    parameters={"coupling": Parameter(1, "", 0, 1, BLIND), "worth": placement.NEARER},
)
POLICIES = (RESIDENT_FIRST, WHOLE_SETS, SPARE_NEXT, TOGETHER)
