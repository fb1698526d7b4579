"""What a family knows while it draws a tape: when a page is used next, how long a burst lasts.

Of a page, from an op of its thread on: the mean number of references to its next use (memoryless), or the op that uses
it next. Of a thread, from an op on: the mean rest of its bursts (memoryless), or how long they last, and how long if
they last longer.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from sos_gym.workload.tables import FORECAST, MEMORYLESS, PAGE_OPS, op_in

if TYPE_CHECKING:
    from sos_gym.workload.tape import Tape


class Known:
    """What a family says while it draws. Ops count from 0 in each thread; pages as the family calls them."""

    def __init__(self) -> None:
        self._programs: list[np.ndarray] = []
        self._rows: list[tuple[int, bool, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

    def programs(self, programs: list[np.ndarray]) -> None:
        """The programs that `Tape.build` is given."""
        self._programs = list(programs)

    def gaps(self, thread: int, at, pages, references) -> None:
        """From op `at` of `thread` on, mean references to the next use of each of `pages`."""
        self._add(thread, True, at, pages, np.maximum(np.rint(references), 1), MEMORYLESS)

    def next_uses(self, thread: int, at, pages, ops) -> None:
        """From op `at` of `thread` on, the op of that thread that uses each of `pages` next."""
        self._add(thread, True, at, pages, -1 - np.asarray(ops), MEMORYLESS)

    def bursts(self, thread: int, at, ns, then=MEMORYLESS) -> None:
        """From op `at` of `thread` on, how long its burst lasts: mean rest; GROWING; or in all, with `then`."""
        self._add(thread, False, at, 0, ns, then)

    def _add(self, thread: int, of_pages: bool, *columns: Any) -> None:
        at, names, value, then = np.broadcast_arrays(*(np.atleast_1d(column) for column in columns))
        self._rows.append((thread, of_pages, at, names, value, then))

    def rows(self, tape: "Tape") -> np.ndarray:  # FORECAST (rows,), by op
        """All of it, in the tape's own numbers."""
        mentioned = (part["arg"][op_in(part, PAGE_OPS)] for part in self._programs)
        names, first = np.unique(np.concatenate([np.zeros(0, np.int64), *mentioned]), return_index=True)
        page_of = tape.ops["arg"][op_in(tape.ops, PAGE_OPS)][first]
        parts = []
        for thread, of_pages, at, given, value, then in self._rows:
            part = np.zeros(len(at), FORECAST)
            part["at"] = tape.threads["first"][thread] + at
            absolute = of_pages & (value < 0)  # -1 - op of the thread becomes -1 - op of the tape
            part["value"], part["then"] = value - np.where(absolute, tape.threads["first"][thread], 0), then
            part["entity"] = thread
            if of_pages:
                place = np.searchsorted(names, given).clip(max=len(names) - 1)
                used = names[place] == given
                part["entity"] = len(tape.threads) + page_of[place]
                part = part[used]
            parts.append(part)
        rows = np.concatenate([np.zeros(0, FORECAST), *parts])
        return rows[np.argsort(rows["at"], kind="stable")]
