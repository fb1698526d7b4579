"""The registry of formats: what each is, the options that it takes, and which one a file is in."""

import dataclasses
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, get_args

from sos_gym.settings.ranges import SettingError, did_you_mean, number_in, range_text
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import lackey
from sos_gym.workload.traces.lines import UTF8
from sos_gym.workload.traces.source import CHUNK, SUFFIXES, Source

LOOKED_AT, LOOKED_AT_CHARACTERS = 20, 1000  # lines, and of each, to guess a format
COMMENTS = ("#", ";", *(remark.decode() for remark in lackey.REMARKS))
LOOKED_AT_BYTES = 1 << 12  # to guess a binary format
TEXT_NAMES = (".txt", ".log", ".dat", ".trace", ".bin", ".tr")  # ends of names that say nothing more of a trace


@dataclass(frozen=True)
class Option:
    """What an importer may be given besides the file: a number in a range, a flag or a text.

    It is declared once, where a reader takes it: `most_threads: Annotated[int, Option("of one job", 1, 4096)] = 16`.
    `import_tape`, the command line, their help and their errors follow from that. Formats may share an option.
    """

    what: str  # it does, for help and errors
    low: float = 0  # of a number
    high: float = 0
    unit: str = ""
    check: Callable[[str, Any], None] | None = None  # (name, value): refuses what the range lets pass
    needs: tuple[str, str] | None = None  # where the format has that option too, it must be given, or else ...
    kind: type = str  # int, float, bool or str: as it is annotated

    @property
    def allowed(self) -> str:
        """The range of a number, as errors and help say it; else "" """
        return range_text(self.low, self.high, self.kind is int, self.unit) if self.kind in (int, float) else ""

    def accept(self, name: str, value: Any) -> Any:
        """`value` as this option's type.

        Raises:
            SettingError: of another type, or out of range.
        """
        if self.kind in (int, float):
            remedy = "leave it out for the default"
            value = number_in(name, value, self.low, self.high, whole=self.kind is int, unit=self.unit, remedy=remedy)
        elif not isinstance(value, self.kind):
            raise SettingError(name, value, f"a {self.kind.__name__}", self.what)
        if self.check:
            self.check(name, value)
        return value


def _power_of_two(name: str, value: int) -> None:
    if value & (value - 1):
        raise SettingError(name, value, "a power of two", "4096 is a page of most machines")


# The options that several modules take; one that a single module takes is declared there.
Limit = Annotated[int | None, Option("stop after so many references, jobs, or lines of a schedule", 1, 1 << 28)]
PageBytes = Annotated[int, Option("of a page, a power of two", 64, 1 << 21, "bytes", check=_power_of_two)]
Timed = Annotated[bool, Option("keep arrival times, as SLEEP_UNTIL; else references are back to back")]
Speed = Annotated[
    float,
    Option("recorded times are divided by it", 1e-9, 1e9, needs=("timed", "without timed no times are kept")),
]


@dataclass(frozen=True)
class Format:
    """One kind of file."""

    name: str
    side: str  # memory or cpu
    extensions: tuple[str, ...]  # without .gz and .zst
    what: str
    source: str  # the paper or manual page that defines it
    sample: str  # one line of such a file; of a binary one, its record
    pattern: str  # regular expression of each of its lines; "": it has no lines
    distinct: bool  # lines like these are in no other format
    head: str  # regular expression of a first line that says enough; else ""
    free_text: str  # regular expression of lines whose text may go on in lines of any form; else ""
    records: Callable[[bytes], bool] | None  # of a binary one: whether a file may begin with these bytes
    read: Callable[..., Tape]  # (source, **options)
    options: dict[str, Option]  # by name: what may be given besides the file

    def fits(self, lines: list[str]) -> bool:
        """Whether a file that begins with these lines may be of this format."""
        if not self.pattern or not lines:
            return False
        if self.head and re.match(self.head, lines[0]):
            return True
        free = False
        for line in lines:
            fits = bool(re.match(self.pattern, line))
            if not (fits or free):
                return False
            free = bool(self.free_text and re.match(self.free_text, line)) if fits else free
        return True

    def accept(self, given: dict[str, Any]) -> dict[str, Any]:
        """The options, checked; None stands for the format's default.

        Raises:
            SettingError: no importer has such an option, or not this one, or the value is out of range.
        """
        names = ", ".join(self.options)
        for name, value in given.items():
            if name not in OPTIONS:
                remedy = did_you_mean(name, self.options) or "leave it out"
                raise SettingError(name, value, f"an option of {self.name} ({names})", remedy)
            if name not in self.options and value is not None:
                allowed = f"left out: {self.name} takes only {names}"
                raise SettingError(name, value, allowed, "drop it, or name another format")
        given = {name: value for name, value in given.items() if value is not None}
        accepted = {name: self.options[name].accept(name, value) for name, value in given.items()}
        for name, value in given.items():
            needed, why = self.options[name].needs or ("", "")
            if needed in self.options and not accepted.get(needed):
                raise SettingError(name, value, f"given with {needed}", why)
        return accepted


FORMATS: dict[str, Format] = {}
OPTIONS: dict[str, Option] = {}  # of all formats


def format_of(
    name: str,
    side: str,
    extensions: tuple[str, ...],
    what: str,
    source: str,
    sample: str,
    pattern: str = "",
    distinct: bool = True,
    head: str = "",
    free_text: str = "",
    records: Callable[[bytes], bool] | None = None,
) -> Callable[[Callable[..., Tape]], Callable[..., Tape]]:
    """Register a reader (source, *, **options) -> Tape as a named format.

    Raises:
        TypeError: one of its options is not declared.
        ValueError: the name is taken, or an option is declared otherwise elsewhere.
    """

    def register(read: Callable[..., Tape]) -> Callable[..., Tape]:
        if name in FORMATS and FORMATS[name].read.__module__ != read.__module__:
            raise ValueError(f"the format {name!r} is taken: it is in {FORMATS[name].read.__module__}; rename it")
        options = _declared(read)
        for option, declared in options.items():
            if OPTIONS.setdefault(option, declared) != declared:
                raise ValueError(f"the option {option!r} of {name} is declared otherwise elsewhere; rename it")
        told = (extensions, what, source, sample, pattern, distinct, head, free_text, records)
        FORMATS[name] = Format(name, side, *told, read, options)
        return read

    return register


def _declared(read: Callable[..., Tape]) -> dict[str, Option]:
    """The options in a reader's signature."""
    options = {}
    for parameter in inspect.signature(read, eval_str=True).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            kind, *declared = get_args(parameter.annotation) or (None,)
            if not declared or not isinstance(declared[0], Option):
                said = f"{parameter.name} of {read.__name__} is not declared as an option"
                raise TypeError(f"{said}; annotate it as Annotated[int, Option(...)]")
            plain = next((one for one in get_args(kind) if one is not type(None)), kind)  # int of int | None
            options[parameter.name] = dataclasses.replace(declared[0], kind=plain)
    return options


def explanation(option: str) -> str:
    """What an option does, its range, and the formats that take it, if not all do; one sentence."""
    one, takers = OPTIONS[option], [known.name for known in FORMATS.values() if option in known.options]
    of = "" if len(takers) == len(FORMATS) else f" ({', '.join(takers)})"
    return f"{one.what[0].upper()}{one.what[1:]}{one.allowed and ': '}{one.allowed}{of}."


def guess(source: Source) -> Format:
    """The one format that the file's name allows or, where several or none have that name, its first lines.

    Raises:
        TapeError: none or several; it lists all formats.
    """
    name = _unpacked_name(source.path).lower()
    possible = [one for one in FORMATS.values() if name.endswith(one.extensions)]
    if len(possible) != 1:
        fits = _fitting(source)
        possible = list(filter(fits, possible)) or [one for one in FORMATS.values() if one.distinct and fits(one)]
    if len(possible) != 1:
        maybe = f" (it may be {' or '.join(one.name for one in possible)})" if possible else ""
        raise TapeError(
            f"{source.path}: its name and first lines do not tell its format{maybe}; allowed: {', '.join(FORMATS)}; "
            "name one with format, or --format; sos-gym import --formats explains them"
        )
    return possible[0]


def plain_name(path: Path) -> str:
    """The name of a trace: that of its file without the ends that say how it is packed, and its format."""
    name = _unpacked_name(path)
    ends = [end for one in FORMATS.values() for end in one.extensions] + list(TEXT_NAMES)
    longest = max((len(end) for end in ends if name.lower().endswith(end)), default=0)
    return name[: len(name) - longest] or name


def _unpacked_name(path: Path) -> str:
    name = path.name
    while name.lower().endswith(SUFFIXES):
        name = name[: name.rindex(".")]
    return name or path.name


def _fitting(source: Source) -> Callable[[Format], bool]:
    """Whether a format fits how the file begins."""
    start = next(islice(Source(source.path).chunks(), 1), b"")
    lines, binary = _first_lines(start), b"\0" in start[:LOOKED_AT_BYTES]
    return lambda one: bool(one.records and one.records(start[:LOOKED_AT_BYTES])) if binary else one.fits(lines)


def _first_lines(start: bytes) -> list[str]:
    """Some that say something; a last one that is cut off is left out."""
    text = start.removeprefix(UTF8)
    lines = [line[:LOOKED_AT_CHARACTERS] for line in text.decode("latin-1").splitlines()]
    whole = lines[:-1] if len(start) >= CHUNK else lines
    return list(islice((line for line in whole if line.strip() and not line.lstrip().startswith(COMMENTS)), LOOKED_AT))
