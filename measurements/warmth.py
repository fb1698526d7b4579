"""What a move costs, and which conclusions of docs/crossing.md hang on it: stall saved on System by `warm_ns`.

    python -m measurements.warmth [--episodes 20] [--out docs/warmth.md]

`saved` as in measurements/crossing.py: against the blind kin, tape by tape. With --out what stands below the mark in
the page is replaced.
"""

from collections.abc import Iterator

import numpy as np
from rich.progress import track

from measurements import page
from measurements.crossing import BLIND, FAMILIES, KIN, runs, saved, table

MARK = "<!-- below: measurements/warmth.py -->\n"
MS = 1_000_000
# (near, far): how fast a thread warms up; 50 µs is the far move itself, as if every ns of service loaded what it needs
WARM = {
    "constant": (0, 0),
    "50 µs": (5_000, 50_000),
    "650 µs, default": (65_000, 650_000),
    "3 ms": (200_000, 3 * MS),
    "no cost": None,
}


def settings_of(warm: tuple[int, int] | None) -> dict:
    return {"move_ns": 0} if warm is None else {"warm_ns": warm}


def shares(episodes: int) -> Iterator[list[str]]:
    """Of the stall of LRU with turns: how much is moves, and how much one of them costs."""
    yield ["family", "", *WARM]
    for family in FAMILIES:
        found = [runs(BLIND, family, "val", episodes, **settings_of(warm)) for warm in WARM.values()]
        totals = [[sum(run[key] for run in of_one) for key in ("stall_ns", "move_ns", "moves")] for of_one in found]
        yield [family, "stall, ms", *(f"{stall / episodes / MS:.0f}" for stall, _, _ in totals)]
        yield [family, "of it moves, %", *(f"{100 * move / stall:.1f}" for stall, move, _ in totals)]
        yield [family, "moves to the other node", *(f"{moves / episodes:.0f}" for _, _, moves in totals)]


def gains(episodes: int) -> Iterator[list[str]]:
    """What each policy saves of its kin's stall."""
    yield ["policy", "family", *WARM]
    for name, kin in track(KIN.items(), "settings", transient=True, auto_refresh=False):
        for family in FAMILIES:
            pairs = (
                [runs(each, family, "val", episodes, **settings_of(warm)) for each in (name, kin)]
                for warm in WARM.values()
            )
            yield [name, family, *(saved(*pair) for pair in pairs)]


def ranking(episodes: int) -> Iterator[list[str]]:
    """All of them by mean stall, the best first."""
    yield ["family", "far warm_ns", "least stall first"]
    for family in FAMILIES:
        for label, warm in WARM.items():
            means = {
                name: np.mean([run["stall_ns"] for run in runs(name, family, "val", episodes, **settings_of(warm))])
                for name in (BLIND, *KIN, "gap", "cfs")
            }
            yield [family, label, ", ".join(f"{name} {means[name] / MS:.0f}" for name in sorted(means, key=means.get))]


def main() -> None:
    given = page.options(__doc__, episodes=20)
    parts = [page.made(), "### What moves cost", table(shares(given.episodes))]
    parts += ["### Stall saved of the blind kin's, %, val", table(gains(given.episodes))]
    parts += ["### Ranking, mean stall in ms, val", table(ranking(given.episodes))]
    text = "\n\n".join(parts) + "\n"
    prose = given.out.read_text(encoding="utf-8").split(MARK)[0] if given.out else ""
    page.put(f"{prose}{MARK}\n{text}", given.out)


if __name__ == "__main__":
    main()
