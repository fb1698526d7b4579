"""Address traces: accesses of a program to memory, by page."""

import numpy as np

from sos_gym.workload.tables import LONGEST_NS, TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import lackey
from sos_gym.workload.traces.formats.registry import Limit, PageBytes, format_of
from sos_gym.workload.traces.lines import Grammar, LineChunk, line_chunks
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

ABSENT = np.uint64(2**64 - 1)  # stands for a write-back that a line does not have
HIGHEST = 1 << 63  # bytes; no address is at or above
MOST_BUBBLES = 1 << 40
LONGEST_ACCESS = 1 << 16  # bytes; XSAVE with AMX stays under 12 KB
REMARKS = tuple(remark.decode() for remark in lackey.REMARKS)
INSTRUCTION_NS = 1  # as recorders.memory
WORK = f"COMPUTE of {INSTRUCTION_NS} ns per instruction, in grains of {lackey.GRAIN_NS} ns"


@format_of(
    "ramulator",
    side="memory",
    extensions=(".cputrace",),
    what="CPU trace: instructions before it, address read, address written back or nothing; decimal",
    source="Kim, Yang and Mutlu, Ramulator, IEEE CAL 2015; CMU-SAFARI/ramulator, README: CPU trace driven",
    sample="37 20734016 20734080",
    pattern=r"\s*\d+\s+\d+(\s+\d+)?\s*$",
    distinct=False,
)
def ramulator(source: Source, *, limit: Limit = None, page_bytes: PageBytes = 4096) -> Tape:
    """A line is a READ of one cache line and, with a third number, a WRITE of another."""
    fields = np.dtype([("bubbles", "i8"), ("read", "u8"), ("written", "u8")])
    grammar = Grammar(fields, completed=_with_write)
    references = References(source, limit)
    instructions = 0
    for chunk in line_chunks(source, grammar):
        rows = chunk.rows()
        bubbles, written = rows["bubbles"], rows["written"] != ABSENT
        chunk.refuse_if((bubbles < 0) | (bubbles > MOST_BUBBLES), f"the first number must be 0 to {MOST_BUBBLES}")
        high = (rows["read"] >= HIGHEST) | (written & (rows["written"] >= HIGHEST))
        chunk.refuse_if(high, f"an address must be under {HIGHEST}")
        before = instructions + np.cumsum(bubbles)
        instructions = int(before[-1]) if len(before) else instructions
        _refuse_long(source, instructions)
        pairs = np.stack((rows["read"], rows["written"]), 1) // np.uint64(page_bytes)
        made = np.stack((np.ones(len(rows), bool), written), 1)
        stamp_ns = np.repeat(before[:, None] * INSTRUCTION_NS, 2, 1)
        references.add(pairs[made], np.nonzero(made)[1] == 1, lines=1, stamp_ns=stamp_ns[made])
        if references.full:
            break
    return references.tape(
        think_ns=0,
        kept="a READ of one line per row, a WRITE of one line per write-back",
        dropped="which line of the page",
        instructions=f"{WORK}; memory instructions take no time of their own",
    )


def _with_write(line: str) -> str:
    return line if len(line.split()) != 2 else f"{line} {ABSENT}"


def _refuse_long(source: Source, instructions: int) -> None:
    if instructions * INSTRUCTION_NS > LONGEST_NS:
        raise TapeError(f"{source.path} has {instructions} instructions; allowed: up to {LONGEST_NS}; give a limit")


# -- lackey


@format_of(
    "lackey",
    side="memory",
    extensions=(".lackey",),
    what="valgrind --tool=lackey --trace-mem=yes: I fetch, L load, S store, M modify, address in hex, bytes",
    source="Valgrind manual, Lackey: an example tool; Nethercote and Seward, Valgrind, PLDI 2007",
    sample=" S 1ffefff7e0,8",
    pattern=r"(I  | [LSM] )[0-9a-fA-F]+,\d+$",
)
def from_lackey(source: Source, *, limit: Limit = None, page_bytes: PageBytes = 1 << lackey.PAGE_BITS) -> Tape:
    """Accesses to one page in a row are one reference, as the recorder has it, but none is dropped after that."""
    references = References(source, limit)
    runs = Runs(page_bytes)
    for chunk in line_chunks(source, Grammar(), comment=REMARKS):
        runs.read(chunk)
        runs.give(references)
        if references.full:
            break
    runs.give(references, last=True)
    return references.tape(
        think_ns=0,
        pages={page: {"file": 1} for page in runs.code(references.pages())},
        kept="instruction fetches and data, one thread; accesses to one page in a row are one reference",
        dropped="which of its lines were accessed, and in what order",
        instructions=WORK,
        file_pages="pages whose first access is an instruction fetch; mapped data files count as anonymous",
        accesses=runs.accesses,
    )


WIDTH = 64  # characters of a line that are looked at; a valid one has at most 3 + 16 + 1 + 9
HEX = np.full(256, -1, np.int8)
HEX[[*b"0123456789abcdef"]] = range(16)
HEX[[*b"ABCDEF"]] = range(10, 16)


class Runs:
    """Accesses to one page in a row, joined; the last run stays open until more is known."""

    def __init__(self, page_bytes: int) -> None:
        self.accesses = 0
        self._shift = page_bytes.bit_length() - 1 - lackey.LINE_BITS  # from the number of a line to that of its page
        self._instructions = 0
        self._fetched = [np.zeros(0, bool)]  # whether a run begins with a fetch
        none = np.zeros(0, np.int64)
        self._open: tuple[np.ndarray, ...] = (
            none,
            none,
            none == 1,
            none == 1,
        )  # of each access: line, instruction, written, fetched

    def code(self, pages: np.ndarray) -> list[int]:
        """Those of `pages`, one per run, whose first access is a fetch."""
        fetched = np.concatenate(self._fetched)
        if not fetched.any():
            return []
        known, first = np.unique(pages, return_index=True)
        return known[fetched[first]].tolist()

    def read(self, chunk: LineChunk) -> None:
        """The accesses of some lines, each to one line or to several that follow each other."""
        kind, start, end = _accesses(chunk)
        fetched = kind == lackey.FETCH
        instruction = self._instructions + np.cumsum(fetched)
        self._instructions = int(instruction[-1]) if len(instruction) else self._instructions
        first = (start >> np.uint64(lackey.LINE_BITS)).astype(np.int64)
        count = (end >> np.uint64(lackey.LINE_BITS)).astype(np.int64) - first + 1
        of = np.repeat(np.arange(len(first)), count)
        line = first[of] + np.arange(len(of)) - (np.cumsum(count) - count)[of]
        written = (kind == lackey.STORE) | (kind == lackey.MODIFY)
        self.accesses += len(of)
        more = line, instruction[of], written[of], fetched[of]
        self._open = tuple(np.concatenate(pair) for pair in zip(self._open, more, strict=True))

    def give(self, references: References, last: bool = False) -> None:
        """The runs that are over, as references; with `last`, all."""
        line, instruction, written, fetched = self._open
        if not len(line) or references.full:
            return
        page = line >> self._shift
        begins = np.append(0, np.flatnonzero(np.diff(page)) + 1)
        run = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(page))))
        touched = np.unique((run << self._shift) + (line & ((1 << self._shift) - 1)))  # a run's lines, each once
        lines = np.bincount(touched >> self._shift)
        stored = np.logical_or.reduceat(written, begins)
        if not last:
            rest = (touched[touched >> self._shift == run[-1]] & ((1 << self._shift) - 1)) + (page[-1] << self._shift)
            keep = np.full(len(rest), begins[-1])
            self._open = rest, instruction[keep], np.broadcast_to(stored[-1], rest.shape), fetched[keep]
            begins, lines, stored = begins[:-1], lines[:-1], stored[:-1]
        before = references.count
        stamp_ns = instruction[begins] * INSTRUCTION_NS
        references.add(page[begins], stored, lines, stamp_ns=stamp_ns)
        self._fetched.append(fetched[begins[: references.count - before]])


def _accesses(
    chunk: LineChunk,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # kind, first byte, last byte: u8 (lines,)
    """What `lackey.parsed` says of each line, all lines at once; it is asked where a line looks odd."""
    data = chunk.data()
    text = np.array(data, f"U{WIDTH}").view(np.uint32).reshape(-1, WIDTH)
    kind = np.where(text[:, 0] == lackey.FETCH, text[:, 0], text[:, 1]).astype(np.uint64)
    lead = np.where(text[:, 0] == lackey.FETCH, text[:, 1], text[:, 0])
    odd = ~np.isin(kind, list(lackey.KINDS)) | (lead != ord(" ")) | (text[:, 2] != ord(" ")) | (text[:, -1] != 0)
    address, size = np.zeros(len(data), np.uint64), np.zeros(len(data), np.uint64)
    digits = np.zeros((2, len(data)), np.int8)  # of the address, of the size
    comma = np.zeros(len(data), bool)
    for character in text[:, 3:].T:
        if not character.any():
            break
        value = HEX[character]
        number = value.astype(np.uint64)
        of_address, of_size = ~comma & (value >= 0), comma & (value >= 0) & (value < 10)
        address = np.where(of_address, address * np.uint64(16) + number, address)
        size = np.where(of_size, size * np.uint64(10) + number, size)
        digits += of_address, of_size
        odd |= (character != 0) & ~of_address & ~of_size & (comma | (character != ord(",")))
        comma |= character == ord(",")
    odd |= (digits[0] < 1) | (digits[0] > 16) | (digits[1] < 1) | (digits[1] > 9)
    end = address + np.maximum(size, np.uint64(1)) - np.uint64(1)
    for row in np.flatnonzero(odd).tolist():
        kind[row], address[row], end[row] = _odd(chunk, row)
    chunk.refuse_if(end - address >= LONGEST_ACCESS, f"an access must have 0 to {LONGEST_ACCESS} bytes")
    chunk.refuse_if(end < address, "the access must end below 2^64")
    return kind, address, end


def _odd(chunk: LineChunk, row: int) -> tuple[int, int, int]:
    number, line = chunk.line(row)
    try:
        kind, start, end = lackey.parsed(number, line.encode("latin-1"))
    except TapeError as error:
        raise TapeError(f"{chunk.source.path}, {error}") from None
    if not 0 <= start <= end < 1 << 64:
        chunk.refuse(row, "addresses must be 0 to 2^64 - 1")
    return kind, start, end
