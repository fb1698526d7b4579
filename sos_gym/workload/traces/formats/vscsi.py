"""Disk requests of virtual machines, as VMware's vscsi traces have them."""

import numpy as np

from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats import blocks
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, Speed, Timed, format_of
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

# libCacheSim, traceReader/customizedReader/vscsi.h: little-endian; the upper byte of `ver` is the version
FIRST = [("sn", "<u4"), ("len", "<u4"), ("parts", "<u4"), ("cmd", "<u2"), ("ver", "<u2"), ("lbn", "<u8"), ("ts", "<u8")]
SECOND = [*FIRST[3:5], *FIRST[:3], *FIRST[5:], ("rt", "<u8")]
RECORDS = {1: np.dtype(FIRST), 2: np.dtype(SECOND)}  # 32 and 40 bytes
READS, WRITES = (0x08, 0x28, 0xA8, 0x88), (0x0A, 0x2A, 0xAA, 0x8A)  # SCSI: READ and WRITE (6), (10), (12), (16)
TICK_NS = 1000
LOOKED_AT = 8  # records that tell the version
LAST_SECTOR = blocks.LARGEST_DEVICE // blocks.SECTOR - 1


def _version(start: bytes) -> int:
    """1 or 2; 0: neither."""
    for version, record in RECORDS.items():
        rows = np.frombuffer(start, record, min(len(start) // record.itemsize, LOOKED_AT))
        if len(rows) and (rows["ver"] >> 8 == version).all() and not _wrong(rows).any():
            return version
    return 0


def _wrong(rows: np.ndarray) -> np.ndarray:  # bool (rows,)
    return (rows["lbn"] > LAST_SECTOR) | (rows["len"] > blocks.LARGEST_REQUEST) | (rows["ts"] >= 1 << 60)


@format_of(
    "vscsi",
    side="memory",
    extensions=(".vscsi", ".vscsitrace"),
    what="disk requests of virtual machines: binary records of 32 or 40 bytes (version 1, 2), little-endian",
    source="Waldspurger et al., SHARDS, FAST 2015; libCacheSim, traceReader/customizedReader/vscsi.h",
    sample="u4 number, u4 bytes, u4 parts, u2 command, u2 version, u8 sector of 512 bytes, u8 time in us",
    records=lambda start: bool(_version(start)),
)
def vscsi(
    source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096, timed: Timed = False, speed: Speed = 1.0
) -> Tape:
    """SCSI's reads and writes; other commands are left out."""
    references = References(source, limit, timed, speed, TICK_NS)
    rest, number, record = b"", 0, RECORDS[1]
    for chunk in source.chunks():
        data = rest + chunk
        if not number:
            record = _record(source, data)
        rows = np.frombuffer(data, record, len(data) // record.itemsize)
        rest = data[rows.nbytes :]
        _add(source, references, rows, number, page_bytes)
        number += len(rows)
        if references.full:
            break
    if rest and not references.full:
        raise TapeError(
            f"{source.path} is cut short: {len(rest)} bytes follow record {number}; allowed: whole records of "
            f"{record.itemsize} bytes; fetch the file again, or take what is whole with limit={references.count}"
        )
    return references.tape(kept=blocks.WHOLE_PAGE, dropped="requests of no bytes; commands but reads and writes")


def _record(source: Source, start: bytes) -> np.dtype:
    version = _version(start)
    if not version:
        raise TapeError(f"{source.path} begins with {start[:40]!r}; allowed: records of vscsi version 1 or 2")
    return RECORDS[version]


def _add(source: Source, references: References, rows: np.ndarray, before: int, page_bytes: int) -> None:
    version = rows["ver"] >> 8
    wrong = _wrong(rows) | (version != (version[0] if len(rows) else 0))
    if wrong.any():
        raise TapeError(f"{source.path}, record {before + int(np.argmax(wrong)) + 1} is no request: another format?")
    write = np.isin(rows["cmd"], WRITES)
    known = write | np.isin(rows["cmd"], READS)
    references.drop("commands but reads and writes", np.count_nonzero(~known))
    rows, write = rows[known], write[known]
    start, time = rows["lbn"].astype(np.int64) * blocks.SECTOR, rows["ts"].astype(np.int64)
    blocks.add_requests(references, start, rows["len"].astype(np.int64), page_bytes, write, time)
