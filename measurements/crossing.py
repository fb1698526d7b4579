"""What it is worth that the two managers see each other: stall on System, against blind kin, tape by tape.

    python -m measurements.crossing [--episodes 40] [--out docs/crossing.md]

`saved`: mean share of the blind kin's stall that is saved on the same tape, with its 95 % interval (Student's t). The
kin of `guard` is LRU with turns, `spare_next(coupling=0)`, that of `whole_sets` is `resident_first`, whose frames are
blind; that of the others is themselves with coupling=0. With --out what stands below the mark in the page is replaced.
"""

from collections.abc import Iterator

import numpy as np
from rich.progress import track

import sos_gym
from measurements import page
from sos_gym import markdown

MARK = "<!-- below: measurements/crossing.py -->\n"
FAMILIES = ("overcommitted", "working_sets")
BLIND = "spare_next(coupling=0)"
KIN = {
    "resident_first": "resident_first(coupling=0)",
    "whole_sets": "resident_first",
    "spare_next": BLIND,
    "guard": BLIND,
    "nearest": "nearest(worth=0)",
    "together": "together(coupling=0)",
}
POLICIES = ("clairvoyant", BLIND, "fair_share", "gap", *KIN, "together(coupling=0)")
MEASURED = ("stall_ns", "faults", "moves", "response_p99_ns", "jain")
ELSEWHERE = {"nodes=1": {"nodes": 1}, "frames=48": {"frames": 48}, "frames=64": {"frames": 64}, "cores=4": {"cores": 4}}


MEMORY = "sos/Memory-v0"
ON_FRAMES = ("clairvoyant", "recency", "gap", *KIN)


def runs(
    policy: str, family: str, split: str, episodes: int, env: str = "sos/System-v0", **settings: int
) -> list[dict]:
    return sos_gym.evaluate(env, policy, family, 0, episodes, split, **settings)


def saved(own: list[dict], kin: list[dict]) -> str:
    """Mean and half interval of the share saved, in percent."""
    share = 100 * (1 - np.array([a["stall_ns"] / b["stall_ns"] for a, b in zip(own, kin, strict=True)]))
    half = 2.03 * share.std(ddof=1) / np.sqrt(len(share))  # t for some 40 tapes; 2.09 for 20
    return f"{share.mean():+.1f} ± {half:.1f}"


def on_the_default(family: str, split: str, episodes: int) -> Iterator[list[str]]:
    """All policies on the default setting."""
    found = {name: runs(name, family, split, episodes) for name in {*POLICIES, *KIN.values()}}
    yield ["policy", "stall ms", "saved %", "faults", "moves", "p99 response ms", "jain"]
    for name in POLICIES:
        stall, faults, moves, response, jain = (np.mean([run[key] for run in found[name]]) for key in MEASURED)
        gain = saved(found[name], found[KIN[name]]) if name in KIN else ""
        yield [
            name,
            f"{stall / 1e6:.0f}",
            gain,
            f"{faults:.0f}",
            f"{moves:.0f}",
            f"{response / 1e6:.1f}",
            f"{jain:.2f}",
        ]


def elsewhere(split: str, episodes: int) -> Iterator[list[str]]:
    """What is saved when a setting is changed."""
    yield ["policy", "family", *ELSEWHERE]
    for name, kin in track(KIN.items(), "settings", transient=True, auto_refresh=False):
        for family in FAMILIES:
            pairs = ([runs(each, family, split, episodes, **s) for each in (name, kin)] for s in ELSEWHERE.values())
            yield [name, family, *(saved(*pair) for pair in pairs)]


def frames_alone(family: str, split: str, episodes: int) -> Iterator[list[str]]:
    """Cores are plenty: what of it is left to the pager."""
    yield ["policy", "stall ms", "saved of LRU's %", "faults", "jain"]
    blind = runs("recency", family, split, episodes, MEMORY)
    for name in ON_FRAMES:
        own = runs(name, family, split, episodes, MEMORY)
        stall, faults, jain = (np.mean([run[key] for run in own]) for key in ("stall_ns", "faults", "jain"))
        yield [name, f"{stall / 1e6:.0f}", saved(own, blind), f"{faults:.0f}", f"{jain:.2f}"]


def table(rows: Iterator[list[str]]) -> str:
    """The first row is the head."""
    heads, *body = rows
    return markdown.table(heads, body)


def main() -> None:
    given = page.options(__doc__, episodes=40)
    parts = [page.made()]
    for family in FAMILIES:
        for split in ("train", "val"):
            parts += [f"### {family}, {split}", table(on_the_default(family, split, given.episodes))]
    parts += ["### Stall saved in other settings, %, val", table(elsewhere("val", given.episodes))]
    for family in ("phases", "working_sets"):
        parts += [f"### sos/Memory-v0, {family}, val", table(frames_alone(family, "val", given.episodes))]
    text = "\n\n".join(parts) + "\n"
    prose = given.out.read_text(encoding="utf-8").split(MARK)[0] if given.out else ""
    page.put(f"{prose}{MARK}\n{text}", given.out)


if __name__ == "__main__":
    main()
