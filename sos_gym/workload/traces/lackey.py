"""Page references from the lines of valgrind's lackey.

Lackey says one line per instruction and per access: `I  04001000,3`, ` L 1ffeffe7e0,8`, ` S …`, ` M …` (address in
hex, bytes). Runs on one page become one reference, and references that cannot matter are dropped: of three to one page
the middle one, if fewer than `window_pages` other pages are touched from the first to the last. That leaves the misses
of LRU and MIN exact for every memory of at least `window_pages` frames (SAD: Kaplan, Smaragdakis and Wilson, Trace
reduction for virtual memory simulations, SIGMETRICS 1999).
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.tables import OPS, TapeError
from sos_gym.workload.tape import Tape

PAGE_BITS, LINE_BITS = 12, 6  # 4096-byte pages, 64-byte lines
GRAIN_NS = 1000  # least COMPUTE between two references
FETCH, STORE, MODIFY = ord("I"), ord("S"), ord("M")
KINDS = b"ILSM"
SCHEDULED = re.compile(rb"--\d+--\s+SCHED\[(\d+)\]:\s+acquired lock")
IMAGE = re.compile(rb"==\d+== Lackey,")  # the first line of a program; exec begins another one in the same process
IMAGE_BITS = 64 - PAGE_BITS  # pages of other programs are other pages
REMARKS = (b"==", b"--", b"SCHEDSETJMP")  # what valgrind itself says
PROGRESS_LINES = (1 << 16) - 1  # progress is told once per so many


@dataclass(slots=True)
class Reference:
    """A run of accesses to one page, and what was dropped into it."""

    page: int
    instruction: int  # instructions begun before it
    lines: int  # bit i: line i of the page was accessed
    written: bool


@dataclass
class Reduction:
    """A thread's trace while it is being reduced."""

    window_pages: int  # >= 1; 1 drops nothing but runs
    kept: dict[int, Reference] = field(default_factory=dict)  # by number, in order
    code: set[int] = field(default_factory=set)  # pages first touched by a fetch
    references: int = 0  # runs so far
    accesses: int = 0
    instructions: int = 0
    _now: Reference | None = None
    _ends: dict[int, tuple[int, int]] = field(default_factory=dict)  # page -> (first, middle) of three
    _recent: OrderedDict[int, int] = field(default_factory=OrderedDict)  # page -> number, window_pages + 1 of them

    def access(self, page: int, line: int, kind: int) -> None:
        """One access of one line."""
        self.accesses += 1
        now = self._now
        if now is None or now.page != page:
            now = self._now = self._reference(page, kind)
        now.lines |= 1 << line
        if kind in (STORE, MODIFY):
            now.written = True

    def _reference(self, page: int, kind: int) -> Reference:
        number = self.references
        self.references += 1
        reference = Reference(page, self.instructions, 0, False)
        if page not in self._ends:
            self._ends[page] = (number, number)
            if kind == FETCH:
                self.code.add(page)
        else:
            self._drop_middle(page, number, reference)
        self.kept[number] = reference
        self._remember(page, number)
        return reference

    def _drop_middle(self, page: int, number: int, reference: Reference) -> None:
        first, middle = self._ends[page]
        if first != middle and not self._crowded_since(first):
            dropped = self.kept.pop(middle)
            reference.lines |= dropped.lines
            reference.written |= dropped.written
            self._ends[page] = (first, number)
        else:
            self._ends[page] = (middle, number)

    def _crowded_since(self, number: int) -> bool:
        """Whether at least window_pages other pages were touched since reference `number`."""
        oldest = next(iter(self._recent.values()))
        return len(self._recent) > self.window_pages and oldest > number

    def _remember(self, page: int, number: int) -> None:
        self._recent[page] = number
        self._recent.move_to_end(page)
        if len(self._recent) > self.window_pages + 1:
            self._recent.popitem(last=False)


@dataclass
class Trace:
    """The references of a program, thread by thread in order of creation; each thread's are reduced on their own."""

    window_pages: int
    threads: list[Reduction] = field(default_factory=list)
    images: int = 0  # programs that the process was
    children: int = 0  # processes that it started, whose references are not here
    _running: dict[int, Reduction] = field(default_factory=dict)  # by valgrind's number, which is used again

    def thread(self, number: int, starts: bool = False) -> Reduction:
        """The thread of that number; one that starts is another than the one that had its number before."""
        if starts or number not in self._running:
            self._running[number] = Reduction(self.window_pages)
            self.threads.append(self._running[number])
        return self._running[number]

    def becomes(self) -> Reduction:
        """Another program: its first thread goes on for the process, the others are over."""
        self.images += 1
        self._running = {1: self.thread(1)}
        return self._running[1]

    @property
    def kept(self) -> int:
        """References so far."""
        return sum(len(thread.kept) for thread in self.threads)

    @property
    def pages(self) -> set[int]:
        """All that are referenced."""
        return {reference.page for thread in self.threads for reference in thread.kept.values()}


def reduce(
    lines: Iterable[bytes],
    window_pages: int,
    references: int,
    skip: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Read lackey's lines until `references` are kept, told as they come; the first `skip` lines are not looked at.

    Which thread runs is known with --trace-sched=yes; without it there is one. Other words of valgrind are passed over.
    """
    trace = Trace(window_pages)
    thread, others, began = trace.becomes(), 0, False
    for number, line in enumerate(lines, 1):
        if line.startswith(REMARKS) or not line.strip():
            if began and IMAGE.match(line):
                thread, began = trace.becomes(), False
                others = trace.kept - len(thread.kept)
            elif scheduled := SCHEDULED.match(line):
                begins = b"new thread" in line and began  # the first one is thread 1
                thread = trace.thread(int(scheduled[1]), begins)
                others = trace.kept - len(thread.kept)
            continue
        began = True
        if number <= skip:
            continue
        kind, start, end = parsed(number, line)
        if kind == FETCH:
            thread.instructions += 1
        space = (trace.images - 1) << IMAGE_BITS
        first, last = start >> LINE_BITS, end >> LINE_BITS
        for at in range(first, last + 1):
            thread.access(space | at >> (PAGE_BITS - LINE_BITS), at & 63, kind)
            if others + len(thread.kept) >= references:
                return trace
        if progress and not number & PROGRESS_LINES:
            progress(others + len(thread.kept))
    return trace


def parsed(number: int, line: bytes) -> tuple[int, int, int]:  # kind, first and last byte
    """One line."""
    try:
        kind = line[0] if line[0] == FETCH else line[1]
        if kind not in KINDS:
            raise ValueError
        address, size = line[3:].split(b",")
        start, length = int(address, 16), int(size)
        if start < 0 or length < 0:
            raise ValueError
        return kind, start, start + max(length, 1) - 1
    except (ValueError, IndexError):
        raise TapeError(
            f"line {number} is {line[:60]!r}; allowed: 'I  hex,bytes', ' L hex,bytes', ' S …', ' M …'; "
            "run valgrind with --tool=lackey --trace-mem=yes"
        ) from None


def rows_of(thread: Reduction) -> tuple[np.ndarray, np.ndarray]:  # OPS (references,), int64 (references,)
    """A thread's kept references, and the instructions that it began before each."""
    kept = list(thread.kept.values())
    rows = np.zeros(len(kept), OPS)
    rows["op"] = [Op.WRITE if reference.written else Op.READ for reference in kept]
    rows["arg"] = [reference.page for reference in kept]
    rows["lines"] = [reference.lines.bit_count() for reference in kept]
    return rows, np.array([reference.instruction for reference in kept], np.int64)


def file_pages(trace: Trace) -> dict[int, dict[str, int]]:
    """The pages that a thread first touched by a fetch, as `Tape.build` takes them."""
    return {page: {"file": 1} for thread in trace.threads for page in thread.code & trace.pages}


def tape(trace: Trace, instruction_ns: int = 1, grain_ns: int = GRAIN_NS, card: dict | None = None) -> Tape:
    """A thread of one process for each, which makes its kept references with COMPUTE between them."""
    programs = []
    for thread in trace.threads:
        rows, instructions = rows_of(thread)
        programs.append(with_work(rows, instructions * instruction_ns, grain_ns)[0])
    return Tape.build(programs, owner=0, pages=file_pages(trace), card=card)


def with_work(
    rows: np.ndarray, stamp_ns: np.ndarray, grain_ns: int = GRAIN_NS, done_ns: int = 0
) -> tuple[np.ndarray, int]:
    """OPS rows with COMPUTE between them, and the work that is in by then.

    `stamp_ns` is the work before each row, of which `done_ns` is in already. Work is put in as soon as `grain_ns` of
    it have come together: it is off by less than that everywhere.
    """
    due_ns = np.append(done_ns, stamp_ns // grain_ns * grain_ns)
    work_ns = np.diff(due_ns)
    work = np.zeros(np.count_nonzero(work_ns), OPS)
    work["op"], work["arg"] = Op.COMPUTE, work_ns[work_ns > 0]
    return np.insert(rows, np.flatnonzero(work_ns), work), int(due_ns[-1])
