"""In the page of importing: the table of formats, and an example of each that nobody has written one for."""

import re
import tempfile
from pathlib import Path

from sos_gym import Tape, import_tape
from sos_gym.markdown import table
from sos_gym.resource import Op
from sos_gym.workload.traces import FORMATS, Format

PAGE = Path(__file__).parents[1] / "importing.md"
HEADS = ("format", "side", "file names", "what", "defined in")
TABLE = re.compile(r"\| format \| side \|.*?(?=\n\n)", re.DOTALL)


def page() -> str:
    """docs/importing.md, whose prose stays."""
    text = TABLE.sub(lambda _: _formats(), PAGE.read_text(encoding="utf-8"))
    missing = [one for one in FORMATS.values() if one.pattern and f"\n## `{one.name}`\n" not in text]
    return "\n".join([text, *map(_example, missing)])


def _formats() -> str:
    rows = [
        (f"`{one.name}`", one.side, " ".join(f"`{extension}`" for extension in one.extensions), one.what, one.source)
        for one in sorted(FORMATS.values(), key=lambda one: (one.side != "memory", one.name.lower()))
    ]
    return table(HEADS, rows)


def _example(one: Format) -> str:
    """Its sample line and what becomes of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sample")
        path.write_text(f"{one.sample}\n", encoding="utf-8")
        tape = import_tape(path, one.name)
    programs = "\n".join(_program(tape, thread) for thread in range(len(tape.threads)))
    return f"## `{one.name}`\n\n```text\n{one.sample}\n```\n\nbecomes\n\n```text\n{programs}\n```\n"


def _program(tape: Tape, thread: int) -> str:
    """READ 0 · COMPUTE 1000"""
    ops = tape.ops[tape.threads["first"][thread] : tape.threads["last"][thread]]
    return " · ".join(f"{Op(op).name} {arg}" for op, arg in zip(ops["op"].tolist(), ops["arg"].tolist(), strict=True))
