"""What an agent sees, column by column: the one table that kernels, pages, learned claims and tests read.

A kernel writes a number x in the record's field of that name, and where the scale takes a logarithm it is taken of x.
A scale is chosen so that a column spreads by some .1 to 1 where it says something: a learner that begins with equal
weights then hears all of them. Adding a column is one line here and one statement in `observation.py`. What is not
known is 0, and so is every pair column of who keeps its place. A vacancy has `valid`, `vacant` and the pair columns
only.
"""

import math
from typing import NamedTuple

import numpy as np

# Raised when the name, the scale or the meaning of a column changes; not when one is added or they change their order.
OBSERVATION = 2
UNBOUNDED = 1e9
LN2 = math.log(2.0)


class Scale(NamedTuple):
    """What a column shows of x: x itself, or `per_octave` * log2(x) within ±`bound`."""

    per_octave: float  # 0: x itself
    bound: float = UNBOUNDED


AS_IT_IS = Scale(0.0)
RLOG = Scale(LN2 / 4, 2.0)  # x = (t + 1 us) / tau, tau the mean hold time of a slot: rlog(tau - 1 us) = 0
CLOG = Scale(1 / 4, 4.0)  # x = 1 + a count: clog(255) = 2
COST = Scale(LN2 / 4, 4.0)  # x = 1 + us: ln(1 + us) / 4
SHARE = Scale(1.0, 4.0)  # x = a ratio of shares: log2(x)
WEIGHT = Scale(1 / 4, 4.0)  # x = weight / mean weight: log2(x) / 4
TAU = Scale(LN2 / 2, 4.0)  # x = ms: ln(x) / 2


class Column(NamedTuple):
    """A number that an agent sees."""

    name: str
    scale: Scale
    meaning: str


CANDIDATE_COLUMNS = (  # of a row; the same for threads and pages
    Column("valid", AS_IT_IS, "1; 0 in padding"),
    Column("holder", AS_IT_IS, "1: holds a slot"),
    Column("vacant", AS_IT_IS, "1: is a free slot"),
    Column("raised_this", AS_IT_IS, "1: EVICT: it is who wants; ADMIT: it holds the offered slot"),
    Column("same_owner", AS_IT_IS, "1: its owner is that of who raised the decision"),
    Column("weight", WEIGHT, "log2(weight / mean) / 4"),
    Column(
        "boost", WEIGHT, "log2(weightiest of it and those who wait for its locks / its weight) / 4; a page: its user"
    ),
    Column("lock_waiters", CLOG, "clog of those who wait for its locks; a page: for its user's"),
    Column("since_use", RLOG, "rlog of the time since its last use"),
    Column("held", RLOG, "rlog of its stay in this node"),
    Column("waited", RLOG, "rlog of the time it has waited"),
    Column("last_gap", RLOG, "rlog of the last gap between two uses; a thread: of its last burst"),
    Column("prev_gap", RLOG, "rlog of the gap before"),
    Column("gap_known", AS_IT_IS, "0, 1/2, 1: how many of the two gaps are known"),
    Column("payoff", RLOG, "rlog; page: max(last gap, age), thread: max(estimated burst - attained, attained / 2)"),
    Column("uses", CLOG, "clog of its uses since it got its slot"),
    Column("uses_total", CLOG, "clog of all its uses"),
    Column("attained", RLOG, "rlog of the thread's service in this burst"),
    Column("owner_share", SHARE, "log2(its owner's share of the slots / the share it is entitled to)"),
    Column("owner_stall", AS_IT_IS, "share of its owner's time so far that was stall"),
    Column(
        "leave_cost",
        COST,
        "ln(1 + us) / 4 of what leaving costs: write-back of a dirty page, switch from a warm thread",
    ),
    Column("bind_cost", COST, "pair: ln(1 + us) / 4 of what it costs to join this entity and this slot"),
    Column("distance", AS_IT_IS, "pair: 1 when they are on different nodes"),
    Column("resident_share", AS_IT_IS, "share of the pages that the thread used lately which are in"),
    Column("expected_refaults", CLOG, "clog of those that are out"),
    Column("users_running", CLOG, "clog of the page's users that run"),
    Column("users_waiting", CLOG, "clog of the page's users that wait, for a core or a page"),
    Column("returned", AS_IT_IS, "1: it wanted a slot again within tau of losing one"),
)
CONTEXT_COLUMNS = (
    Column("evict", AS_IT_IS, "1 in EVICT"),
    Column("admit", AS_IT_IS, "1 in ADMIT"),
    Column("cpu", AS_IT_IS, "1 when the slot is a core"),
    Column("memory", AS_IT_IS, "1 when it is a frame"),
    Column("log_tau", TAU, "ln(tau / 1 ms) / 2"),
    Column("slots", CLOG, "clog of the resource's slots"),
    Column("contenders", CLOG, "clog of the decision's contenders"),
    Column("shown", AS_IT_IS, "share of the contenders that are rows"),
    Column("psi_some", AS_IT_IS, "running share of time in which some thread stalled (PSI some)"),
    Column("psi_full", AS_IT_IS, "running share of time in which threads stalled and none ran (PSI full)"),
    Column("free", AS_IT_IS, "share of the resource's slots that are vacant"),
    Column("utilisation", AS_IT_IS, "share of the cores that run a thread"),
    Column("device_queue", CLOG, "clog of the swap device's backlog, in page-ins"),
    Column("return_rate", AS_IT_IS, "running share of wants that came within tau of losing a slot"),
    # -- who raised the decision: EVICT, who wants a slot; ADMIT, who holds the one that is offered; 0: nobody
    Column("raiser_weight", WEIGHT, "log2(its weight / mean) / 4"),
    Column("raiser_since_use", RLOG, "rlog of the time since its last use"),
    Column("raiser_last_gap", RLOG, "rlog of the last gap between two uses; a thread: of its last burst"),
    Column("raiser_uses_total", CLOG, "clog of all its uses"),
    Column("raiser_returned", AS_IT_IS, "1: it wanted a slot again within tau of losing one"),
    Column("raiser_owner_share", SHARE, "log2(its owner's share of the slots / the share it is entitled to)"),
    Column("raiser_owner_stall", AS_IT_IS, "share of its owner's time so far that was stall"),
)
COLUMNS, CONTEXT = (tuple(column.name for column in table) for table in (CANDIDATE_COLUMNS, CONTEXT_COLUMNS))
CANDIDATE_RECORD, CONTEXT_RECORD = (np.dtype([(name, "f4") for name in names]) for names in (COLUMNS, CONTEXT))
