"""sos-gym leaderboard: every policy on every environment, ranked by stall."""

import itertools
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sos_gym.cli.names import env_named, notes
from sos_gym.cli.printing import COMPILING, grid
from sos_gym.settings.presets import PRESETS

if TYPE_CHECKING:
    from sos_gym.leaderboard.grid import Row
    from sos_gym.leaderboard.standing import Standing


def leaderboard(
    envs: Annotated[list[str] | None, typer.Option(help="Ids such as Memory,CPU; default: all.")] = None,
    policies: Annotated[list[str] | None, typer.Option(help="Names or aliases such as lru,cfs; default: all.")] = None,
    workloads: Annotated[
        list[str] | None,
        typer.Option(help="Names or .npz tapes; default: each id's own, recordings of the test split."),
    ] = None,
    episodes: Annotated[int, typer.Option(help="Seeds per policy and workload.")] = 5,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for leaderboard.json, .md, .png.")] = Path("results"),
    quick: Annotated[bool, typer.Option("--quick", help="One seed, no recordings: a first look.")] = False,
) -> None:
    """Run policies × environments × workloads and rank them by stall."""
    console = Console()
    with _progress(console) as progress:
        from sos_gym.leaderboard import leaderboard as run_grid
        from sos_gym.leaderboard import standings, write

        chosen = {"envs": _split(envs), "policies": _split(policies), "workloads": _split(workloads)}
        ids = [env_named(name) for name in chosen["envs"] or PRESETS]
        for note in notes(chosen["policies"]):
            progress.console.print(note)
        episodes = 1 if quick else episodes
        rows = run_grid(
            ids,
            chosen["policies"] or None,
            chosen["workloads"] or None,
            seed,
            episodes,
            recordings=not quick,
            progress=_as_they_come(progress, episodes),
        )
    paths = write(rows, out, _command(chosen, episodes, seed, quick))
    print_standings(console, standings(rows))
    console.print("written: " + ", ".join(map(str, paths)), soft_wrap=True)
    if not any(path.suffix == ".png" for path in paths):
        console.print("no picture: it needs matplotlib, pip install 'sos-gym\\[plot]'")


def _split(values: Sequence[str] | None) -> list[str]:
    """Repeated and comma-separated values alike."""
    outside = re.compile(r",(?![^(]*\))")  # commas that are not within the parentheses of a policy's parameters
    return [part.strip() for value in values or () for part in outside.split(value) if part.strip()]


def _command(chosen: dict[str, list[str]], episodes: int, seed: int, quick: bool) -> str:
    words = ["sos-gym", "leaderboard"]
    for name, values in chosen.items():
        words += [f"--{name}", ",".join(values)] if values else []
    return shlex.join([*words, "--episodes", str(episodes), "--seed", str(seed), *(["--quick"] if quick else [])])


def _progress(console: Console) -> Progress:
    """Running from the first moment: it starts with the compiler's spinner."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(COMPILING, total=None)
    return progress


def _as_they_come(progress: Progress, episodes: int) -> "Callable[[Row, int, int], None]":
    """A callback that prints a line whenever a policy is through with a group."""
    from sos_gym.leaderboard.standing import STALL, group_name

    stalls: list[float] = []

    def show(row: "Row", done: int, total: int) -> None:
        progress.update(progress.task_ids[0], completed=done, total=total, description=group_name(row))
        stalls.append(row["metrics"][STALL])
        if len(stalls) == episodes:
            mean_ms = sum(stalls) / episodes / 1e6
            progress.console.print(f"{group_name(row):<26} {row['policy']:<16} stall {mean_ms:>10,.1f} ms")
            stalls.clear()

    return show


def print_standings(console: Console, found: "Sequence[Standing]") -> None:
    """Stall ratio and score per family, then the headline."""
    from sos_gym.leaderboard.report import EXPLANATION, LEGEND, marked, worst_family
    from sos_gym.markdown import rounded

    groups = dict.fromkeys(group for one in found for group in one.places)
    for env, of_env in itertools.groupby(groups, key=lambda group: group.split(" ", 1)[0]):
        names = list(of_env)
        table = grid("policy", title=f"{env}: stall ratio (score)")
        for name in names:
            table.add_column(name.split(" ", 1)[1], justify="right")
        for one in found:
            cells = (f"{rounded(one.places[name].ratio)} ({rounded(one.places[name].score)})" for name in names)
            table.add_row(marked(one), *cells)
        console.print(table)
    headline = grid("policy", "stall ratio", "worst family", title="All")
    headline.columns[1].justify = "right"
    for one in found:
        headline.add_row(marked(one), rounded(one.ratio), worst_family(one))
    console.print(headline)
    console.print(f"{EXPLANATION} {LEGEND}", style="dim")
