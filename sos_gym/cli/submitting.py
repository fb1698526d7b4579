"""sos-gym submit and verify: rows that others can check, and their check."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from sos_gym.cli.names import KINDS_OF_SPECS, env_named
from sos_gym.cli.printing import bar, grid, show, terminal

if TYPE_CHECKING:
    from sos_gym.leaderboard.replaying import Limits
    from sos_gym.leaderboard.submission import Submission

DIFFERS = 1  # exit status
SHOWN = 5  # rows that differ


def submit(
    policy: Annotated[str, typer.Option(help=f"A name, {KINDS_OF_SPECS} A file is copied; it must need no other.")],
    out: Annotated[Path, typer.Option(help="The folder that is to be, as submissions/NAME.")],
    author: Annotated[str, typer.Option(help="Who made it.")],
    summary: Annotated[str, typer.Option(help="What it does, in a sentence.")],
    licence: Annotated[str, typer.Option(help="Of SPDX, as Apache-2.0.")],
    trained_on: Annotated[str, typer.Option(help="Families, recordings, splits.")] = "nothing",
    decisions: Annotated[int, typer.Option(help="Of training.")] = 0,
    tuned: Annotated[str, typer.Option(help="Which numbers were chosen, and on what.")] = "nothing",
    envs: Annotated[str | None, typer.Option(help="Ids such as Memory,CPU; default: all.")] = None,
    episodes: Annotated[int, typer.Option(help="Seeds per workload, 20 at most.")] = 5,
) -> None:
    """Run a policy on the leaderboard's tapes, and write a folder with it, its card and rows, for others to check."""
    console = terminal()
    with bar(console) as progress:
        from sos_gym.leaderboard.submission import About, Board
        from sos_gym.leaderboard.submission import submit as submitted

        ids = None if envs is None else tuple(env_named(name.strip()) for name in envs.split(","))
        about = About(author, summary, licence, trained_on, decisions, tuned)
        task = progress.task_ids[0]

        def tell(row: dict, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, description=f"{row['env']} {row['workload']}")

        one = submitted(policy, out, about, Board(envs=ids, episodes=episodes), tell)
    console.print(f"{one.folder}: {len(one.rows)} rows; check them with: sos-gym verify {one.folder}", soft_wrap=True)


def verify(
    folders: Annotated[list[Path], typer.Argument(help="Submissions.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Run also what holds code: a .py or a .zip, in a process of its own.")
    ] = False,
    memory_gib: Annotated[float, typer.Option(help="That such a process may have.")] = 8.0,
    seconds: Annotated[int, typer.Option(help="That it may take.")] = 1200,
) -> None:
    """Run every row of a submission again, and say which differ; the exit code is 1 if any does."""
    console = terminal()
    table = grid("submission", "policy", "rows", "equal", "verdict")
    said, wrong = [], False
    with bar(console) as progress:
        for folder in folders:
            cells, differing = _verified(progress, folder, trust, memory_gib, seconds)
            table.add_row(*cells)
            wrong |= cells[-1] != "verified"
            said += [f"{folder}: {text}" for text in differing[:SHOWN]]
            said += [f"{folder}: and {len(differing) - SHOWN} more"] if len(differing) > SHOWN else []
    show(console, table)
    for line in said:
        typer.echo(f"sos-gym: {line}", err=True)
    if wrong:
        raise typer.Exit(DIFFERS)


def _verified(
    progress: Progress, folder: Path, trust: bool, memory_gib: float, seconds: int
) -> tuple[tuple[str, ...], list[str]]:
    """Its line of the table, and what differs."""
    from sos_gym.leaderboard.replaying import Limits
    from sos_gym.leaderboard.submission import SubmissionError, read

    limits, found = Limits(memory_gib, seconds), list[str]()
    try:
        one = read(folder)
        if one.holds_code and not trust:
            return (
                folder.name,
                one.policy,
                str(len(one.rows)),
                "",
                "not run: it holds code; read it, then --trust",
            ), []
        for differs in _outcomes(one, limits):
            found.append(differs)
            progress.update(progress.task_ids[0], completed=len(found), total=len(one.rows), description=folder.name)
    except SubmissionError as error:
        return (folder.name, "", "", "", "refused"), [str(error)]
    differing = [text for text in found if text]
    verdict = "differs" if differing else "verified"
    return (folder.name, one.policy, str(len(found)), str(len(found) - len(differing)), verdict), differing


def _outcomes(one: "Submission", limits: "Limits") -> Iterator[str]:
    from sos_gym.leaderboard.replaying import verify_apart
    from sos_gym.leaderboard.submission import verify as verified

    return verify_apart(one, limits) if one.holds_code else verified(one)
