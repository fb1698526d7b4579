"""The formats that can be imported: what each is, and which one a file is in."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sos_gym.settings.ranges import SettingError
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.lines import UTF8
from sos_gym.workload.traces.source import CHUNK, Source

LOOKED_AT, LOOKED_AT_CHARACTERS = 20, 1000  # lines, and of each, to guess a format
COMMENTS = ("#", ";", "==")


@dataclass(frozen=True)
class Option:
    """A number that some formats take; each has a default of its own."""

    kind: type[int] | type[float]
    low: float
    high: float
    unit: str
    what: str

    @property
    def allowed(self) -> str:
        """As errors and help say it."""
        return f"{'a whole number' if self.kind is int else 'a number'} from {self.low} to {self.high}{self.unit}"

    def accept(self, name: str, value: Any) -> int | float:
        """`value` as this option's type.

        Raises:
            SettingError: not a number, or out of range.
        """
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high or value != self.kind(value):
            raise SettingError(name, value, self.allowed, "leave it out for the default")
        return self.kind(value)


OPTIONS = {
    "limit": Option(int, 1, 1 << 28, "", "stop after so many references, jobs, or lines of a schedule"),
    "page_bytes": Option(int, 64, 1 << 21, " bytes", "of a page, a power of two"),
    "speed": Option(float, 1e-9, 1e9, "", "recorded times are divided by it"),
    "most_threads": Option(int, 1, 4096, " threads", "of one job"),
    "root": Option(int, 1, 1 << 22, "", "only the task with this pid and its descendants"),
}
OTHERS = {
    "timed": "keep arrival times, as SLEEP_UNTIL; else references are back to back",
    "columns": "of a CSV file, in libCacheSim's words: time-col=2, obj-id-col=5, obj-size-col=4, op-col=3, "
    "delimiter=;, has-header=true, obj-id-is-num=true",
}


@dataclass(frozen=True)
class Format:
    """One kind of file. `read` takes a Source and the options that stand in its signature."""

    name: str
    side: str  # memory or cpu
    extensions: tuple[str, ...]  # without .gz and .zst
    what: str
    source: str  # the paper or manual page that defines it
    sample: str  # one line of such a file; of a binary one, its record
    pattern: str  # regular expression of each of its lines; "": it has no lines
    distinct: bool  # lines like these are in no other format
    read: Callable[..., Tape]

    @property
    def options(self) -> list[str]:
        """What may be given besides the file."""
        return [name for name, p in inspect.signature(self.read).parameters.items() if p.kind == p.KEYWORD_ONLY]

    def fits(self, lines: list[str]) -> bool:
        """Whether a file that begins with these lines may be of this format."""
        return bool(self.pattern and lines) and all(re.match(self.pattern, line) for line in lines)

    def accept(self, given: dict) -> dict:
        """The options, checked.

        Raises:
            SettingError: this format has no such option, or the value is out of range.
        """
        for name, value in given.items():
            if name not in self.options:
                allowed = f"left out: {self.name} takes only {', '.join(self.options)}"
                raise SettingError(name, value, allowed, "drop it, or name another format")
        checked = {name: OPTIONS[name].accept(name, v) if name in OPTIONS else v for name, v in given.items()}
        for name, kind in (("timed", bool), ("columns", str)):
            if not isinstance(given.get(name, kind()), kind):
                raise SettingError(name, given[name], f"a {kind.__name__}", OTHERS[name])
        if "speed" in given and "timed" in self.options and not given.get("timed"):
            raise SettingError("speed", given["speed"], "given with timed", "without timed no times are kept")
        page_bytes = int(checked.get("page_bytes", 1))
        if page_bytes & (page_bytes - 1):
            raise SettingError("page_bytes", page_bytes, "a power of two", "4096 is a page of most machines")
        return checked


FORMATS: dict[str, Format] = {}


def format_of(
    name: str,
    side: str,
    extensions: tuple[str, ...],
    what: str,
    source: str,
    sample: str,
    pattern: str = "",
    distinct: bool = True,
) -> Callable[[Callable[..., Tape]], Callable[..., Tape]]:
    """Register a reader as a named format."""

    def register(read: Callable[..., Tape]) -> Callable[..., Tape]:
        FORMATS[name] = Format(name, side, extensions, what, source, sample, pattern, distinct, read)
        return read

    return register


def guess(source: Source) -> Format:
    """The one format that the file's name allows or, where several or none have that name, its first lines.

    Raises:
        TapeError: none or several; it lists all formats.
    """
    name = source.path.name.lower()
    for compressed in (".gz", ".zst"):
        name = name.removesuffix(compressed)
    possible = [one for one in FORMATS.values() if name.endswith(one.extensions)]
    if len(possible) != 1:
        lines = _first_lines(source)
        possible = [one for one in possible or FORMATS.values() if one.fits(lines) and (one.distinct or possible)]
    if len(possible) != 1:
        maybe = f" (it may be {' or '.join(one.name for one in possible)})" if possible else ""
        raise TapeError(
            f"{source.path}: its name and first lines do not tell its format{maybe}; allowed: {', '.join(FORMATS)}; "
            "name one with format, or --format; sos-gym import --formats explains them"
        )
    return possible[0]


def _first_lines(source: Source) -> list[str]:
    """Some that say something; a last one that is cut off is left out."""
    start = next(islice(Source(source.path).chunks(), 1), b"").removeprefix(UTF8)
    lines = [line[:LOOKED_AT_CHARACTERS] for line in start.decode("latin-1").splitlines()]
    whole = lines[:-1] if len(start) >= CHUNK else lines
    return list(islice((line for line in whole if line.strip() and not line.lstrip().startswith(COMMENTS)), LOOKED_AT))
