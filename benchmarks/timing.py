"""Seconds of several ways to do one piece of work, in turns."""

import statistics
import time
from collections.abc import Callable
from typing import Any

Way = Callable[[], tuple[float, Any]]  # seconds, and the answer


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, and what it returned."""
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def alternate(rounds: int, ways: dict[str, Way]) -> dict[str, tuple[list[float], Any]]:
    """Each way once per round: its seconds, and its answer, which must not change.

    Raises:
        RuntimeError: an answer changed.
    """
    found: dict[str, tuple[list[float], Any]] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds, answer = way()
            times, first = found.setdefault(name, ([], answer))
            if answer != first:
                raise RuntimeError(f"{name} answered {first}, then {answer}")
            times.append(seconds)
    return found


def ratio(theirs: list[float], ours: list[float]) -> float:
    """How many times as long theirs took: the median over rounds."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


class Stopwatch:
    """Seconds inside some methods."""

    def __init__(self, owner: Any, *names: str):
        self.seconds = 0.0
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, method):
        def call(*args, **keywords):
            start = time.perf_counter()
            found = method(*args, **keywords)
            self.seconds += time.perf_counter() - start
            return found

        return call
