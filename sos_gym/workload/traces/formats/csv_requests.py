"""Requests to a cache as tables of text, in libCacheSim's words: an object is a page, whatever its size."""

import csv
import hashlib
import re
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from sos_gym.settings.ranges import SettingError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, Option, Speed, Timed, format_of
from sos_gym.workload.traces.formats.requests import DROPPED
from sos_gym.workload.traces.lines import Grammar, LineChunk, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

NAMES = {  # how headers call them
    "time": ("time", "timestamp", "ts", "clock_time", "real_time"),
    "id": ("obj_id", "obj-id", "object_id", "id", "key", "obj", "lbn", "lba"),
    "size": ("size", "obj_size", "obj-size", "object_size"),
    "op": ("op", "operation", "cmd", "command"),
}
KEYS = {  # libCacheSim, doc/quickstart_cachesim.md
    "time-col": "time",
    "obj-id-col": "id",
    "obj-size-col": "size",
    "op-col": "op",
    "delimiter": "delimiter",
    "has-header": "header",
    "obj-id-is-num": "numeric",
}
MOST_DIGITS = 19  # of a number below 2^64, whatever they are
INNER_ENDS = str.maketrans("\r\0", "  ")  # within a line; csv.reader refuses them
FLAGS = {"true": True, "1": True, "false": False, "0": False}
BLANKS = " "  # any number of blanks and tabs
DELIMITERS = {"tab": "\t", "\\t": "\t", "blank": BLANKS, "space": BLANKS, "": BLANKS}  # in words
# Of memcached (its protocol.txt, and twitter/cache-trace), of Meta's CacheLib traces, of block devices.
READS = (b"r", b"read", b"get", b"gets", b"gat", b"gats", b"mget", b"get_lease")
CHANGES = (b"set", b"add", b"replace", b"append", b"prepend", b"cas", b"incr", b"decr", b"set_lease", b"touch")
WRITES = (b"w", b"write", b"put", b"update", b"insert", *CHANGES)
DELETES = (b"delete", b"del", b"remove", b"delete_lease")
TWITTER = (7, {"time": 1, "id": 2, "op": 6})  # columns in all, and where: twitter/cache-trace, README
WEBCACHESIM = (3, {"time": 1, "id": 2, "size": 3})  # parted by blanks: dasebe/webcachesim, README
Columns = Annotated[
    str,
    Option(
        "of a CSV file, in libCacheSim's words: time-col=2, obj-id-col=5, obj-size-col=4, op-col=3, delimiter=; (or "
        "tab, blank), has-header=true, obj-id-is-num=true"
    ),
]


@dataclass(frozen=True)
class Layout:
    """Where a CSV file holds what; columns count from 1, as libCacheSim's do. None: not there, or to be found out."""

    time: int | None = None  # seconds
    id: int | None = None
    size: int | None = None  # bytes
    op: int | None = None
    delimiter: str | None = None
    header: bool | None = None
    numeric: bool | None = None  # ids are numbers
    numeric_told: bool = False  # else it is what the first record looks like
    width: int = 0  # columns of the first record


@format_of(
    "csv",
    side="memory",
    extensions=(".csv", ".tsv", ".tr"),
    what="requests to a cache: time, object, size, next; other columns by their header, or by --columns",
    source="libCacheSim, doc/quickstart_cachesim.md and bin/traceUtils/traceConvOracleGeneral.cpp",
    sample="33898,42932745,512,-1",
    pattern=r"(?!.*,(Read|Write),)(?!(?i:.*\boffset|\d+[,;|\t]\d+[,;|\t](r|w|read|write)$))[^,;|\t]+([,;|\t][^,;|\t]*)+$",
    distinct=False,
)
def csv_requests(
    source: Source, *, limit: Limit = None, timed: Timed = False, speed: Speed = 1.0, columns: Columns = ""
) -> Tape:
    """One READ per line, or what its op column says; requests of size 0 are left out, as libCacheSim does."""
    layout, found, header = _told(columns), False, "none"
    references = References(source, limit, timed, speed)
    for chunk in line_chunks(source, Grammar(), comment=""):
        if not layout.width and not chunk.is_empty():
            layout = _measured(layout, chunk.data())
        references.drop("comments", drop_comments(chunk, layout.delimiter or ",", layout.width))
        if chunk.is_empty():
            continue
        if not found:
            layout, found = _completed(layout, chunk), True
            if layout.header:
                header = chunk.line(0)[1]
                chunk.drop_first()
        refuse_widths(chunk, layout.delimiter or ",", layout.width)
        _add(references, layout, chunk)
        if references.full:
            break
    dropped = DROPPED if layout.op else DROPPED + "; whether an object was read or written"
    return references.tape(kept="one reference per line", dropped=dropped, header=header, columns=_said(layout))


def _said(layout: Layout) -> str:
    """time 1, id 2, size 3"""
    return ", ".join(f"{kind} {getattr(layout, kind)}" for kind in NAMES if getattr(layout, kind))


def _told(columns: str) -> Layout:
    """What the option says.

    Raises:
        SettingError: not of libCacheSim's form.
    """
    said = re.findall(r"\s*([\w-]+)\s*=\s*(,|[^,]*)\s*(?:,|$)", columns)
    given: dict[str, Any] = {}
    for key, value in said:
        kind, word = KEYS.get(key, ""), value.strip().lower()
        number = value.isdecimal() and 1 <= int(value) <= 1000
        if kind == "delimiter" and value != '"' and (len(value) == 1 or word in DELIMITERS):
            given[kind] = DELIMITERS.get(word, value)
        elif kind in ("header", "numeric") and word in FLAGS:
            given[kind] = FLAGS[word]
        elif kind in ("time", "id", "size", "op") and number:
            given[kind] = int(value)
        else:
            raise SettingError("columns", f"{key}={value}", f"some of {', '.join(KEYS)}", "columns count from 1")
    if columns and "id" not in given:
        raise SettingError("columns", columns, "something with obj-id-col=N", "columns count from 1")
    return Layout(**given, numeric_told="numeric" in given)


# -- what the first lines say


def _measured(layout: Layout, lines: list[str]) -> Layout:
    """The delimiter, and how many columns there are."""
    plain = first_plain(lines)
    delimiter = layout.delimiter or delimiter_of(plain)
    return replace(layout, delimiter=delimiter, width=len(fields_of(plain, delimiter)))


def _completed(layout: Layout, chunk: LineChunk) -> Layout:
    """What the option left open."""
    first, *more = chunk.data()[:2]
    delimiter = layout.delimiter or ","
    names, record = names_in(first, delimiter), fields_of(more[0], delimiter) if more else None
    if layout.header is None:
        layout = replace(layout, header=_is_header(names, record))
    if not layout.header:
        record = fields_of(first, delimiter)
    if not layout.id:
        places: dict[str, Any] = _named(names, record) if layout.header else _usual(record or [], delimiter)
        layout = replace(layout, **places)
    if not layout.id:
        chunk.refuse(0, "which column is the object is not known; say it, as columns='time-col=1, obj-id-col=2'")
    assert layout.id
    if layout.numeric is None and record:
        layout = replace(layout, numeric=len(record) < layout.id or record[layout.id - 1].strip().isdecimal())
    return layout


def _is_header(names: list[str], record: list[str] | None) -> bool:
    """No number, but a word that headers have, or words over numbers; else it is a record, and none may vanish."""
    if any(map(_is_number, names)):
        return False
    known = any(name in those for name in names for those in NAMES.values())
    return known or any(map(_is_number, record or ()))


def _named(names: list[str], record: list[str] | None) -> dict[str, int]:
    """The columns by their names; ops only where the first one is known."""
    found = {kind: names.index(n) + 1 for kind, those in NAMES.items() for n in reversed(those) if n in names}
    op = found.get("op", 0)
    if (
        op
        and record
        and len(record) >= op
        and record[op - 1].strip().lower().encode("latin-1") not in (*READS, *WRITES, *DELETES)
    ):
        del found["op"]
    return found


def _usual(record: list[str], delimiter: str) -> dict[str, int]:
    """Columns of files that have no header."""
    if len(record) == 4:  # as libCacheSim's traceConv writes oracleGeneral
        return {"time": 1, "id": 2, "size": 3}
    width, places = TWITTER
    if len(record) == width and record[5].strip().lower().encode("latin-1") in (*READS, *WRITES, *DELETES):
        return places
    width, places = WEBCACHESIM
    return places if len(record) == width and delimiter == BLANKS else {}


def first_plain(lines: list[str]) -> str:
    """The first one that does not begin with #, else the first."""
    return next((line for line in lines if not line.lstrip().startswith("#")), lines[0])


def delimiter_of(line: str) -> str:
    """The most frequent one; a line without any is parted by blanks."""
    bare = re.sub(r'"[^"]*"', "", line)
    delimiter = max(",\t|;", key=bare.count)
    return delimiter if delimiter in bare else BLANKS


def fields_of(line: str, delimiter: str) -> list[str]:
    """The fields of a line; a quoted one may hold the delimiter."""
    if '"' in line:
        whole = line.translate(INNER_ENDS)
        return next(csv.reader([whole], delimiter=delimiter, skipinitialspace=delimiter == BLANKS))
    return line.split() if delimiter == BLANKS else line.split(delimiter)


def names_in(line: str, delimiter: str) -> list[str]:
    """The names of a header, in small letters and without units in brackets; it may begin with #."""
    names = fields_of(line.lstrip().removeprefix("#"), delimiter)
    return [re.split(r"[(\[]", name)[0].strip().lower().replace(" ", "_") for name in names]


def drop_comments(chunk: LineChunk, delimiter: str, width: int) -> int:
    """Blank out lines that begin with # and have other columns than a record: a key may begin with # too. How many."""
    count = 0
    for i, line in enumerate(chunk.lines):
        if "#" in line and line.lstrip().startswith("#") and len(fields_of(line, delimiter)) != width:
            chunk.lines[i] = ""
            count += 1
    return count


def refuse_widths(chunk: LineChunk, delimiter: str, width: int) -> None:
    """Refuse a line of more or fewer columns than the first: its id could be cut, and be taken for another's."""
    for row, line in enumerate(chunk.data()):
        columns = line.count(delimiter) + 1
        if (columns != width or delimiter == BLANKS or '"' in line) and len(fields_of(line, delimiter)) != width:
            chunk.refuse(row, f"wrong number of columns ({width} before); quote what holds the delimiter {delimiter!r}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# -- records


def table_of(chunk: LineChunk, delimiter: str, places: dict[str, int], kinds: dict[str, str]) -> np.ndarray:
    """The columns `places` (from 1) of some lines as `kinds`; "S": text, of which nothing is cut off."""
    longest = max(map(len, chunk.lines), default=1) or 1
    fields = np.dtype([(kind, f"S{longest}" if kinds[kind] == "S" else kinds[kind]) for kind in places])
    columns = tuple(place - 1 for place in places.values())
    part = None if delimiter == BLANKS else delimiter
    chunk.grammar = replace(chunk.grammar, fields=fields, columns=columns, delimiter=part, quote='"')
    return chunk.rows()


def _add(references: References, layout: Layout, chunk: LineChunk) -> None:
    """The requests of some lines."""
    kinds = {"time": "f8", "id": "S", "size": "i8", "op": "S"}
    places = {kind: getattr(layout, kind) for kind in kinds if getattr(layout, kind)}
    if layout.numeric and layout.numeric_told:
        kinds["id"] = "u8"
    rows = table_of(chunk, layout.delimiter or ",", places, kinds)
    time = None
    if layout.time:
        time = chunk.nanoseconds(rows["time"])
    written, kept = np.zeros(len(rows), bool), np.ones(len(rows), bool)
    if layout.op:
        op = np.char.lower(np.char.strip(rows["op"]))
        written, deleted = np.isin(op, WRITES), np.isin(op, DELETES)
        known = written | deleted | np.isin(op, READS)
        chunk.refuse_if(~known, f"op must be one of {b', '.join((*READS, *WRITES, *DELETES)).decode()}")
        references.drop("deletions", np.count_nonzero(deleted))
        kept = ~deleted
    if layout.size:
        chunk.refuse_if(rows["size"] < 0, "size must be at least 0 bytes")
        references.drop("requests of size 0", np.count_nonzero(kept & (rows["size"] == 0)))
        kept &= rows["size"] > 0
    objects = _objects(layout, chunk, rows["id"])
    references.add(objects[kept], written[kept], time=None if time is None else time[kept])


def _objects(layout: Layout, chunk: LineChunk, ids: np.ndarray) -> np.ndarray:  # u8 (rows,)
    """A number for each id; two that differ in their text are one only where the user says that they are numbers."""
    if ids.dtype.kind != "S":
        return ids
    if not layout.numeric:
        return _hashed(ids)
    number, odd = _as_numbers(ids)
    if odd.any():  # or there are blanks around them
        number, odd = _as_numbers(np.char.strip(ids))
    chunk.refuse_if(odd, "its id is no such number as the first one; say columns with obj-id-is-num=false, or =true")
    return number


def _as_numbers(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # u8 (rows,), bool (rows,)
    """Numbers as one writes them, 1 to 19 digits without a zero before them; and which ids are none."""
    text = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), ids.itemsize)
    number, odd, before = np.zeros(len(ids), np.uint64), text[:, 0] == 0, np.ones(len(ids), bool)
    for place in range(ids.itemsize):
        character = text[:, place]
        if not character.any():
            break
        there, digit = character != 0, character - np.uint8(ord("0"))  # wraps around: what is no digit is over 9
        odd |= there & ((digit > 9) | (place >= MOST_DIGITS) | ~before)
        odd |= there & (place == 1) & (text[:, 0] == ord("0"))
        number, before = np.where(there, number * np.uint64(10) + digit, number), there
    return number, odd


def _hashed(names: np.ndarray) -> np.ndarray:  # u8 (names,)
    """64 bits of BLAKE2b each: of ten million names two share theirs with probability 3e-6."""
    known, which = np.unique(names, return_inverse=True)
    digests = [int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") for name in known.tolist()]
    return np.array(digests, np.uint64)[which]
