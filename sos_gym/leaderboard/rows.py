"""Rows, and the file that keeps them as they come: one JSON object per line, so that what has been run is not lost."""

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from sos_gym.outputs import failures_name, write_whole
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import Tape

Row = dict[str, Any]  # a run: what was asked, and what came out
ASKED = ("env", "workload", "split", "policy", "kind", "seed", "settings", "version", "code")  # with CONTENT: one run
CONTENT = "content"  # of a policy from outside
CAME_OUT = ("tape", "metrics")
BESIDE = ("privileged", "charged")  # came out too, in rows of today
NO_PART_OF_A_RUN = ("cli", "leaderboard")  # folders of the package in which no result is made


class RowFile:
    """A file of rows to which more are appended; it is a context manager.

    It starts empty, or, with `resume`, with the rows that it has; of these a last line that was cut is dropped.

    Raises:
        SettingError: with `resume`, a line that is no row: it may be another's file.
        OSError: it cannot be read or written; names it.
    """

    def __init__(self, path: str | os.PathLike, resume: bool = False):
        if not isinstance(path, (str, os.PathLike)):
            raise SettingError("keep", path, "the path of a file", "pass a text or a Path")
        self.path = Path(path)
        with failures_name(self.path):
            rows = self._read() if resume and self.path.exists() else []
            write_whole(self.path, b"".join(map(_line, rows)))
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self._rows = {_identity(row): row for row in rows}

    def __enter__(self) -> "RowFile":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def _read(self) -> list[Row]:
        *lines, rest = self.path.read_bytes().split(b"\n")
        rows = [_row_in(line) for line in lines]
        if None in rows:
            number = rows.index(None) + 1
            raise SettingError("resume", str(self.path), "a file of rows", f"line {number} is none; move it away")
        cut = _row_in(rest)  # whole but for its line break
        return [row for row in (*rows, cut) if row]

    def found(self, asked: Row, tape: str | Tape) -> Row | None:
        """The row of what is asked, if it has it and the tape is still the same."""
        row = self._rows.get(_identity(asked))
        if row is None or (isinstance(tape, Tape) and tape.hash() != row["tape"]):
            return None
        return asked | {name: row[name] for name in (*CAME_OUT, *BESIDE) if name in row}

    def append(self, row: Row) -> None:
        """Write a row, whole or not at all.

        Raises:
            OSError: it cannot be written; names the file, which has all rows before.
        """
        line = _line(row)
        with failures_name(self.path):
            end = os.fstat(self._descriptor).st_size
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BaseException:
                os.ftruncate(self._descriptor, end)
                raise


def _line(row: Row) -> bytes:
    return json.dumps(row).encode() + b"\n"


def _row_in(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {*ASKED, *CAME_OUT} <= set(row) else None


def _identity(row: Row) -> str:
    return json.dumps([*(row[name] for name in ASKED), row.get(CONTENT, "")], sort_keys=True)


@cache
def code_hash() -> str:
    """16 hex digits for all code of the package that a result depends on."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in NO_PART_OF_A_RUN:
            digest.update(str(name).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
