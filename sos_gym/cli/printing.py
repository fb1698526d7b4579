"""How tables and cards look on the terminal, and what is said while kernels are compiled."""

from collections.abc import Mapping

from rich import box
from rich.markup import escape
from rich.table import Table

COMPILING = "compiling kernels (first time only, about a minute)"


def card_table(title: str, facts: Mapping[str, str]) -> Table:
    """A name and what is known of it; what is empty is left out."""
    table = Table(box=None, show_header=False, title=title, title_justify="left", title_style="bold")
    for name, value in facts.items():
        if value:
            table.add_row(f"[dim]{name}[/]", escape(value))
    return table


def grid(*heads: str, title: str | None = None) -> Table:
    """A table with a line under its heads and no other."""
    return Table(*heads, box=box.SIMPLE_HEAD, title=title, title_justify="left")
