"""sos-gym record: a program of this machine as a tape file."""

import contextlib
import shlex
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sos_gym.cli.printing import on_stderr, terminal
from sos_gym.outputs import check_writable
from sos_gym.settings.ranges import SettingError
from sos_gym.workload.recorders import About, record_cpu, record_memory, record_system
from sos_gym.workload.recorders.about import CountProgress
from sos_gym.workload.recorders.ending import signals_noted
from sos_gym.workload.tape import Tape


class Side(str, Enum):
    """What is recorded."""

    memory = "memory"
    cpu = "cpu"
    system = "system"


def record(
    side: Annotated[Side, typer.Argument(help="memory (valgrind), cpu (tracefs, root), or system: both.")],
    program: Annotated[list[str], typer.Argument(metavar="-- COMMAND ...", help="The program and its arguments.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The tape to write, .npz.")],
    name: Annotated[str, typer.Option(help="Of the tape; default: the file's.")] = "",
    summary: Annotated[str, typer.Option(help="A sentence for the card.")] = "",
    version: Annotated[str, typer.Option(help="The program's name and version, for the card.")] = "",
    references: Annotated[int, typer.Option(help="Stop after so many kept page references.")] = 100_000,
    events: Annotated[int, typer.Option(help="Stop after so many events of the scheduler.")] = 200_000,
    skip: Annotated[int, typer.Option(help="memory: leave out so many instructions and accesses of the start.")] = 0,
    window_pages: Annotated[
        int, typer.Option(help="Drop what LRU and MIN with so many frames cannot miss; 1 drops nothing but runs.")
    ] = 16,
) -> None:
    """Record a program as a tape: sos-gym record memory -o sort.npz -- sort words.txt"""
    if out.suffix != ".npz":
        raise SettingError("--out", str(out), "a file with .npz at its end", "name one")
    check_writable(out)
    about = About(name or out.stem, summary, version)
    with signals_noted():
        with _progress(side, program) as progress:
            tape = _record(side, program, about, references, events, window_pages, skip, progress)
        tape.save(out)
    console = terminal()
    for key in (
        "end",
        "references",
        "footprint_pages",
        "threads",
        "images",
        "children_unseen",
        "processes",
        "work_ns",
        "recorded_ns",
    ):
        if key in tape.card:
            console.print(f"  {key}: {tape.card[key]}")
    console.print(f"written: {out}, {tape!r}", soft_wrap=True)


def _record(
    side: Side,
    program: list[str],
    about: About,
    references: int,
    events: int,
    window_pages: int,
    skip: int,
    progress: CountProgress,
) -> Tape:
    if skip and side is not Side.memory:
        raise SettingError("--skip", skip, "0, except with memory", "leave it out")
    if side is Side.memory:
        return record_memory(program, about, references, window_pages, skip=skip, progress=progress)
    if side is Side.cpu:
        return record_cpu(program, about, events, progress=progress)
    return record_system(program, about, references, window_pages, events, progress=progress)


@contextlib.contextmanager
def _progress(side: Side, program: list[str]) -> Iterator[CountProgress]:
    """What is there so far, on stderr."""
    what = {Side.memory: "references", Side.cpu: "events", Side.system: "events, then references"}[side]
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    console = on_stderr()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(shlex.join(program), total=None)
        yield lambda count: progress.update(
            task, description=f"{shlex.join(program)}: {count:,} {what}".replace(",", " ")
        )
