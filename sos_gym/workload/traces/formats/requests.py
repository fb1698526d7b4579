"""Requests to a cache, as libCacheSim's traces tell them: an object is a page, whatever its size."""

import numpy as np

from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, Speed, Timed, format_of
from sos_gym.workload.traces.lines import NS
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

# libCacheSim, traceReader/customizedReader/oracle/oracleGeneralBin.h: little-endian, packed
RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
UNKNOWN, NEVER = -2, 2**63 - 1  # numbers of the next request: not computed; none (another writer says -1)
MOST_REQUESTS = 1 << 48  # of a trace; a higher number of the next request is an error of the file
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
        _refuse_junk(source, records, number)
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


def _refuse_junk(source: Source, records: np.ndarray, before: int) -> None:
    """Bytes of another format are records too; what tells is the number of the next request."""
    wrong = (records["next"] < UNKNOWN) | ((records["next"] > MOST_REQUESTS) & (records["next"] != NEVER))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise TapeError(
            f"{source.path}, record {before + at + 1} names {records['next'][at]} as the next request; allowed: "
            f"{UNKNOWN} to {MOST_REQUESTS}, or {NEVER}; is it another format?"
        )
