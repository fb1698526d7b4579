"""Text traces: lines by the chunk, parsed at once; the first line that is wrong is named."""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NoReturn

import numpy as np

from sos_gym.workload.tables import TapeError
from sos_gym.workload.traces.source import Source

NS = 10**9  # in a second
LATEST_S = (1 << 32) - 1  # libCacheSim's limit, the year 2106
LONGEST_LINE = 1 << 16  # bytes; no format here has lines of over some hundred
HEXADECIMAL = re.compile(rb"(0[xX])?[0-9a-fA-F]{1,16}")
UTF8, UTF16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")  # byte order marks


@dataclass(frozen=True)
class Grammar:
    """What the lines of a format hold."""

    fields: np.dtype = field(default_factory=lambda: np.dtype([]))  # of the columns that are read, in order
    columns: tuple[int, ...] | None = None  # numbers of these columns; None: exactly these and no more
    delimiter: str | None = None  # None: white space
    quote: str | None = None  # a field in quotes may hold the delimiter
    completed: Callable[[str], str] = str  # a line with the columns that it may leave out


@dataclass
class LineChunk:
    """Some lines that follow each other."""

    source: Source
    grammar: Grammar
    first: int  # number of the first one, from 1
    lines: list[str]
    comment: str | tuple[str, ...] = "#"  # what a line begins with that is none; "": nothing

    def data(self) -> list[str]:
        """Without blank lines and comments."""
        if not self.comment:
            return [line for line in self.lines if line and not line.isspace()]
        return [line for line in self.lines if (bare := line.lstrip()) and not bare.startswith(self.comment)]

    def is_empty(self) -> bool:
        """Whether there are only blank lines and comments."""
        return not any(map(self._is_data, self.lines))

    def _is_data(self, line: str) -> bool:
        bare = line.lstrip()
        return bool(bare) and not (self.comment and bare.startswith(self.comment))

    def rows(self) -> np.ndarray:  # grammar.fields (data lines,)
        """All lines at once.

        Raises:
            TapeError: one is not of the form; it names the first one.
        """
        data = self.data()
        try:
            rows = self._table(data)
            if len(rows) == len(data):
                return rows
        except ValueError:
            for row, line in enumerate(data):
                try:
                    self._table([line])
                except ValueError as error:
                    self.refuse(row, _reason(str(error)))
        # Each line is well formed, but all together are not.
        self.refuse(next((row for row, line in enumerate(data) if line.count('"') % 2), 0), "a quote has no end")

    def refuse_if(self, wrong: np.ndarray, why: str) -> None:
        """Refuse the first row that is wrong; `wrong` is bool (rows,)."""
        if wrong.any():
            self.refuse(int(np.argmax(wrong)), why)

    def refuse(self, row: int, why: str) -> NoReturn:
        """Say what is wrong with a row, with the number and the text of its line."""
        number, line = self.line(row)
        raise TapeError(
            f"{self.source.path}, line {number} is {line[:80]!r}: {why}; allowed: lines such as "
            f"{self.source.sample!r}; mend or drop the line, or name another format"
        )

    def nanoseconds(self, seconds: np.ndarray) -> np.ndarray:  # int64 (rows,)
        """A column of times."""
        wrong = ~((seconds >= 0) & (seconds <= LATEST_S))
        self.refuse_if(wrong, f"time must be at least 0 and at most {LATEST_S} s, or left out")
        return nanoseconds(seconds)

    def hexadecimal(self, numbers: np.ndarray) -> np.ndarray:  # u8 (rows,)
        """A column of numbers to the base 16, with or without 0x."""
        try:
            return np.array([int(number, 16) for number in numbers.tolist()], np.uint64)
        except (ValueError, OverflowError):
            for row, number in enumerate(numbers.tolist()):
                if not HEXADECIMAL.fullmatch(number):
                    self.refuse(row, f"{number.decode('latin-1')!r} is no hexadecimal number of at most 16 digits")
            raise

    def drop_first(self) -> None:
        """Make a blank line of the first data line: a header."""
        self.lines[self._index(0)] = ""

    def line(self, row: int) -> tuple[int, str]:
        """Number and text of the line of a row."""
        index = self._index(row)
        return self.first + index, self.lines[index]

    def _index(self, row: int) -> int:
        kept = (i for i, line in enumerate(self.lines) if self._is_data(line))
        return next(islice(kept, row, None))

    def _table(self, data: list[str]) -> np.ndarray:
        if not data:
            return np.zeros(0, self.grammar.fields)
        if self.grammar.completed is not str:
            data = [self.grammar.completed(line) for line in data]
        delimiter, columns, quote = self.grammar.delimiter, self.grammar.columns, self.grammar.quote
        with warnings.catch_warnings():  # NumPy before 2.3 reads 1.5 as an integer and warns; it should refuse
            warnings.simplefilter("error", DeprecationWarning)
            return np.loadtxt(data, self.grammar.fields, None, delimiter, usecols=columns, ndmin=1, quotechar=quote)


def line_chunks(source: Source, grammar: Grammar, comment: str | tuple[str, ...] = "#") -> Iterator[LineChunk]:
    """The lines of a file, without line ends of either kind and without a byte order mark."""
    number = 1
    for text in _whole_lines(source):
        lines = text.decode("latin-1").replace("\r\n", "\n").removesuffix("\n").split("\n")
        yield LineChunk(source, grammar, number, lines, comment)
        number += len(lines)


def nanoseconds(seconds: np.ndarray) -> np.ndarray:  # int64
    """Whole seconds stay exact also where a float has no nanoseconds left."""
    whole = np.floor(seconds)
    return whole.astype(np.int64) * NS + np.rint((seconds - whole) * NS).astype(np.int64)


def _whole_lines(source: Source) -> Iterator[bytes]:
    rest, number = b"", 1
    for i, chunk in enumerate(source.chunks()):
        text = _plain_text(source, chunk) if i == 0 else rest + chunk
        cut = text.rfind(b"\n") + 1
        rest = text[cut:]
        if cut:
            yield text[:cut]
            number += text.count(b"\n", 0, cut)
        if len(rest) > LONGEST_LINE:
            raise TapeError(
                f"{source.path}, line {number} is longer than {LONGEST_LINE} bytes: {rest[:40]!r}; allowed: text; "
                "is it a binary format, such as oracleGeneral?"
            )
    if rest:
        yield rest


def _plain_text(source: Source, start: bytes) -> bytes:
    if start.startswith(UTF16) or b"\0" in start[:LONGEST_LINE]:
        raise TapeError(
            f"{source.path} begins with {start[:16]!r}: binary, or UTF-16; allowed: ASCII or UTF-8 text; "
            "name its binary format, or convert it with iconv -f UTF-16 -t UTF-8"
        )
    return start.removeprefix(UTF8)


def _reason(said: str) -> str:
    """NumPy's reason in our words: it counts rows from 0 or 1, and offers its own options."""
    if "columns" in said:
        return "wrong number of columns"
    return said.split(" at row")[0].replace("could not convert string", "cannot read").replace(" to ", " as ")
