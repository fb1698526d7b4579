"""What was learned on one resource, scored on every other: a table and a picture.

    python agents/crossing.py runs/generalist-*-0 --split val --episodes 8 --out runs/crossing

A row is the claim of a run, a column an id with all its families and the recordings of the split. A cell is the stall
relative to the best online policy of each case, as a geometric mean over cases with its 95 % interval over tapes.
Beside them: the best single policy of the id, and a row drawn by chance, as an untrained agent does. What was played is
kept in the folder; a run that was stopped goes on. What a claim makes of a tenth of the samples on another id is a run
of its own, which begins at that claim:

    sos-gym train --config generalist-cpu -o name=cpu-from-memory -o start=runs/generalist-memory-0/claim.npz \\
        -o rounds=3 -o lessons=48000
"""

import json
import shlex
import sys
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import one_line
from cases import FAMILIES, RECORDINGS, Policy, cases_of
from played import Kept, Played, play
from results import Ratio, base_of, best_of_each_case, best_single, claim_of, put_section, ratio, scoring
from rich.console import Console

from sos_gym import LearnedClaim, policies
from sos_gym.baseline import RANDOM_ROW
from sos_gym.leaderboard.rows import code_hash
from sos_gym.markdown import table
from sos_gym.outputs import whole_file, write_whole
from sos_gym.settings.presets import PRESETS, short_id

SINGLE = "best single policy"
WORDS = [FAMILIES, RECORDINGS]

Cells = dict[str, dict[str, Ratio]]  # row -> id -> stall


def crossed(claims: Mapping[str, LearnedClaim], split: str, episodes: int, kept: Kept, pool: Executor) -> Cells:
    """Every claim on every id; then what they are held against."""
    found: Cells = {name: {} for name in (*claims, SINGLE, RANDOM_ROW)}
    online = [name for name, one in policies().items() if not one.privileged]
    for env in PRESETS:
        all_: dict[str, Policy] = {**claims, **{name: name for name in (*online, RANDOM_ROW)}}
        played = play(all_, cases_of([env], WORDS, split), episodes, kept, pool)
        for name, own in {**{name: name for name in found}, SINGLE: best_single(played, online)}.items():
            found[name][env] = _cell(played, own, online)
    return found


def _cell(played: Played, name: str, online: list[str]) -> Ratio:
    return ratio(played.of([name]), base_of(played, best_of_each_case(played, online)))


def markdown_of(cells: Cells) -> str:
    """The table, for a page."""
    rows = [(name, *(str(row[env]) for env in PRESETS)) for name, row in cells.items()]
    return table(("trained as", *PRESETS), rows)


def draw(cells: Cells, path: Path) -> None:
    """A square for each cell, the better the darker; nothing where matplotlib is not installed."""
    try:
        from matplotlib.colors import LogNorm
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(1.5 * len(PRESETS) + 3, 0.5 * len(cells) + 1.4), layout="constrained")
    axes = figure.subplots()
    values = [[row[env].value for env in PRESETS] for row in cells.values()]
    shown = axes.imshow(values, norm=LogNorm(0.8, 5.0), cmap="viridis", aspect="auto")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            axes.text(x, y, f"{value:.2f}", ha="center", va="center", color="white" if value < 2 else "black")
    axes.set_xticks(range(len(PRESETS)), map(short_id, PRESETS))
    axes.set_yticks(range(len(cells)), [*cells])
    axes.set_xlabel("scored on")
    scale = figure.colorbar(shown, label="stall / best policy of each case", ticks=(0.8, 1, 1.5, 2, 3, 5), format="%g")
    scale.minorticks_off()
    with whole_file(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:])


def main() -> None:
    given = scoring(__doc__, episodes=8).parse_args()
    claims = {run.name: claim_of(run) for run in given.runs}
    with ThreadPoolExecutor() as pool:
        kept = Kept(given.out / f"played-{code_hash()}.jsonl")
        cells = crossed(claims, given.split, given.episodes, kept, pool)
    told = {name: {env: asdict(cell) for env, cell in row.items()} for name, row in cells.items()}
    write_whole(given.out / f"{given.split}.json", json.dumps(told, indent=1).encode())
    write_whole(given.out / f"{given.split}.md", markdown_of(cells).encode())
    draw(cells, given.out / f"{given.split}.png")
    if given.page:
        picture = given.page.with_name(f"{given.page.stem}-crossing.png")
        draw(cells, picture)
        made = f"{given.episodes} tapes a case of `{given.split}`; `python {shlex.join(sys.argv)}`."
        text = f"{made}\n\n{markdown_of(cells)}\n\n![the same as a picture]({picture.name})"
        put_section(given.page, f"The crossing, {given.split}", text)
    Console().print(markdown_of(cells), highlight=False)


if __name__ == "__main__":
    one_line.run(main)
