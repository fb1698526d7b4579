"""Results as JSON, tables in Markdown and pictures: FOLDER/benchmarks.md and FOLDER/benchmarks/NAME.json, .png."""

import inspect
import json
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import machine
from sos_gym.markdown import number, table

INTRODUCTION = """# Benchmarks

Written by `python -m benchmarks --out docs` from `docs/benchmarks/*.json`. Peers and sos_gym take turns in one run on
the same work, everything is warm, and times and ratios are medians over the turns. Each table was made on the machine,
with the versions and by the command below it; ratios carry over to other machines, times do not.
"""


UNITS = {"cores": "{} cores", "memory_gib": "{} GiB"}


def result(module: ModuleType, rows: list[dict], command: str, seconds: float) -> dict[str, Any]:
    """All that is kept of one benchmark."""
    return {
        "benchmark": name_of(module),
        "command": command,
        "machine": machine.machine(),
        "versions": machine.versions(),
        "seconds": round(seconds),
        "rows": rows,
    }


def name_of(module: ModuleType) -> str:
    return module.__name__.rsplit(".", 1)[-1]


def write(folder: Path, module: ModuleType, found: dict[str, Any]) -> None:
    """The JSON and the picture."""
    home = folder / "benchmarks"
    home.mkdir(parents=True, exist_ok=True)
    name = found["benchmark"]
    (home / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (home / f"{name}.png").write_bytes(picture(module, found["rows"]))


def write_page(folder: Path, modules: list[ModuleType]) -> Path:
    """benchmarks.md: every benchmark of which there is a result."""
    parts = [INTRODUCTION]
    for module in modules:
        path = folder / "benchmarks" / f"{name_of(module)}.json"
        if path.exists():
            parts.append(section(module, json.loads(path.read_text(encoding="utf-8"))))
    page = folder / "benchmarks.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def section(module: ModuleType, found: dict[str, Any]) -> str:
    """Title, what is measured, table, how it was made, picture."""
    title, said = (inspect.getdoc(module) or "").split("\n\n", 1)
    where = ", ".join(UNITS.get(name, "{}").format(value) for name, value in found["machine"].items())
    using = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    made = f"`{found['command']}`, {found['seconds']} s, on {where}; {using}."
    picture_ = f"![{title}](benchmarks/{found['benchmark']}.png)"
    return "\n\n".join([f"## {title}", said, markdown(found["rows"]), made, picture_]) + "\n"


def markdown(rows: list[dict]) -> str:
    """A table of all keys in order of first appearance; columns without a word are left out."""
    heads = [head for head in dict.fromkeys(key for row in rows for key in row) if any(row.get(head) for row in rows)]
    return table(heads, [[_cell(row.get(head, "")) for head in heads] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else number(round(value))
    return number(value)


def picture(module: ModuleType, rows: list[dict]) -> bytes:
    """PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.5 + max(3.0, 0.22 * len(rows))), layout="constrained")
    module.draw(figure, rows)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
