"""Signals that end a recorder: they are noted, it puts away what it started, and then they do what they always do.

A handler that raised could strike between a program's start and the note of it, or within the putting away itself.
So the handlers raise nothing, and the recorders ask, several times a second, whether to go on.
"""

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
Item = TypeVar("Item")

_came: list[int] = []  # since the handlers were set


class Ended(KeyboardInterrupt):
    """A signal asks the recorder to end."""


@contextlib.contextmanager
def signals_noted() -> Iterator[None]:
    """Put signals off until the block is over; `go_on` raises where they may end it. A signal ignored before stays so.

    Only the main thread can set handlers; in another nothing changes.
    """
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}
    if threading.current_thread() is not threading.main_thread() or _note in handlers.values():
        yield  # whoever notes already hands them on
        go_on()
        return
    heard = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in heard:
        signal.signal(number, _note)
    try:
        yield
        go_on()
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
        first = _came[:1]
        _came.clear()
        for number in first:
            signal.raise_signal(number)  # by default it ends the process here


def _note(number: int, _frame: object) -> None:
    _came.append(number)


def go_on() -> None:
    """Nothing, unless a signal came.

    Raises:
        Ended: one came.
    """
    if _came:
        raise Ended(signal.Signals(_came[0]).name)


def while_going_on(items: Iterable[Item]) -> Iterator[Item]:
    """The items, until a signal comes."""
    for item in items:
        go_on()
        yield item
