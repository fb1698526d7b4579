"""Requests to a cache, as libCacheSim's traces tell them: an object is a page, whatever its size."""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from sos_gym.settings.ranges import SettingError
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, Option, Speed, Timed, format_of
from sos_gym.workload.traces.lines import NS, Grammar, LineChunk, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

# libCacheSim, traceReader/customizedReader/oracle/oracleGeneralBin.h: little-endian, packed
RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
PRINTABLE = bytes(range(32, 127)) + b"\t\r\n"
DROPPED = "sizes and the time of the next access; objects are pages of one size"


@format_of(
    "oracleGeneral",
    side="memory",
    extensions=(".oraclegeneral", ".oraclegeneral.bin"),
    what="requests to a cache: binary records of 24 bytes, little-endian",
    source="libCacheSim, traceReader/customizedReader/oracle/oracleGeneralBin.h (Yang et al., 1a1a11a/libCacheSim)",
    sample="u4 time in s, u8 object, u4 size in bytes, i8 number of the next request to it (-1: none)",
)
def oracle_general(source: Source, *, limit: Limit = None, timed: Timed = False, speed: Speed = 1.0) -> Tape:
    """One READ per record; requests of size 0 are left out, as libCacheSim does by default."""
    references = References(source, limit, timed, speed, tick_ns=NS)
    rest, number = b"", 0
    for chunk in source.chunks():
        data = rest + chunk
        if not number and not data[:240].translate(None, PRINTABLE):
            raise TapeError(
                f"{source.path} begins with text, {data[:40]!r}; allowed: records of {RECORD.itemsize} bytes"
            )
        records = np.frombuffer(data, RECORD, len(data) // RECORD.itemsize)
        rest = data[records.nbytes :]
        number += len(records)
        sized = records[records["size"] > 0]
        references.drop("requests of size 0", len(records) - len(sized))
        references.add(sized["id"], time=sized["time"].astype(np.int64))
        if references.full:
            break
    else:
        if rest:
            raise TapeError(
                f"{source.path} is cut short: {len(rest)} bytes follow record {number}; allowed: whole records of "
                f"{RECORD.itemsize} bytes; fetch the file again, or take what is whole with limit={references.count}"
            )
    return references.tape(kept="one READ per record", dropped=DROPPED)


# -- csv


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


NAMES = {  # how headers call them
    "time": ("time", "timestamp", "ts", "clock_time", "real_time"),
    "id": ("obj_id", "obj-id", "object_id", "id", "key", "obj", "lbn", "lba"),
    "size": ("size", "obj_size", "obj-size", "object_size"),
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
FLAGS = {"true": True, "1": True, "false": False, "0": False}
Columns = Annotated[
    str,
    Option(
        "of a CSV file, in libCacheSim's words: time-col=2, obj-id-col=5, obj-size-col=4, op-col=3, delimiter=;, "
        "has-header=true, obj-id-is-num=true"
    ),
]
READS, WRITES = (b"r", b"read", b"get"), (b"w", b"write", b"set", b"put")


@format_of(
    "csv",
    side="memory",
    extensions=(".csv",),
    what="requests to a cache: time, object, size, next; other columns by their header, or by --columns",
    source="libCacheSim, doc/quickstart_cachesim.md and bin/traceUtils/traceConvOracleGeneral.cpp",
    sample="33898,42932745,512,-1",
    pattern=r"(?!.*,(Read|Write),)[^,;|\t]+([,;|\t][^,;|\t]*)+$",
    distinct=False,
)
def csv(
    source: Source, *, limit: Limit = None, timed: Timed = False, speed: Speed = 1.0, columns: Columns = ""
) -> Tape:
    """One READ per line, or what its op column says; requests of size 0 are left out, as libCacheSim does."""
    layout, found = _layout(columns), False
    references = References(source, limit, timed, speed)
    for chunk in line_chunks(source, Grammar()):
        if not (data := chunk.data()):
            continue
        if not found:
            layout, found = _completed(layout, chunk, data), True
            if layout.header:
                chunk.drop_first()
        _add(references, layout, chunk)
        if references.full:
            break
    dropped = DROPPED if layout.op else DROPPED + "; whether an object was read or written"
    return references.tape(kept="one reference per line", dropped=dropped)


def _layout(columns: str) -> Layout:
    """What the option says.

    Raises:
        SettingError: not of libCacheSim's form.
    """
    said = re.findall(r"\s*([\w-]+)\s*=\s*(,|[^,]*)\s*(?:,|$)", columns)
    given: dict[str, Any] = {}
    for key, value in said:
        kind = KEYS.get(key, "")
        number = value.isdecimal() and 1 <= int(value) <= 1000
        if kind == "delimiter" and len(value) == 1:
            given[kind] = value
        elif kind in ("header", "numeric") and value.strip().lower() in FLAGS:
            given[kind] = FLAGS[value.strip().lower()]
        elif kind in ("time", "id", "size", "op") and number:
            given[kind] = int(value)
        else:
            raise SettingError("columns", f"{key}={value}", f"some of {', '.join(KEYS)}", "columns count from 1")
    if columns and "id" not in given:
        raise SettingError("columns", columns, "something with obj-id-col=N", "columns count from 1")
    return Layout(**given)


def _completed(layout: Layout, chunk: LineChunk, data: list[str]) -> Layout:
    """What the first lines say of what the option left open."""
    first = data[0]
    delimiter = layout.delimiter or max(",\t|;", key=first.count)
    names = [name.strip().strip('"').lower() for name in first.split(delimiter)]
    header = not any(map(_is_number, names)) if layout.header is None else layout.header
    layout = replace(layout, delimiter=delimiter, header=header)
    if not layout.id:
        if header:
            known: dict[str, Any] = {
                kind: names.index(n) + 1 for kind, those in NAMES.items() for n in reversed(those) if n in names
            }
            layout = replace(layout, **known)
        elif len(names) == 4:  # as libCacheSim's traceConv writes oracleGeneral
            layout = replace(layout, time=1, id=2, size=3)
        if not layout.id:
            chunk.refuse(0, "which column is the object is not known; say it, as columns='time-col=1, obj-id-col=2'")
    assert layout.id
    rows = data[1:] if header else data
    if layout.numeric is None and rows:
        fields = rows[0].split(delimiter)
        layout = replace(layout, numeric=len(fields) < layout.id or fields[layout.id - 1].strip().isdecimal())
    return layout


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _add(references: References, layout: Layout, chunk: LineChunk) -> None:
    """The requests of some lines."""
    width = max(map(len, chunk.lines), default=1) or 1  # no field is longer: nothing is cut off
    kinds = {"time": "f8", "id": "u8" if layout.numeric else f"S{width}", "size": "i8", "op": f"S{width}"}
    places = {kind: getattr(layout, kind) for kind in kinds if getattr(layout, kind)}
    fields = np.dtype([(kind, kinds[kind]) for kind in places])
    columns = tuple(place - 1 for place in places.values())
    chunk.grammar = replace(chunk.grammar, fields=fields, columns=columns, delimiter=layout.delimiter)
    rows = chunk.rows()
    time = None
    if layout.time:
        time = chunk.nanoseconds(rows["time"])
    written = np.zeros(len(rows), bool)
    if layout.op:
        op = np.char.lower(np.char.strip(rows["op"]))
        written = np.isin(op, WRITES)
        chunk.refuse_if(~written & ~np.isin(op, READS), "op must be read, get, r, write, set, put or w")
    sized = np.ones(len(rows), bool)
    if layout.size:
        chunk.refuse_if(rows["size"] < 0, "size must be at least 0 bytes")
        sized = rows["size"] > 0
    references.drop("requests of size 0", np.count_nonzero(~sized))
    objects = rows["id"] if layout.numeric else _hashed(rows["id"])
    references.add(objects[sized], written[sized], time=None if time is None else time[sized])


def _hashed(names: np.ndarray) -> np.ndarray:  # u8 (names,)
    """64 bits of BLAKE2b each: of ten million names two share theirs with probability 3e-6."""
    known, which = np.unique(names, return_inverse=True)
    digests = [int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") for name in known.tolist()]
    return np.array(digests, np.uint64)[which]
