"""Markdown: tables, and numbers as people read them."""

import math
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], align: str = "") -> str:
    """A table; `align` has a letter per column, l or r, all l by default."""
    rules = ["---:" if side == "r" else "---" for side in align or "l" * len(heads)]
    lines = [list(heads), rules, *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: object, decimals: int | None = None) -> str:
    """Digits in threes, all of them or rounded: 60 000, (32, 1 000), 0.5; – for NaN; what is no number as it is."""
    if isinstance(value, tuple):
        return "(" + ", ".join(number(one, decimals) for one in value) + ")"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if math.isnan(value):
        return "–"
    if decimals is None:
        return f"{value:,.15g}".replace(",", " ")
    return f"{round(value, decimals) + 0.0:,.{decimals}f}".replace(",", " ")  # + 0.0 turns -0.0 into 0.0


def rounded(value: float) -> str:
    """Three digits or more: 1.02, 11.3, 150, 12 587; – for NaN."""
    return number(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)
