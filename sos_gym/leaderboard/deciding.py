"""The tables of what deciding costs: charged from the cards, which rows hold, and measured here, which none does."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sos_gym.leaderboard.charged import charged_standings, constants
from sos_gym.leaderboard.costs import COPIES, Cost
from sos_gym.leaderboard.machine import machine, versions
from sos_gym.leaderboard.rows import Row
from sos_gym.leaderboard.standing import Standing, geometric_mean, standings
from sos_gym.markdown import number, rounded, table
from sos_gym.policy.costs import MACHINE

CHARGED = (
    "The same episodes again, in which each raised decision takes the ns of the policy's card: `decision_ns`, a "
    f"constant that was measured on {MACHINE}; a pair pays for both. The ratio is to the best online heuristic that is "
    "charged too. Charged / free: its stall to its own where decisions are free, geometric mean over families. – where "
    "the card has no constant, as those of agents and most policies from outside, or one that would fill every slice "
    "or scan. ▴ no policy that does not know the future has less stall, where decisions are free, for as few ns."
)
FRONT = " ▴"  # beside a policy's name
MEASURED = (
    "Measured: CPU time of the policy's own code, all verbs and picks, per raised decision; the mean over the first "
    "workload of each environment. Charged: the constant of its card. An episode is run with and without "
    f"{COPIES} further copies of the policy that are told and asked, and not heard; the difference, by copies and "
    "decisions, median of alternating rounds. What the engine does for a policy, as to list contenders or to look "
    "ahead, is not in it. Bytes: what its records, tables and links take for each page and for each frame; neither "
    "what it keeps once is in it, nor what the engine keeps. – for agents, and for the bytes of Python's objects. "
    "These numbers are of this machine: no row has them, and no replay compares them."
)
HEADS = "policy", "measured, ns", "charged, ns", "bytes per page", "bytes per frame"


def charged_section(rows: Sequence[Row], marked: Callable[[Standing], str]) -> list[str]:
    """Markdown: everybody's stall with decisions charged, the least ratio first; nothing if nobody was charged.

    `marked`: what a table calls a policy.
    """
    paid = {one.policy: one for one in charged_standings(rows)}
    if not paid:
        return []
    free, costs = {one.policy: one for one in standings(rows)}, constants(rows)
    order = [free[name] for name in (*paid, *(name for name in free if name not in paid))]
    ahead = front({name: (costs[name], one.ratio) for name, one in free.items() if name in paid and not one.privileged})
    lines = [
        (marked(one) + FRONT * (one.policy in ahead), *charged_cells(one, paid.get(one.policy), costs.get(one.policy)))
        for one in order
    ]
    heads = "policy", "ns per decision", "stall ratio, decisions charged", "charged / free", "worst family"
    return [f"## Decisions charged\n\n{CHARGED}\n\n{table(heads, lines, 'lrrrl')}"]


def front(found: Mapping[str, tuple[float, float]]) -> set[str]:
    """Those that nobody betters in one number without being worse in the other (Pareto), both the less the better.

    front({"a": (1, 9), "b": (2, 5), "c": (3, 5), "d": (4, 1)}) = {"a", "b", "d"}.
    """
    return {
        name
        for name, own in found.items()
        if not any(one <= own[0] and two <= own[1] and (one, two) != own for one, two in found.values())
    }


def charged_cells(free: Standing, paid: Standing | None, cost: int | None) -> tuple[str, ...]:
    """Of one policy: the constant, the ratio under it, what it adds, and where it does worst."""
    if paid is None or cost is None:
        return "–", "–", "–", ""
    worst = f"{paid.worst} {rounded(paid.worst_ratio)}"
    return number(cost), rounded(paid.ratio), f"{growth(free, paid):.3f}", worst


def growth(free: Standing, paid: Standing) -> float:
    """Stall with decisions charged to stall without, geometric mean over groups: (1.1, 1.21) is 1.153."""
    ratios = [paid.places[name].stall_ms / of.stall_ms for name, of in free.places.items() if of.stall_ms]
    return geometric_mean(ratios) if ratios else math.nan


def cost_cells(costs: Sequence[Cost]) -> Iterator[tuple[str, ...]]:
    """A line of HEADS for each."""
    for one in costs:
        kept = (number(one.footprint.page), number(one.footprint.frame)) if one.footprint else ("–", "–")
        charged = "–" if one.charged_ns is None else number(one.charged_ns)
        yield one.called, number(one.measured_ns, 0), charged, *kept


def costs_markdown(costs: Sequence[Cost]) -> str:
    """The page of what was measured, with machine and versions."""
    of, using = machine(), ", ".join(f"{name} {value}" for name, value in versions().items())
    where = f"{of['processor']}, {of['cpus']} cores, {of['platform']}; {using}."
    return f"# What deciding costs\n\n{where}\n\n{MEASURED}\n\n{table(HEADS, cost_cells(costs), 'lrrrr')}\n"


def costs_document(costs: Sequence[Cost]) -> dict[str, Any]:
    """The same for programs."""
    return {"machine": machine(), "versions": versions(), "costs": [cost_record(one) for one in costs]}


def cost_record(one: Cost) -> dict[str, Any]:
    """None: it was not measured, or has no constant."""
    kept = one.footprint
    return {
        "policy": one.policy,
        "called": one.called,
        "measured_decision_ns": None if math.isnan(one.measured_ns) else one.measured_ns,
        "charged_decision_ns": one.charged_ns,
        "bytes_per_page": kept.page if kept else None,
        "bytes_per_frame": kept.frame if kept else None,
    }
