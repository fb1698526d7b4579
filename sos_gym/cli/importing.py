"""sos-gym import: a trace file of another tool to a tape file."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from sos_gym.cli.printing import card_table, grid, on_stderr, show, terminal
from sos_gym.outputs import check_writable
from sos_gym.settings.ranges import SettingError
from sos_gym.workload.traces import FORMATS, OPTIONS, import_tape
from sos_gym.workload.traces.formats.registry import explanation, plain_name
from sos_gym.workload.traces.source import ByteProgress


def with_declared_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option on the command line for each that a format declares, in place of **options."""
    signature = inspect.signature(command)
    *fixed, _ = signature.parameters.values()
    declared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_on_command_line(name))
        for name in OPTIONS
    ]
    command.__signature__ = signature.replace(parameters=[*fixed, *declared])  # type: ignore[attr-defined]  # typer reads it
    return command


def _on_command_line(name: str) -> Any:
    """The type of a declared option, as typer wants it."""
    kind = OPTIONS[name].kind
    words = [flag(name)] if kind is bool else []  # else typer adds --no-...
    return Annotated[kind | None, typer.Option(*words, help=explanation(name))]


def flag(name: str) -> str:
    """page_bytes is --page-bytes."""
    return f"--{name.replace('_', '-')}"


@with_declared_options
def import_trace(
    file: Annotated[Path | None, typer.Argument(help="The trace; plain or compressed.", show_default=False)] = None,
    format: Annotated[str | None, typer.Option(help="One of --formats; default: guessed where that is safe.")] = None,
    out: Annotated[Path | None, typer.Option(help="The tape to write; default: FILE's name with .npz, here.")] = None,
    formats: Annotated[bool, typer.Option("--formats", help="List the formats.")] = False,
    uncompressed: Annotated[
        bool, typer.Option("--uncompressed", help="12 bytes per op, which a run maps and need not hold in memory.")
    ] = False,
    **options: Any,
) -> None:
    """Import a trace of another tool as a tape."""
    console = terminal()
    if formats:
        list_formats(console)
        return
    if file is None:
        raise SettingError("FILE", "", "the path of a trace", "sos-gym import --formats lists what can be read")
    target = _target(file, out)
    check_writable(target)
    with _progress(file) as progress:
        tape = import_tape(file, format, progress=progress, **options)
    with on_stderr().status(Text(f"writing {target}")):
        tape.save(target, compressed=not uncompressed)
    show(console, card_table("", {name: _said(value) for name, value in tape.card.items()}))
    console.print(f"written: {target}, {tape!r}", soft_wrap=True)


def _target(file: Path, out: Path | None) -> Path:
    """The file to write, which is not there yet unless it is named."""
    target = out or Path(plain_name(file) + ".npz")
    if out is None and target.exists():
        raise SettingError(
            "--out", str(target), "given, since that file exists", "name it to write it anew, or another"
        )
    if target.suffix != ".npz" or (target.exists() and target.samefile(file)):
        raise SettingError("--out", str(target), "another file, with .npz at its end", "name one with --out")
    return target


@contextlib.contextmanager
def _progress(file: Path) -> Iterator[ByteProgress]:
    """A bar over the bytes of the file, on stderr."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = on_stderr()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=None)
        yield lambda read, size: progress.update(task, completed=read, total=size)


def _said(value: Any) -> str:
    """A value of a card; of counts those that are not 0."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {number}" for key, number in value.items() if number)
    return str(value)


def list_formats(console: Console) -> None:
    """What can be read, with a line of each."""
    table = grid("format", "side", "files", "what, a line of it, where it is defined", "options")
    for one in sorted(FORMATS.values(), key=lambda one: one.side, reverse=True):
        said = f"{one.what}\n{one.sample}\n{one.source}"
        table.add_row(one.name, one.side, " ".join(one.extensions), said, ", ".join(map(flag, one.options)))
    show(console, table)
    console.print("Files may be compressed: gzip, xz, bzip2, zip, zstd (which needs pip install 'sos-gym[import]').")
    for name, option in OPTIONS.items():
        said = f"{option.what}: {option.allowed}" if option.allowed else option.what
        console.print(f"  {flag(name)}: {said}", soft_wrap=True)
