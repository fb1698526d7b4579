"""The tape of a stream of references: one thread that makes them one after the other."""

from collections.abc import Iterator

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.tables import DEFAULT_LINES, LONGEST_NS, OPS, TOUCH_OPS, TapeError, op_in
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import lackey
from sos_gym.workload.traces.source import Source

NS_PER_REFERENCE = 100  # as Tape.from_references
MOST_REFERENCES = 1 << 28  # 4 GiB of ops


class References:
    """References as they come; `full` once there are `limit` of them."""

    def __init__(
        self, source: Source, limit: int | None, timed: bool = False, speed: float = 1.0, tick_ns: int = 1
    ) -> None:
        self.count = 0
        self.late = 0  # arrivals that the file tells after a later one
        self.dropped: dict[str, int] = {}
        self._source, self._limit = source, limit
        self._timed, self._speed, self._tick_ns = timed, speed, tick_ns
        self._parts: list[np.ndarray] = []  # OPS
        self._first: int | None = None  # arrival, in ticks
        self._now = 0  # the latest arrival so far, in ticks since the first
        self._done_ns = 0  # work that is in

    @property
    def full(self) -> bool:
        """Whether nothing more is wanted."""
        return self._limit is not None and self.count >= self._limit

    def drop(self, what: str, count: int | np.integer) -> None:
        """Account for what does not become a reference."""
        if count:
            self.dropped[what] = self.dropped.get(what, 0) + int(count)

    def add(self, page, write=False, lines=DEFAULT_LINES, time=None, stamp_ns=None) -> None:
        """Some more: a page each, whether it is written, line accesses.

        `time`: when each arrives, in ticks; `stamp_ns`: work of the program before each, put in as COMPUTE.
        """
        rows = np.zeros(len(page) if self._limit is None else min(len(page), self._limit - self.count), OPS)
        rows["arg"] = page[: len(rows)]
        for name, value in (("op", np.where(write, Op.WRITE, Op.READ)), ("lines", lines)):
            rows[name] = value if np.ndim(value) == 0 else value[: len(rows)]
        self.count += len(rows)
        if self.count > MOST_REFERENCES:
            raise TapeError(f"{self._source.path} has over {MOST_REFERENCES} references; import fewer, with limit")
        if time is not None:
            rows = self._arriving(rows, time[: len(rows)])
        if stamp_ns is not None:
            rows, self._done_ns = lackey.with_work(rows, stamp_ns[: len(rows)], done_ns=self._done_ns)
        self._parts.append(rows)

    def _arriving(self, rows: np.ndarray, time: np.ndarray) -> np.ndarray:
        """With a SLEEP_UNTIL wherever a reference comes later than all before it; the first one comes at 0."""
        if not len(rows):
            return rows
        self._first = int(time[0]) if self._first is None else self._first
        latest = np.maximum.accumulate(np.append(self._now, time - self._first))
        self.late += int(np.count_nonzero(time - self._first < latest[:-1]))
        self._now = int(latest[-1])
        if not self._timed:
            return rows
        scale = self._tick_ns / self._speed
        if self._now * scale > LONGEST_NS:
            raise TapeError(
                f"{self._source.path} spans {self._now * scale:.3g} ns; allowed: up to {LONGEST_NS}; "
                "raise speed, or give a limit"
            )
        at_ns = latest * self._tick_ns if self._speed == 1 else np.rint(latest * scale).astype(np.int64)
        later = np.flatnonzero(np.diff(at_ns))
        waits = np.zeros(len(later), OPS)
        waits["op"], waits["arg"] = Op.SLEEP_UNTIL, at_ns[1:][later]
        return np.insert(rows, later, waits)

    def pages(self) -> np.ndarray:  # int64 (count,)
        """The page of each."""
        return np.concatenate([np.zeros(0, np.int64), *(part["arg"][op_in(part, TOUCH_OPS)] for part in self._parts)])

    def tape(self, think_ns: int = NS_PER_REFERENCE, pages: dict | None = None, **said: object) -> Tape:
        """All of them as a tape; what was gathered is given up. `said` goes into the card.

        Raises:
            TapeError: there are none.
        """
        if not self.count:
            raise TapeError(f"{self._source.path} holds no references; allowed: at least one; is it the right format?")
        time = "arrivals are SLEEP_UNTIL; between them " if self._timed else ""
        card = self._source.card(
            **said,
            time=f"{time}references are back to back, {think_ns} ns each",
            end=f"cut after {self.count} references" if self.full else "the whole file",
            references=self.count,
            left_out=self.dropped,
            out_of_order=self.late,
            threads=1,
        )
        return Tape.build(self._program(), think_ns=think_ns, pages=pages, card=card)

    def _program(self) -> Iterator[np.ndarray]:
        """Once, and kept by nobody: a long trace fits into memory a few times only."""
        whole = np.concatenate(self._parts)
        self._parts.clear()
        yield whole
