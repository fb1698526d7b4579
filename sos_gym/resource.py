"""The unified resource model: records, decision kinds, units and invariants.

Glossary (one noun, one word, everywhere):
    slot        what is scarce: a core, or a page frame
    node        where a slot lies: NUMA node, LLC or tier
    entity      what wants a slot: a thread, or a page; in code its record (in DECISION and FORECAST its number)
    e           in code the number of an entity
    owner       whose entity it is: a process
    affinity    hard bit mask over nodes
    home        soft: the node where moving is free
    weight      nice or cpu.weight, 1024 is nice 0; a page has its owner's
    want        to begin to want a slot (wakeup; page fault)
    hold        to have one (run; be resident)
    use         to consume it (time; references)
    reference   an access to a page, by a READ or WRITE
    release     to lose or leave it (preempted, asleep, evicted, dropped)
    swap        an exchange of holders: context switch, swap-in and swap-out
    move        a holder changes its node
    scan        a periodic offer of a slot: tick, NUMA-balancing scan
    stall       time wanted and not had: waiting, switching, moving, faulting, remote, locked out
    service     time had: on the core (threads), in the frame (pages)
    burst       a thread's work from wake to sleep
    gap         between two uses of a page; the length of a thread's burst
    claim       how strong a contender's case for a slot is
    decision    EVICT (the entity is fixed) or ADMIT (the slot is fixed)
    contender   what a decision may choose
    candidate   a contender that is shown in one of the K rows
    vacancy     a free slot as a contender
    lock        what one thread holds and others queue for, between LOCK and UNLOCK
    tape        a list of ops per thread: the workload
    policy      what decides
    advisor     a policy that is asked, but does not decide

All times are int64 nanoseconds. Entities are numbered from 0: threads first, then pages in order of first touch.
Slots: frames first, node by node, then cores, node by node.
"""

from enum import IntEnum

import numpy as np


class Op(IntEnum):
    """What a tape can say."""

    COMPUTE = 0  # ns of service
    SLEEP = 1  # ns, closed
    SLEEP_UNTIL = 2  # ns since the start of the episode, open arrivals
    READ = 3  # page
    WRITE = 4  # page
    WAIT = 5  # channel
    SIGNAL = 6  # channel
    YIELD = 7
    COLD = 8  # page
    PAGEOUT = 9  # page
    DONTNEED = 10  # page
    EXIT = 11
    LOCK = 12  # lock
    UNLOCK = 13  # lock


class Kind(IntEnum):
    """The two decisions."""

    EVICT = 0  # the entity is fixed, who goes without?
    ADMIT = 1  # the slot is fixed, who gets it?


class Why(IntEnum):
    """Why an entity wants a slot or lost it, or why a decision is raised."""

    # of a want, the hold that follows, and the EVICT between them
    NEW = 0
    WAKE = 1
    FAULT = 2
    FAULT_DONE = 3
    # of other decisions; a yield is a release as well
    HINT = 4
    TICK = 5
    IDLE = 6
    YIELD = 7
    SCAN = 8
    # of a release; a thread that faults loses its core because of FAULT, and by LOCK it loses and wants one
    PREEMPT = 9
    BLOCK = 10
    EVICTED = 11
    LOCK = 12  # it waits for a lock; of a want: it was given the lock that it waited for
    PAGEOUT = 13
    DONTNEED = 14
    EXIT = 15


class State(IntEnum):
    """What an entity is to its resource."""

    ABSENT = 0  # neither wants nor holds
    WAITING = 1  # wants, holds none (a thread; a page without a frame)
    IN_FLIGHT = 2  # holds a frame that is being filled
    HOLDING = 3
    GONE = 4  # an exited thread


class Status(IntEnum):
    """Where a thread's time goes."""

    NEW = 0
    RUNNING = 1
    CPU_WAIT = 2
    SLEEPING = 3
    BLOCKED = 4
    FAULTING = 5
    EXITED = 6
    LOCK_WAIT = 7  # for a lock that another thread holds


class Resource(IntEnum):
    """The two instances of the model."""

    MEMORY = 0
    CPU = 1


NONE = -1
NEVER = 1 << 60  # ns, beyond every tape
COLD_OFFSET = 1 << 52  # exact in a float64, above every sequence number
DEFAULT_WEIGHT = 1024  # nice 0, kernel/sched/core.c: sched_prio_to_weight[20]

# One record per entity. A use touches the first 64 bytes, a change of its slot the first 128.
ENTITY = np.dtype(
    [
        ("use_seq", "i8"),  # sequence number of the last use
        ("last_use", "i8"),  # ns
        ("last_gap", "i8"),  # ns between the last two uses; a thread: its last burst
        ("prev_gap", "i8"),  # ns, the one before
        ("uses", "i4"),  # since it got its slot
        ("uses_total", "i4"),  # ever
        ("slot", "i4"),  # or NONE
        ("owner", "i4"),
        ("last_user", "i4"),  # page: the thread that used it last
        ("weight", "i4"),  # >= 1
        ("home", "i1"),  # node
        ("node", "i1"),  # of its slot, or NONE
        ("state", "i1"),  # State
        ("dirty", "i1"),  # 0, 1
        ("pinned", "i1"),  # 0, 1
        ("touched", "i1"),  # page: has contents; thread: has run
        ("gaps", "i1"),  # 0, 1, 2: how many of the two gaps are known
        ("turn_over", "i1"),  # its slice is used up (frames have no turn: always 1)
        # -- 64 bytes
        ("want_seq", "i8"),
        ("hold_seq", "i8"),
        ("spell_seq", "i8"),  # start of this spell of wanting and holding
        ("want_ns", "i8"),
        ("hold_ns", "i8"),
        ("release_ns", "i8"),  # last release
        ("queue_head", "i4"),  # page: first of the threads that wait for it, or NONE
        ("queue_tail", "i4"),
        ("affinity", "i2"),  # bit mask over nodes
        ("queued", "i1"),  # 1: it is in its resource's waiting set
        ("moved", "i1"),  # 1: it changed its node since it got a slot
        ("returned", "i1"),  # wanted again within tau of its release
        ("file", "i1"),  # page: first touch is a page-in
        ("private", "i1"),  # page: only its owner touches it
        ("unmapped", "i1"),  # page: 1: its next touch will be seen (sight "sampled")
        # -- 128 bytes
        ("id", "i8"),
        ("service", "i8"),  # thread: ns of service so far
        ("attained", "i8"),  # thread: ns of service in this burst
        ("future", "i8"),  # ns of own-thread work to burst end or next use; privileged
        ("hint_ns", "i8"),  # last hint fault
        ("move_ns", "i8"),  # last move
        ("deadline", "i8"),  # thread: ns at which its burst is due, or NEVER
        ("last_slot", "i4"),  # thread: or NONE
        ("waiting_at", "i4"),  # index in its resource's waiting set
    ]
)

SLOT = np.dtype(
    [
        ("holder", "i4"),  # e, or NONE
        ("node", "i4"),
        ("last", "i4"),  # last holder or NONE
        ("excluded", "i4"),  # thread that yielded it, or NONE
        ("spare", "i8"),
        ("since", "i8"),  # ns, last change of holder
        ("busy", "i8"),  # ns held
        ("idle", "i8"),  # ns vacant
        ("spare2", "i8"),
        ("spare3", "i8"),  # a whole cache line
    ]
)

OWNER = np.dtype(
    [
        ("service", "i8"),  # slot-ns held up to `since`
        ("since", "i8"),
        ("holding", "i4"),  # slots held now
        ("active", "i4"),  # entities that want or hold
        ("weight", "i4"),  # >= 1
        ("live", "i4"),  # threads not yet exited
        ("stall_ns", "i8"),  # of its threads (kept in the record of the CPU)
        ("work_ns", "i8"),  # service of its threads, likewise
    ]
)

DECISION = np.dtype(
    [
        ("number", "i8"),  # of raised decisions before this one
        ("now", "i8"),
        ("kind", "i4"),  # Kind
        ("cause", "i4"),  # Why
        ("resource", "i4"),  # Resource
        ("entity", "i4"),  # its number; EVICT: who wants; ADMIT: the holder, or NONE
        ("slot", "i4"),  # ADMIT: the offered slot; EVICT: NONE
        ("node", "i4"),  # home of the entity, or node of the slot
        ("may_wait", "i4"),  # EVICT: the entity itself is a contender
        ("local", "i4"),  # EVICT: 1 when only holders of `node` are offered
        ("listed", "i4"),  # 1: the contenders are in the list; 0: a policy finds them itself
        ("count", "i4"),  # of its contenders
        ("vacancy", "i4"),  # EVICT: the nearest, then lowest vacant slot that the entity may take, or NONE
        ("spare", "i4"),
    ]
)


def vacancy(slot: int) -> int:
    """The contender that stands for a free slot: -1 - slot."""
    return -1 - slot
