"""How the ranking changes with what is seen of uses: stall of all policies under every sight.

    python -m measurements.sight [--episodes 8] [--out docs/sight.md]

Each number is the stall of a policy as a ratio to that of LRU which sees every use, in geometric mean over the families
below, tapes of the `val` split, the defaults of their id otherwise; 1.00 is LRU, exact. In brackets the place among
those that do not know the future. With --out what stands below the mark in the page is replaced, and the picture beside
it drawn.
"""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from rich.progress import track

import sos_gym
from measurements import page
from sos_gym import markdown

matplotlib.use("Agg")
from matplotlib import pyplot

MARK = "<!-- below: measurements/sight.py -->\n"
BASE = "recency"
FAMILIES = {
    "sos/Memory-v0": ("phases", "localities", "zipf", "loop", "scan", "working_sets", "key_value", "recorded_memory"),
    "sos/System-v0": ("working_sets", "overcommitted"),
}
PAGER, BIT = 6_000, 100  # ns per look, see the page
WAYS: dict[str, dict[str, Any]] = {
    "exact": {},
    "sampled": {"sight": "sampled", "look_ns": PAGER},
    "sampled, free": {"sight": "sampled"},
    "scanned": {"sight": "scanned", "look_ns": BIT},
    "scanned, 100 µs": {"sight": "scanned", "harvest_ns": 100_000, "look_ns": BIT},
    "scanned, no harvest": {"sight": "scanned", "harvest_ns": None, "look_ns": BIT},
}
SHOWN = ("recency", "second_chance", "sieve", "s3fifo", "arc", "lirs", "gap", "frequency", "turns")  # in the picture


def stalls(policy: str, way: dict[str, Any], episodes: int) -> dict[tuple[str, str], float]:
    """Mean stall by id and family, ns."""
    pairs = [(env_id, family) for env_id, families in FAMILIES.items() for family in families]
    return {
        (env_id, family): np.mean(
            [run["stall_ns"] for run in sos_gym.evaluate(env_id, policy, family, 0, episodes, "val", **way)]
        )
        for env_id, family in pairs
    }


def ratio(own: dict, base: dict) -> float:
    return float(np.exp(np.mean([np.log(own[pair] / base[pair]) for pair in base])))


def measure(episodes: int) -> dict[str, dict[str, float]]:
    """Policy -> way -> ratio."""
    base = stalls(BASE, {}, episodes)
    asked = [(name, way) for name in sos_gym.policies() for way in WAYS]
    found: dict[str, dict[str, float]] = {name: {} for name in sos_gym.policies()}
    for name, way in track(asked, "policies", transient=True, auto_refresh=False):
        found[name][way] = ratio(stalls(name, WAYS[way], episodes), base)
    return found


def places(found: dict[str, dict[str, float]], way: str) -> dict[str, int]:
    """Of the policies that do not know the future, from 1."""
    cards = sos_gym.policies()
    ranked = sorted((name for name in found if not cards[name].privileged), key=lambda name: found[name][way])
    return {name: place for place, name in enumerate(ranked, 1)}


def table(found: dict[str, dict[str, float]]) -> str:
    order, cards = {way: places(found, way) for way in WAYS}, sos_gym.policies()
    rows = []
    for name in sorted(found, key=lambda name: found[name]["exact"]):
        cells = [f"{found[name][way]:.2f}" + (f" ({order[way][name]})" if name in order[way] else "") for way in WAYS]
        rows.append([f"`{name}`" + " †" * cards[name].privileged, *cells])
    return markdown.table(["policy", *WAYS], rows)


def picture(found: dict[str, dict[str, float]], out: Path) -> None:
    """A line per policy through the ways; those of SHOWN with their names."""
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    ways = [way for way in WAYS if way != "sampled, free"]
    ends = []
    for name in (name for name in found if not sos_gym.policies()[name].privileged):
        values = [found[name][way] for way in ways]
        if name in SHOWN:
            (line,) = axes.plot(values, marker="o", zorder=2)
            ends.append((values[-1], name, line.get_color()))
        else:
            axes.plot(values, color="0.85", linewidth=1, zorder=1)
    axes.set_yscale("log")
    at = -np.inf
    for value, name, colour in sorted(ends):  # names keep their distance
        at = max(np.log(value), at + 0.022)
        axes.annotate(name, (len(ways) - 1, np.exp(at)), (8, 0), textcoords="offset points", color=colour, va="center")
    axes.set_xticks(range(len(ways)), [way.replace(", ", ",\n") for way in ways])
    axes.set_ylabel("stall / stall of LRU that sees every use")
    low, high = axes.get_ylim()
    ticks = [tick for tick in (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(-0.2, len(ways) - 0.2)
    figure.savefig(out, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def main() -> None:
    given = page.options(__doc__, episodes=8)
    found = measure(given.episodes)
    families = "; ".join(f"{env_id}: {', '.join(families)}" for env_id, families in FAMILIES.items())
    said = __doc__.split("\n\n")[-1].strip()
    text = f"{page.made()}\n\n{said} {families}.\n\n{table(found)}\n"
    prose = given.out.read_text(encoding="utf-8").split(MARK)[0] if given.out else ""
    if given.out:
        picture(found, given.out.with_suffix(".png"))
    page.put(f"{prose}{MARK}\n{text}", given.out)


if __name__ == "__main__":
    main()
