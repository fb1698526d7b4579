"""How results are shown: tables on a terminal of any width, JSON, or CSV; and what is said while kernels are compiled.

All text goes to the terminal as it is: brackets in a name are no markup.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from sos_gym.settings.ranges import SettingError

COMPILING = "compiling kernels (first time only, about a minute)"
TRACEBACK = "see the traceback above"  # what a PolicyError says of its cause, for whom Python shows both
AS_IT_IS: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables; what else is said is on stderr.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of tables; what else is said is on stderr.")]


class Form(Enum):
    """What is printed."""

    TABLES = "tables"
    JSON = "json"
    CSV = "csv"


def form_of(as_json: bool, as_csv: bool) -> Form:
    """The form of two flags.

    Raises:
        SettingError: both are given.
    """
    if as_json and as_csv:
        raise SettingError("--csv", True, "given without --json", "choose one of them")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLES


def terminal(form: Form = Form.TABLES) -> Console:
    """Where people read: stdout, or stderr while a program reads stdout."""
    return on_stderr() if form is not Form.TABLES else Console(**AS_IT_IS)


def on_stderr() -> Console:
    """Where progress is shown."""
    return Console(stderr=True, **AS_IT_IS)


def bar(console: Console) -> Progress:
    """With one task, running from the first moment: it starts with the compiler's spinner."""
    said = TextColumn("{task.description}", markup=False)
    columns = SpinnerColumn(), said, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(COMPILING, total=None)
    return progress


def said_of(error: Exception) -> str:
    """An error in one line; of one in the Python of a policy the place, in place of a traceback."""
    said = " ".join(str(error).split())
    if error.__cause__ is None or TRACEBACK not in said:
        return said
    from sos_gym.loading.script import line_of

    return said.replace(TRACEBACK, f"see {line_of(error.__cause__)}")


def exit_of(error: SystemExit) -> str:
    """What is said when the Python of a policy ends the process, and where it does so; "": it was no policy."""
    from sos_gym.loading.script import line_of

    place = line_of(error)
    return f"a policy called sys.exit({error.code!r}), {place}" if place else ""


# -- records, for programs


def print_records(form: Form, records: Sequence[Mapping[str, Any]]) -> None:
    """Print them as a list of JSON objects, or as CSV with the names of the first one as heads."""
    typer.echo(_json(records) if form is Form.JSON else _csv(records), nl=form is Form.JSON)


def _json(records: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps([{name: _finite(value) for name, value in one.items()} for one in records], indent=1)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv(records: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in one.items()} for one in records)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Lists and cards in one cell; NaN is empty."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict) else value


# -- tables, for people


def card_table(title: str, facts: Mapping[str, str]) -> Table:
    """A name and what is known of it; what is empty is left out."""
    columns = Column(style="dim", overflow="fold"), Column(overflow="fold")
    table = Table(*columns, box=None, show_header=False, title=title, title_style="bold")
    for name, value in facts.items():
        if value:
            table.add_row(name, value)
    return table


def grid(*heads: str, title: str | None = None) -> Table:
    """A table with a line under its heads and no other."""
    return Table(*(Column(head, overflow="fold") for head in heads), box=box.SIMPLE_HEAD, title=title)


def show(console: Console, table: Table) -> None:
    """Print a table; where its words do not fit side by side, one line per cell instead."""
    title, table.title = table.title, None
    if title:
        console.print(title, style=table.title_style)
    if table.__rich_measure__(console, console.options).minimum <= console.width:
        console.print(table)
        return
    heads = [str(column.header) for column in table.columns]
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        if not table.show_header:
            console.print(f"{first}: {others[0]}")
            continue
        console.print(f"{heads[0]}: {first}")
        for head, cell in zip(heads[1:], others, strict=True):
            if cell:
                console.print(f"  {head}: {cell}")
