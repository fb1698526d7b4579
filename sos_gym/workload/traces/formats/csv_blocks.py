"""Block traces as CSV: offset, size and op, or whatever order a header names."""

import numpy as np

from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats import blocks
from sos_gym.workload.traces.formats.csv_requests import (
    READS,
    WRITES,
    delimiter_of,
    drop_comments,
    fields_of,
    first_plain,
    names_in,
    refuse_widths,
    table_of,
)
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, Speed, Timed, format_of
from sos_gym.workload.traces.lines import Grammar, LineChunk, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

NAMES = {  # how headers call them
    "offset": ("offset", "offset_bytes", "byte_offset"),
    "size": ("size", "length", "len", "bytes", "size_bytes", "io_size"),
    "op": ("op", "opcode", "operation", "type", "iotype", "io_type", "rw"),
    "time": ("time", "timestamp", "ts"),
    "device": ("device", "device_id", "disk", "disk_id", "volume", "volume_id", "volumeid", "dev"),
}
NO_ACCESS = (b"d", b"discard", b"trim", b"unmap", b"f", b"flush")  # they are left out, and counted
HEADLESS = {"offset": 1, "size": 2, "op": 3}
KINDS = {"offset": "i8", "size": "i8", "op": "S", "time": "f8", "device": "S"}


@format_of(
    "blockcsv",
    side="memory",
    extensions=(".csv",),
    what="disk requests: offset and size in bytes, r or w; or a header names offset, size, op, time in s, device",
    source="docs/importing.md",
    sample="383496192,32768,r",
    pattern=r"\s*\d+\s*[,;|\t]\s*\d+\s*[,;|\t]\s*(?i:r|w|read|write)\s*$",
    head=r"(?i:(?=.*\boffset\b|.*\boffset_bytes\b|.*\bbyte_offset\b)(?!timestamp,\s*hostname,)\W*[a-z_]\w*\W)",
)
def csv_blocks(
    source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096, timed: Timed = False, speed: Speed = 1.0
) -> Tape:
    """Each device has pages of its own; without an op all requests are reads."""
    references = References(source, limit, timed, speed, 1)
    places: dict[str, int] = {}
    devices: dict[bytes, int] = {}
    delimiter, header, width = ",", "none", 0
    for chunk in line_chunks(source, Grammar(), comment=""):
        if not width and not chunk.is_empty():
            delimiter = delimiter_of(first_plain(chunk.data()))
            width = len(fields_of(first_plain(chunk.data()), delimiter))
        references.drop("comments", drop_comments(chunk, delimiter, width))
        if chunk.is_empty():
            continue
        if not places:
            places, header = _places(chunk, delimiter, timed)
        refuse_widths(chunk, delimiter, width)
        _add(references, chunk, table_of(chunk, delimiter, places, KINDS), devices, page_bytes)
        if references.full:
            break
    dropped = "requests of no bytes; further columns" + ("" if "op" in places else "; whether they read or write")
    return references.tape(kept=blocks.WHOLE_PAGE, dropped=dropped, header=header, disks=max(len(devices), 1))


def _places(chunk: LineChunk, delimiter: str, timed: bool) -> tuple[dict[str, int], str]:
    """Columns from 1, by the names of the header, and the header, which is taken away."""
    header = chunk.data()[0]
    if "offset" not in header.lower():
        if timed:
            chunk.refuse(0, "without a header no times are known")
        return HEADLESS, "none"
    names = names_in(header, delimiter)
    found = {kind: names.index(n) + 1 for kind, those in NAMES.items() for n in reversed(those) if n in names}
    if "offset" not in found or "size" not in found:
        chunk.refuse(0, f"the header must name {' or '.join(NAMES['offset'])}, and {' or '.join(NAMES['size'])}")
    if timed and "time" not in found:
        chunk.refuse(0, f"with timed the header must name {' or '.join(NAMES['time'])}, in seconds")
    chunk.drop_first()
    return found if timed else {kind: place for kind, place in found.items() if kind != "time"}, header


def _add(references: References, chunk: LineChunk, rows: np.ndarray, devices: dict, page_bytes: int) -> None:
    blocks.check_requests(chunk, rows["offset"], rows["size"], 1, 1)
    names, start = rows.dtype.names or (), rows["offset"]
    write, access, time = np.zeros(len(rows), bool), np.ones(len(rows), bool), None
    if "op" in names:
        op = np.char.lower(np.char.strip(rows["op"]))
        write, access = np.isin(op, WRITES), ~np.isin(op, NO_ACCESS)
        wrong = access & ~write & ~np.isin(op, READS)
        chunk.refuse_if(wrong, "op must be r, read, w, write, discard, trim or flush")
        references.drop("discards and flushes", np.count_nonzero(~access))
    if "device" in names:
        known, which = np.unique(rows["device"], return_inverse=True)
        device = np.array([devices.setdefault(name, len(devices)) for name in known.tolist()], np.int64)[which]
        chunk.refuse_if(device > blocks.MOST_DEVICES, f"the file may have at most {blocks.MOST_DEVICES} devices")
        start = start + device * blocks.LARGEST_DEVICE
    if "time" in names:
        time = chunk.nanoseconds(rows["time"])[access]
    blocks.add_requests(references, start[access], rows["size"][access], page_bytes, write[access], time)
