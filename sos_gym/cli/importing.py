"""sos-gym import: a trace file of another tool to a tape file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from sos_gym.settings.ranges import SettingError
from sos_gym.workload.traces import FORMATS, import_tape
from sos_gym.workload.traces.formats import OPTIONS, OTHERS
from sos_gym.workload.traces.source import Progress as Told


def command(
    file: Annotated[Path | None, typer.Argument(help="The trace; plain, gzip or zstd.", show_default=False)] = None,
    format: Annotated[str | None, typer.Option(help="One of --formats; default: guessed where that is safe.")] = None,
    out: Annotated[Path | None, typer.Option(help="The tape to write; default: FILE's name with .npz, here.")] = None,
    formats: Annotated[bool, typer.Option("--formats", help="List the formats.")] = False,
    limit: Annotated[int | None, typer.Option(help="Stop after so many references, jobs, lines of a schedule.")] = None,
    page_bytes: Annotated[int | None, typer.Option(help="Of a page: address and block traces.")] = None,
    timed: Annotated[bool | None, typer.Option("--timed", help="Keep arrival times, as SLEEP_UNTIL.")] = None,
    speed: Annotated[float | None, typer.Option(help="Divide recorded times by this.")] = None,
    most_threads: Annotated[int | None, typer.Option(help="Threads of one job: swf.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="csv: such as 'time-col=2, obj-id-col=5, obj-size-col=4'.")
    ] = None,
    uncompressed: Annotated[
        bool, typer.Option("--uncompressed", help="12 bytes per op, which a run maps and need not hold in memory.")
    ] = False,
    root: Annotated[int | None, typer.Option(help="Only this pid and its descendants: perf, ftrace.")] = None,
) -> None:
    """Import a trace of another tool as a tape."""
    console = Console()
    if formats:
        list_formats(console)
        return
    if file is None:
        raise SettingError("FILE", "", "the path of a trace", "sos-gym import --formats lists what can be read")
    target = out or Path(file.name.partition(".")[0] + ".npz")
    if out is None and target.exists():
        raise SettingError(
            "--out", str(target), "given, since that file exists", "name it to write it anew, or another"
        )
    if target.suffix != ".npz" or (target.exists() and target.samefile(file)):
        raise SettingError("--out", str(target), "another file, with .npz at its end", "name one with --out")
    with _progress(file) as progress:
        tape = import_tape(
            file,
            format,
            limit=limit,
            page_bytes=page_bytes,
            timed=timed,
            speed=speed,
            most_threads=most_threads,
            columns=columns,
            root=root,
            progress=progress,
        )
    with Console(stderr=True).status(f"writing {escape(str(target))}"):
        tape.save(target, compressed=not uncompressed)
    _print_card(console, tape.card)
    console.print(f"written: {target}, {tape!r}", soft_wrap=True, markup=False, highlight=False)


@contextlib.contextmanager
def _progress(file: Path) -> Iterator[Told]:
    """A bar over the bytes of the file, on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(file.name), total=None)
        yield lambda read, size: progress.update(task, completed=read, total=size)


def _print_card(console: Console, card: dict) -> None:
    table = Table(box=None, show_header=False)
    for name, value in card.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number}" for key, number in value.items() if number)
        if value != "":
            table.add_row(f"[dim]{name}[/]", escape(str(value)))
    console.print(table)


def list_formats(console: Console) -> None:
    """What can be read, with a line of each."""
    table = Table("format", "side", "files", "what, a line of it, where it is defined", "options", box=box.SIMPLE_HEAD)
    for one in sorted(FORMATS.values(), key=lambda one: one.side, reverse=True):
        said = f"{escape(one.what)}\n[dim]{escape(one.sample)}\n{escape(one.source)}[/]"
        options = ", ".join(f"--{name.replace('_', '-')}" for name in one.options)
        table.add_row(one.name, one.side, " ".join(one.extensions), said, options)
    console.print(table)
    console.print("Files may be compressed: .gz, .zst (the latter needs pip install 'sos-gym\\[import]').")
    taken = {name: f"{option.what}: {option.allowed}" for name, option in OPTIONS.items()} | OTHERS
    for name, told in taken.items():
        console.print(f"  --{name.replace('_', '-')}: {told}", soft_wrap=True, markup=False, highlight=False)
