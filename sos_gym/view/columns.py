"""The names of what an agent sees, each with what it means; the same for threads and pages.

rlog(t) = clip(ln((t + 1 us) / tau), -8, 8) / 4 with tau the running mean hold time of a slot;
clog(n) = log2(1 + n) / 16, at most 1. One worked number: rlog(tau - 1 us) = 0, clog(255) = 0.5. What is not known is 0,
and so is every pair column of who keeps its place. A vacancy has `valid`, `vacant` and the pair columns only.
"""

MEANING_OF_COLUMNS = {
    "valid": "1; 0 in padding",
    "holder": "1: holds a slot",
    "wanting": "1: wants one",
    "vacant": "1: is a free slot",
    "raised_this": "1: EVICT: it is who wants; ADMIT: it holds the offered slot",
    "weight": "log2(weight / mean) / 8",
    "since_use": "rlog of the time since its last use",
    "held": "rlog of its stay in this node",
    "waited": "rlog of the time it has waited",
    "last_gap": "rlog of the last gap between two uses; a thread: of its last burst",
    "prev_gap": "rlog of the gap before",
    "gap_known": "0, 1/2, 1: how many of the two gaps are known",
    "payoff": "rlog; page: max(last gap, age), thread: max(estimated burst - attained, attained / 2)",
    "uses": "clog of its uses since it got its slot",
    "uses_total": "clog of all its uses",
    "attained": "rlog of the thread's service in this burst",
    "owner_share": "log2(its owner's share of the slots / the share it is entitled to) / 4",
    "owner_stall": "share of its owner's time so far that was stall",
    "leave_cost": "ln(1 + us) / 14 of what leaving costs: write-back of a dirty page, switch from a warm thread",
    "bind_cost": "pair: ln(1 + us) / 14 of what it costs to join this entity and this slot",
    "distance": "pair: 1 when they are on different nodes",
    "resident_share": "share of the pages that the thread used lately which are in",
    "expected_refaults": "clog of those that are out",
    "users_running": "clog of the page's users that run",
    "users_waiting": "clog of the page's users that wait, for a core or a page",
    "returned": "1: it wanted a slot again within tau of losing one",
}
MEANING_OF_CONTEXT = {
    "evict": "1 in EVICT",
    "admit": "1 in ADMIT",
    "cpu": "1 when the slot is a core",
    "memory": "1 when it is a frame",
    "log_tau": "ln(tau / 1 ms) / 8",
    "slots": "clog of the resource's slots",
    "contenders": "clog of the decision's contenders",
    "shown": "share of the contenders that are rows",
    "psi_some": "running share of time in which some thread stalled (PSI some)",
    "psi_full": "running share of time in which threads stalled and none ran (PSI full)",
    "free": "share of the resource's slots that are vacant",
    "utilisation": "share of the cores that run a thread",
    "device_queue": "clog of the swap device's backlog, in page-ins",
    "return_rate": "running share of wants that came within tau of losing a slot",
}
COLUMNS, CONTEXT = tuple(MEANING_OF_COLUMNS), tuple(MEANING_OF_CONTEXT)
