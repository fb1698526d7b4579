"""The records that make up one simulation, and the verbs' signatures.

`SIM` is all that a kernel is given: its settings and clocks are scalar fields, everything of variable size an array
that the record points at. A simulation is thus copied, restored or stacked into a vector by copying records.
"""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numba import types

from sos_gym.kernel import ROOMS, array_fields, expose, function_at, hide, protect, record_type
from sos_gym.resource import DECISION, ENTITY, OWNER, SLOT
from sos_gym.workload.tables import FORECAST, OPS, PAGES, THREADS


def _aligned(fields: list[tuple[str, str]]) -> np.dtype:
    """Every field at a multiple of its size: one that straddles two cache lines costs a stall at each use."""
    laid: Any = np.dtype(fields, align=True)
    formats, offsets = [laid[name] for name in laid.names], [laid.fields[name][1] for name in laid.names]
    # without NumPy's flag for aligned records, which Numba takes for another type
    return np.dtype({"names": laid.names, "formats": formats, "offsets": offsets, "itemsize": laid.itemsize})


THREAD = _aligned(
    [
        ("pc", "i8"),  # op in progress, index into ops
        ("first", "i8"),
        ("last", "i8"),  # one past its ops
        ("since", "i8"),  # ns up to which it is charged
        ("arrival_ns", "i8"),
        ("exit_ns", "i8"),  # or NONE
        ("think_ns", "i8"),  # extra service per READ or WRITE
        ("deadline_ns", "i8"),  # from the start of a burst, or NONE
        # -- left to consume on a core, in this order
        ("switch_left", "i8"),
        ("move_left", "i8"),
        ("minor_left", "i8"),
        ("remote_left", "i8"),
        ("service_left", "i8"),
        # -- the partition of its time
        ("service", "i8"),
        ("sleep", "i8"),
        ("cpu_wait", "i8"),
        ("switch", "i8"),
        ("move", "i8"),
        ("minor", "i8"),  # minor faults, on its core
        ("fault_wait", "i8"),
        ("remote", "i8"),
        ("lock_wait", "i8"),
        ("reported", "i8"),  # service told to policies so far
        ("owed", "i8"),  # ns of decisions that it pays with its next switch
        ("cold_near", "i8"),  # its service when it last came to another core,
        ("cold_far", "i8"),  # and to another node: what it served since has warmed caches there
        ("burst_start", "i8"),
        ("wait_since", "i8"),  # start of this stretch of waiting (core or page)
        ("status", "i4"),  # Status
        ("started", "i4"),  # an op is in progress
        ("page", "i4"),  # entity it faults on, or NONE
        ("lock", "i4"),  # that it waits for, or NONE
        ("held", "i4"),  # the lock that it took last of those it holds, or NONE; the one before: `below` of that lock
        ("next", "i4"),  # behind it in a queue, or NONE
        ("node", "i4"),  # of its core, or home
        ("want_why", "i4"),  # Why of its last want
        ("recent_at", "i4"),  # cursor of its ring of recent pages
        ("promoted", "i4"),  # 1: its next touch is the one that brought its page into the fast tier
        ("stays", "i4"),  # 1: it stands in a page's queue and stays on its core, for a minor fault that is not settled
    ]
)

CHANNEL = np.dtype([("queue_head", "i4"), ("queue_tail", "i4"), ("count", "i8")])

LOCK = np.dtype(
    [
        ("holder", "i4"),  # thread, or NONE
        ("below", "i4"),  # the lock that its holder took before it and holds as well, or NONE
        ("queue_head", "i4"),  # first of the threads that wait for it, or NONE; behind each: `next` of that thread
        ("queue_tail", "i4"),
    ]
)

NODE = _aligned(
    [
        ("first_slot", "i4"),
        ("size", "i4"),
        ("vacant", "i4"),  # size of its heap in vacant_slots[first_slot:]
        ("legal", "i4"),  # holders that may be evicted
        ("hand", "i4"),  # last frame a scan offered
        ("misplaced", "i4"),  # pages whose home it is, lying elsewhere
    ]
)

INSTANCE = _aligned(  # one per resource
    [
        ("first_slot", "i4"),
        ("size", "i4"),
        ("first_entity", "i4"),
        ("population", "i4"),
        ("holding", "i4"),
        ("waiters", "i4"),  # size of its part of the waiting set
        ("first_waiting", "i4"),  # where its part begins
        ("use_is_credit", "i4"),
        ("holds", "i8"),
        ("tau_ns", "f8"),  # running mean of a stay in a node, of the fast tier where there are two
        ("return_rate", "f8"),  # running share of wants within tau of the release
        ("decisions", "i8"),
        ("active_weight", "i8"),  # of the owners that want or hold
        ("mean_weight", "f8"),  # of its entities
    ]
)

ENTRY = np.dtype([("time", "i8"), ("order", "i8"), ("what", "i4"), ("source", "i4")])  # of a calendar

BURST = np.dtype([("thread", "i8"), ("start", "i8"), ("end", "i8"), ("attained", "i8")])

USER = np.dtype([("thread", "i8"), ("position", "i8")])  # a page's next READ or WRITE by one thread, or NONE

# A policy's own record of an entity: where it stands in one of the policy's queues (policy/books/queue.py).
LINK = np.dtype([("next", "i4"), ("previous", "i4"), ("queue", "i4"), ("mark", "i4")])

ACCESS = np.dtype(  # what the page table knows of a page's uses (sight "scanned")
    [
        ("unread", "i8"),  # bit k: it was accessed since view k last read it
        ("user", "i4"),  # the thread that used it last
        ("home", "i4"),  # and from which node
    ]
)

FAULT = np.dtype(  # the first mistake of a hosted policy, which ends the episode (guards.py)
    [
        ("code", "i4"),  # Fault
        ("host", "i4"),
        ("part", "i4"),  # of PARTS
        ("resource", "i4"),
        ("entity", "i8"),  # that it was told or asked about, or NONE
        ("number", "i8"),  # of decisions so far
        ("choice", "i8"),  # that is no contender
        ("wrong", "i8"),  # an index,
        ("size", "i8"),  # and what it must be less than
        ("error_at", "i8"),  # see kernel/attempts.py
    ]
)


class Array(NamedTuple):
    """An array of a simulation."""

    dtype: Any
    policies_see: bool = False
    changes: bool = True  # while the episode runs


# All arrays of a simulation, which kernels read as `sim.NAME`, and policies that see them as `my.NAME`.
ARRAYS: dict[str, Array] = {
    "entities": Array(ENTITY, policies_see=True),
    "slots": Array(SLOT, policies_see=True),
    "owners": Array(OWNER, policies_see=True),
    "threads": Array(THREAD, policies_see=True),
    "channels": Array(CHANNEL),
    "locks": Array(LOCK, policies_see=True),
    "nodes": Array(NODE, policies_see=True),
    "instances": Array(INSTANCE),
    "arrivals": Array("i4", changes=False),
    "calendar": Array(ENTRY),
    "places": Array("i4"),
    "agenda": Array(ENTRY),
    "agenda_places": Array("i4"),
    "frame_queue": Array("i4"),
    "vacant_slots": Array("i4", policies_see=True),
    "waiting": Array("i4", policies_see=True),
    "contenders": Array("i4", policies_see=True),
    "lanes": Array("i8"),
    "verbs": Array("i8"),
    "advice": Array("i4"),
    "decision": Array(DECISION),
    "bursts": Array(BURST),
    "waits": Array("i8"),
    "recent": Array("i4"),
    "users": Array("u8"),
    "ops": Array(OPS, policies_see=True, changes=False),
    "page_table": Array(PAGES, changes=False),
    "work": Array("i8", policies_see=True, changes=False),
    "next_use": Array("i8", changes=False),
    "burst_end": Array("i8", changes=False),
    "page_users": Array(USER, policies_see=True),
    "first_user": Array("i8", policies_see=True, changes=False),
    "awaited": Array("i8", policies_see=True),
    "forecast_rows": Array(FORECAST),
    "forecasts": Array(FORECAST, policies_see=True),
    "forecast_next": Array("i8"),
    "thread_table": Array(THREADS, changes=False),
    "fault": Array(FAULT, policies_see=True),
    "voices": Array("i4", changes=False),
    "seen": Array(ENTITY),  # what each view shows of every entity, view by view; none: all see `entities`
    "sighted": Array(ENTITY),  # what columns read: the agent's view, or `entities` (no memory of its own)
    "accesses": Array(ACCESS),
}

# What a policy sees: `my` (policy/contract.py). The engine's arrays are read only; links and rooms are its own.
POLICY = _aligned(
    [
        ("now", "i8"),  # ns, of what it is told or asked
        ("number", "i8"),  # of the decision that it is asked about
        ("why", "i4"),  # Why of a want, a hold or a release, within that verb
        ("use_is_credit", "i4"),  # +1 frames, -1 cores
        ("queues", "i4"),  # in links
        ("slots_count", "i4"),  # of its resource; 0: plenty
        ("capacity", "i4"),  # of these, what is contended for: with tiers the frames of the fast one
        ("fast_only", "i4"),  # of frames it is told of the fast tier alone
        *array_fields("entities", "links"),
        *array_fields(*(f"room{room}" for room in range(ROOMS))),  # its own tables, by the names of its card
        *array_fields(*(name for name, array in ARRAYS.items() if array.policies_see and name != "entities")),
        ("claim_at", "i8"),  # address of its claim, 0 for none
        ("rank_at", "i8"),  # address of what its heap orders by, 0 for none
        ("victim_at", "i8"),  # address of what names the victim of a page fault, 0 for none
        # -- looks at pages (uses.py)
        ("look_at", "i8"),  # address of what reads a page's accessed bit, 0 where uses are told without a look
        ("use_at", "i8"),  # address of what is told of a use, 0 for none
        *array_fields("accesses"),
        ("seq", "i8"),  # of its last look, or what the engine has numbered last
        ("looks", "i8"),  # that are not paid yet
        ("looked", "i8"),  # the page that it looked at last,
        ("looked_number", "i8"),  # and in which decision
        ("every_use", "i4"),  # 1: it is told of every use of a page when it happens
        ("spare", "i4"),
        # --
        ("seed", "i8"),  # of its own random stream
        ("first_slot", "i4"),  # of its resource
        ("first_entity", "i4"),  # of its resource
        ("entities_count", "i4"),  # of its resource
        # -- what guards keep (guards.py)
        ("host", "i4"),  # which of the hosted policies it is
        ("resource", "i4"),
        ("inside", "i4"),  # bits of the PARTS that are being called
        ("turns", "i8"),  # of loops, that are left to the part that is called
        ("wrong", "i8"),
        ("size", "i8"),
        ("mind_at", "i8"),  # what a plain policy is found by (policy/plain.py)
        *array_fields("guarded"),  # addresses of PARTS that are called by a guard
    ]
)

ARRAYS["policies"] = Array(POLICY)  # which is made of the others

SIM = _aligned(
    [
        *array_fields(*ARRAYS),
        # -- settings
        ("plenty_cores", "i4"),
        ("plenty_frames", "i4"),
        ("tiers", "i4"),  # node 0 is the fast one of its frames
        ("reclaim_local", "i4"),
        ("may_idle", "i4"),  # a vacant core that somebody may have may stay so
        ("tick_ns", "i8"),  # 0: none
        ("scan_ns", "i8"),  # 0: none
        ("hint_ns", "i8"),  # 0: none
        ("horizon_ns", "i8"),  # 0: none
        ("decision_ns", "i8"),
        ("sample_faults", "i8"),  # 0: pages are not unmapped
        ("harvest_ns", "i8"),  # 0: none
        ("look_ns", "i8"),
        ("seq_step", "i8"),  # from one sequence number to the next; between them there is room for those of looks
        ("views", "i4"),  # 0: all see every use
        ("scan_looks", "i4"),  # that are paid at a scan, at most
        ("switch_ns", "i8"),
        ("move_near_ns", "i8"),
        ("move_far_ns", "i8"),
        ("warm_near_ns", "i8"),  # 0: a move costs all of it
        ("warm_far_ns", "i8"),
        ("page_move_ns", "i8"),
        ("minor_fault_ns", "i8"),
        ("first_touch_ns", "i8"),
        ("hint_fault_ns", "i8"),
        ("swap_in_ns", "i8"),
        ("write_back_ns", "i8"),
        ("shootdown_ns", "i8"),  # all told, cores included
        ("local_line_ns", "i8"),
        ("remote_excess_ns", "i8"),  # per line
        ("nodes_count", "i4"),
        ("threads_count", "i4"),
        ("first_core", "i4"),  # slot
        ("hosted", "i4"),  # policies whose verbs are called
        ("linked", "i4"),  # of these, the first ones up to the last that keeps links
        ("advisors", "i4"),  # policies, or pairs of them, that are heard
        ("driver", "i4"),  # index of the advisor that decides, or NONE: the agent
        ("listing", "i4"),  # contenders are always listed
        ("prophets", "i4"),  # `future` is kept up to date for contenders
        ("observed", "i4"),  # rings of recent pages are kept
        # -- clocks and counters
        ("now", "i8"),
        ("seq", "i8"),
        ("created", "i8"),  # events so far
        ("arrived", "i8"),  # of the arrivals, those that were made due
        ("frame_queue_used", "i8"),
        ("live", "i8"),
        ("running", "i8"),  # threads on cores
        ("timers", "i8"),  # arrivals and wakes that are due
        ("in_flight", "i8"),  # pages
        ("ready_ns", "i8"),  # page-in of the fault that is settled in place
        ("decided_ns", "i8"),  # what the decision on the fault that is being settled takes
        ("rescue_ns", "i8"),  # instant at which all vacant cores were last offered in distress, or NONE
        ("finished", "i4"),
        ("truncated", "i4"),
        ("stuck", "i4"),
        ("patience", "i4"),  # steps until the caller is returned to, for it may have been interrupted
        ("unknown_op", "i8"),  # index of an op that nobody handles, or NONE; it ends the run like `stuck`
        ("undecided", "i4"),  # a decision is raised and not yet answered
        ("asked_kind", "i4"),  # of the last decision that was raised
        ("asked_cause", "i4"),
        ("asked_resource", "i4"),
        ("asked_slot", "i4"),
        ("decisions", "i8"),
        ("faults", "i8"),
        ("major_faults", "i8"),
        ("references", "i8"),
        ("evictions", "i8"),
        ("switches", "i8"),
        ("moves", "i8"),
        ("write_backs", "i8"),
        ("deciding_ns", "i8"),  # what was charged for decisions, the looks in them included
        ("looks", "i8"),  # at pages: accessed bits read by who decides or a harvest, unmapped pages that were touched
        ("rows_looked", "i8"),  # of the open decision, pages that an agent was shown
        ("masked_out", "i8"),  # rows that an agent chose and the mask forbade
        ("bursts_used", "i8"),
        # -- since the episode began; differences give a step's reward
        ("service_ns", "i8"),
        ("stall_weighted", "i8"),  # sum of weight * ns
        ("stall_ns", "i8"),
        # -- pressure stall information, kernel/sched/psi.c: some, full
        ("stalled", "i8"),  # threads in CPU_WAIT or FAULTING
        ("psi_since", "i8"),
        ("some_ns", "i8"),
        ("full_ns", "i8"),
        ("running_ns", "i8"),  # of all threads that ran, up to `psi_since`,
        ("remote_ns", "i8"),  # and how much of it went to what lies far, as far as it is charged
        # -- up to the last observation
        ("seen_ns", "i8"),
        ("seen_service_ns", "i8"),
        ("seen_stall_weighted", "i8"),
        ("seen_psi_ns", "i8"),  # `seen_ns` is put back to 0 after reset, this is not
        ("seen_some_ns", "i8"),
        ("seen_full_ns", "i8"),
        ("seen_running_ns", "i8"),
        ("seen_remote_ns", "i8"),
        ("psi_some", "f8"),  # running shares
        ("psi_full", "f8"),
        ("rows_seed", "i8"),  # stream of the candidates' draws
        ("stall_per_service", "f8"),
        ("reward_scale_ns", "f8"),
        ("reward", "i4"),  # index into settings.REWARDS
        ("spare", "i4"),
    ]
)

for _name, _array in ARRAYS.items():
    expose(_name, _array.dtype)
expose("links", LINK)
hide("accesses", "what nobody has looked at is not known; look(my, e) of sos_gym.policy.words reads the bit of a page")
expose("guarded", "i8")

MY, _ENTITY, _DECISION = map(record_type, (POLICY, ENTITY, DECISION))
VERB_SIGNATURE = types.void(MY, types.int64)  # (my, e)
PICK_SIGNATURE = types.int64(MY, _DECISION)  # -> contender
CLAIM_SIGNATURE = types.UniTuple(types.float64, 2)(MY, _ENTITY)  # -> (claim, tie breaker)
LOOK_SIGNATURE = types.int64(MY, types.int64)  # (my, e) -> 0, 1
verb_at, pick_at, claim_at = map(function_at, (VERB_SIGNATURE, PICK_SIGNATURE, CLAIM_SIGNATURE))
look_at = function_at(LOOK_SIGNATURE)


class Verb(IntEnum):
    """What a policy is told or asked; in this order in `verbs`."""

    WANT = 0
    HOLD = 1
    MOVE = 2
    USE = 3
    COOL = 4
    RELEASE = 5
    PICK = 6


STEPS = len(Verb)
PARTS = (*(verb.name.lower() for verb in Verb), "claim", "rank", "victim")  # all that a policy may give
CLAIM, RANK, VICTIM = map(PARTS.index, ("claim", "rank", "victim"))
WAIT_BUCKETS = 2048  # per resource; see metrics.bucket_ns
RECENT = 16  # pages in a thread's ring of what it used lately

for _read_only in (ENTITY, SLOT, OWNER, DECISION, THREAD, LOCK, NODE, OPS, USER, FORECAST, ACCESS, FAULT, SIM):
    protect(record_type(_read_only))
_HERE = (ENTITY, SLOT, OWNER, DECISION, THREAD, CHANNEL, LOCK, NODE, INSTANCE, ENTRY, BURST, USER, LINK, POLICY, SIM)
for _record in _HERE:
    # an array's name would hide the field
    assert not set(_record.names or ()) & {*ARRAYS, "links", "guarded"}, _record
