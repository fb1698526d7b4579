"""Block traces: requests for ranges of a device. A request is one reference to each page that it covers."""

import numpy as np

from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, Speed, Timed, format_of
from sos_gym.workload.traces.lines import Grammar, LineChunk, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

SECTOR = 512  # bytes
LARGEST_REQUEST = 1 << 30  # bytes; the largest of MSR's are some MB
LARGEST_DEVICE = 1 << 52  # bytes, 4 PiB; what lies beyond is an error of the file
MOST_DEVICES = 1000  # in one file
BATCH = 1 << 20  # references made at once
TICK_NS = 100  # of a Windows file time
LINE_BYTES = 64
WHOLE_PAGE = "a request is one reference to each page that it covers, of all lines of the page"


@format_of(
    "arc",
    side="memory",
    extensions=(".lis",),
    what="disk requests: first block, number of blocks of 512 bytes, ignored, request number; all reads",
    source="Megiddo and Modha, ARC: a self-tuning, low overhead replacement cache, FAST 2003; "
    "fields: moka-rs/cache-trace, arc/README.md",
    sample="110765 64 0 0",
    pattern=r"\s*\d+\s+\d+\s+\d+\s+\d+\s*$",
    distinct=False,
)
def arc(source: Source, *, limit: Limit = None, page_bytes: PageBytes = SECTOR) -> Tape:
    """A page is a block of 512 bytes, as in the paper."""
    grammar = Grammar(np.dtype([("block", "i8"), ("blocks", "i8"), ("ignored", "i8"), ("number", "i8")]))
    references = References(source, limit)
    for chunk in line_chunks(source, grammar):
        rows = chunk.rows()
        check_requests(chunk, rows["block"], rows["blocks"], SECTOR, SECTOR)
        add_requests(references, rows["block"] * SECTOR, rows["blocks"] * SECTOR, page_bytes)
        if references.full:
            break
    return references.tape(kept=WHOLE_PAGE, dropped="times are not recorded; requests of no blocks")


@format_of(
    "spc",
    side="memory",
    extensions=(".spc",),
    what="disk requests: unit, block of 512 bytes, size in bytes, r or w, time in seconds; more fields are ignored",
    source="Storage Performance Council, SPC trace file format specification 1.0.1, 2002 (UMass: Financial, WebSearch)",
    sample="0,303567,3584,w,0.026214",
    pattern=r"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*,\s*[rRwW]\s*,\s*[\d.]+",
)
def spc(
    source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096, timed: Timed = False, speed: Speed = 1.0
) -> Tape:
    """Each unit (ASU) has pages of its own."""
    fields = [("unit", "i8"), ("block", "i8"), ("bytes", "i8"), ("op", "S8"), ("time", "f8")]
    grammar = Grammar(np.dtype(fields), tuple(range(5)), ",")
    references = References(source, limit, timed, speed)
    for chunk in line_chunks(source, grammar):
        rows = chunk.rows()
        op = np.char.lower(np.char.strip(rows["op"]))
        chunk.refuse_if((op != b"r") & (op != b"w"), "the fourth field must be r or w")
        chunk.refuse_if((rows["unit"] < 0) | (rows["unit"] > MOST_DEVICES), f"the unit must be 0 to {MOST_DEVICES}")
        check_requests(chunk, rows["block"], rows["bytes"], SECTOR, 1)
        start = rows["unit"] * LARGEST_DEVICE + rows["block"] * SECTOR
        add_requests(references, start, rows["bytes"], page_bytes, op == b"w", chunk.nanoseconds(rows["time"]))
        if references.full:
            break
    return references.tape(kept=WHOLE_PAGE, dropped="requests of no bytes; further fields")


MSR_HEADER = "timestamp,hostname,disknumber,type,offset,size,responsetime"
MSR_SPACED = MSR_HEADER.replace(",", r",\s*")  # regular expression of it


@format_of(
    "msr",
    side="memory",
    extensions=(".csv", ".msr"),
    what="disk requests: time in 100 ns, host, disk, Read or Write, offset and size in bytes, response time",
    source="Narayanan, Donnelly and Rowstron, Write off-loading, FAST 2008; SNIA IOTTA 388, README: Windows filetime",
    sample="128166372003061629,hm,1,Read,383496192,32768,413",
    pattern=rf"\d+,[^,]*,\d+,(Read|Write),\d+,\d+,\d+$|(?i:{MSR_SPACED})$",
)
def msr(
    source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096, timed: Timed = False, speed: Speed = 1.0
) -> Tape:
    """Each disk of each host has pages of its own."""
    names = "time", "host", "disk", "op", "offset", "bytes", "response"
    fields = np.dtype(list(zip(names, ("i8", "S64", "i8", "S8", "i8", "i8", "i8"), strict=True)))
    grammar = Grammar(fields, None, ",")
    references = References(source, limit, timed, speed, TICK_NS)
    disks: dict[tuple, int] = {}
    for chunk in line_chunks(source, grammar):
        if (data := chunk.data()) and data[0].lower().replace(" ", "") == MSR_HEADER:
            chunk.drop_first()
        rows = chunk.rows()
        write = rows["op"] == b"Write"
        chunk.refuse_if(~write & (rows["op"] != b"Read"), "the fourth field must be Read or Write")
        chunk.refuse_if(rows["time"] < 0, "time must be at least 0 (a Windows filetime, in units of 100 ns)")
        check_requests(chunk, rows["offset"], rows["bytes"], 1, 1)
        disk = _disk(rows, disks)
        chunk.refuse_if(disk > MOST_DEVICES, f"the file may have at most {MOST_DEVICES} disks")
        start = disk * LARGEST_DEVICE + rows["offset"]
        add_requests(references, start, rows["bytes"], page_bytes, write, rows["time"])
        if references.full:
            break
    return references.tape(kept=WHOLE_PAGE, dropped="requests of no bytes; response times", disks=len(disks))


def _disk(rows: np.ndarray, disks: dict[tuple, int]) -> np.ndarray:  # int64 (rows,)
    """The number of each row's disk, in order of first mention; `disks` remembers them."""
    known, which = np.unique(rows[["host", "disk"]], return_inverse=True)
    return np.array([disks.setdefault(disk, len(disks)) for disk in known.tolist()], np.int64)[which]


# -- requests to references


def check_requests(chunk: LineChunk, start: np.ndarray, size: np.ndarray, start_bytes: int, size_bytes: int) -> None:
    """Refuse what no device has; `start` and `size` are in units of so many bytes."""
    last = LARGEST_DEVICE // start_bytes - 1
    chunk.refuse_if((start < 0) | (start > last), f"the address must be 0 to {last}")
    largest = LARGEST_REQUEST // size_bytes
    chunk.refuse_if((size < 0) | (size > largest), f"the size must be 0 to {largest}")


def add_requests(references: References, start, size, page_bytes: int, write=None, time=None) -> None:
    """References to the pages of byte ranges; `write` and `time` are per request, or None."""
    references.drop("requests of size 0", np.count_nonzero(size == 0))
    kept = np.flatnonzero(size)
    first = start[kept] // page_bytes
    pages = (start[kept] + size[kept] - 1) // page_bytes - first + 1
    done = np.append(0, np.cumsum(pages))
    begin = 0
    while begin < len(kept) and not references.full:
        end = max(begin + 1, int(np.searchsorted(done, done[begin] + BATCH, side="right")) - 1)
        request = np.repeat(np.arange(begin, end), pages[begin:end])
        page = first[request] + np.arange(len(request)) - (done[request] - done[begin])
        of = kept[request]
        references.add(
            page,
            False if write is None else write[of],
            page_bytes // LINE_BYTES,
            None if time is None else time[of],
        )
        begin = end
