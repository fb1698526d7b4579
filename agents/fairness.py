"""The front between stall and fairness on one id: what a claim that waits less costs those who share with it.

    python agents/fairness.py runs/search-memory-0 runs/fair-memory-0 --split val --episodes 40 --out runs/fairness

Every registered policy and the claims of the runs play the same tapes of the workload that the runs were trained on.
On the front is who has less stall than all that are as fair or fairer. Written: a picture, stall against Jain's index;
and with --page FILE a section of that page, in which the picture stands too.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import one_line
import yaml
from cases import Policy, cases_of, log_ratios
from played import Kept, Played, play
from results import best_single, claim_of, put_section, scoring
from rich.console import Console

from sos_gym import SettingError, policies
from sos_gym.leaderboard.rows import code_hash
from sos_gym.markdown import table
from sos_gym.outputs import whole_file

NAMED = 2.0  # stall up to which the picture names a point; it ends soon after
CLAIM, POLICY, FRONT = "#c2543d", "#4878a8", "#1b1b1b"


@dataclass(frozen=True)
class Point:
    """Where one stands."""

    name: str
    stall: float  # relative to the best single online policy
    jain: float  # mean index over tapes and cases, 0 to 1


def points(played: Played, base: str) -> list[Point]:
    """Of all that played, the least stall first; the base has a stall of 1."""
    stall = np.exp(log_ratios(played.of(played.names), played.of([base])[0]).mean(axis=1))
    jain = played.of(played.names, "jain").mean(axis=(1, 2))
    found = [Point(*one) for one in zip(played.names, stall.tolist(), jain.tolist(), strict=True)]
    return sorted(found, key=lambda one: (one.stall, -one.jain))


def front(found: Sequence[Point]) -> list[Point]:
    """Those that none beats in one without losing in the other; of (1, .7), (2, .6), (3, .8) the first and the last."""
    kept: list[Point] = []
    for one in sorted(found, key=lambda one: (one.stall, -one.jain)):
        if not kept or one.jain > kept[-1].jain:
            kept.append(one)
    return kept


def draw(found: Sequence[Point], claims: Mapping[str, Policy], path: Path) -> None:
    """Nothing where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    best = front(found)
    axes.plot([one.stall for one in best], [one.jain for one in best], color=FRONT, linewidth=0.8, label="front")
    for of, color, label in ((claims, CLAIM, "learned"), (None, POLICY, "policies")):
        own = [one for one in found if (one.name in claims) == (of is not None)]
        axes.scatter([one.stall for one in own], [one.jain for one in own], color=color, s=18, label=label, zorder=3)
    for one in found:
        if one in best or one.name in claims:
            axes.annotate(one.name, (one.stall, one.jain), xytext=(4, -9), textcoords="offset points", fontsize=8)
    axes.set_xlim(right=NAMED)
    axes.set_xlabel("stall / the best single policy's")
    axes.set_ylabel("Jain's index of fairness")
    axes.legend()
    with whole_file(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:])


def markdown_of(found: Sequence[Point], claims: Mapping[str, Policy]) -> str:
    """Those on the front and the claims."""
    best = front(found)
    rows = [
        (f"`{one.name}`", f"{one.stall:.3f}", f"{one.jain:.3f}", "yes" if one in best else "no")
        for one in found
        if one in best or one.name in claims
    ]
    return table(("policy", "stall / the best single policy's", "Jain", "on the front"), rows, "lrrl")


def trained_on(runs: Sequence[Path]) -> tuple[str, list[str]]:
    """The id and the workloads that the runs share.

    Raises:
        SettingError: they share none.
    """
    given = [yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8")) for run in runs]
    asked = {(*config["envs"], *config["workloads"]) for config in given}
    if len(asked) > 1 or len(given[0]["envs"]) > 1:
        raise SettingError(
            "runs", [*map(str, runs)], "searches on one id and the same workloads", "ask for others apart"
        )
    return given[0]["envs"][0], given[0]["workloads"]


def main() -> None:
    given = scoring(__doc__, episodes=40).parse_args()
    claims: dict[str, Policy] = {run.name: claim_of(run) for run in given.runs}
    env, words = trained_on(given.runs)
    online = [name for name, one in policies().items() if not one.privileged]
    with ThreadPoolExecutor() as pool:
        kept = Kept(given.out / f"played-{code_hash()}.jsonl")
        everybody = claims | {name: name for name in online}
        played = play(everybody, cases_of([env], words, given.split), given.episodes, kept, pool)
    base = best_single(played, online)
    found = points(played, base)
    draw(found, claims, given.out / f"{given.split}.png")
    text = markdown_of(found, claims)
    if given.page:
        picture = given.page.with_name(f"{given.page.stem}-fairness.png")
        draw(found, claims, picture)
        made = f"{given.episodes} tapes of `{given.split}`; `{base}` is 1; `python {shlex.join(sys.argv)}`."
        put_section(
            given.page,
            f"Stall and fairness, {env}, {given.split}",
            f"{made}\n\n{text}\n\n![as a picture]({picture.name})",
        )
    Console().print(text, highlight=False)


if __name__ == "__main__":
    one_line.run(main)
