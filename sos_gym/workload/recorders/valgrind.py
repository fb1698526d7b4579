"""What lackey says of a process while it runs, through all the programs that it becomes.

A wrapper (a version manager's shim, `env`, `sh -c`) replaces itself by another program. Valgrind follows if it is told
to trace children, opens its log anew for every program, and every process writes a log of its own: so the log is a
socket, whose connections are told apart by the process that their first line names. Those of children are counted,
and what they say is dropped.
"""

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sos_gym.workload.recorders.ending import go_on

OPTIONS = (
    "--tool=lackey",
    "--trace-mem=yes",
    "--trace-sched=yes",
    "--basic-counts=no",
    "--trace-children=yes",
    "--child-silent-after-fork=yes",
)
PROCESS = re.compile(rb"==(\d+)== ")
MOST_BYTES = 1 << 20  # taken from a connection at once
POLL_S = 0.1


@dataclass
class _Log:
    """One connection: one program of one process."""

    connection: socket.socket
    process: int | None = None  # as soon as its first line is in
    rest: bytes = b""  # of a line that is not whole yet
    over: bool = False


class Running:
    """A command under lackey, in a session of its own, so that it ends with all that it started."""

    def __init__(self, tool: str, command: Sequence[str]):
        self.children: set[int] = set()  # processes whose references are dropped
        self._now: _Log | None = None  # of the program that the process is
        self._server = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        where = f"--log-socket=127.0.0.1:{self._server.getsockname()[1]}"
        self._program = subprocess.Popen(
            [tool, *OPTIONS, where, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def lines(self) -> Iterator[bytes]:
        """Lackey's lines of the process, as they come, until it has ended and all are read, or a signal came."""
        while True:
            go_on()
            ended = self._program.poll() is not None  # asked before reading: nothing comes after
            ready = self._selector.select(0 if ended else POLL_S)
            for key, _ in ready:
                if key.fileobj is self._server:
                    self._accept()
                elif not key.data.over:
                    yield from self._read(key.data)
            if ended and all(key.data and key.data.process not in (None, self._program.pid) for key, _ in ready):
                return  # children may go on for ever

    def _accept(self) -> None:
        log = _Log(self._server.accept()[0])
        self._selector.register(log.connection, selectors.EVENT_READ, log)

    def _read(self, log: _Log) -> Iterator[bytes]:
        received = log.connection.recv(MOST_BYTES)
        log.rest += received
        if log.process is None and (names := PROCESS.match(log.rest)):
            log.process = int(names[1])
            if log.process == self._program.pid:
                yield from self._become(log)
            else:
                self.children.add(log.process)
        if log is self._now:
            *whole, log.rest = log.rest.split(b"\n")
            yield from whole
        elif log.process is not None:
            log.rest = b""
        if not received:
            if log is self._now and log.rest:
                yield log.rest
            self._selector.unregister(log.connection)
            log.connection.close()
            log.over = True

    def _become(self, log: _Log) -> Iterator[bytes]:
        """The process is another program now: all that the one before has said is there to be read."""
        before = self._now
        while before and not before.over and _has_more(before.connection):
            yield from self._read(before)
        self._now = log

    def close(self) -> None:
        """End it, and its children that left its session and still have their log open."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._program.pid, signal.SIGKILL)
        self._program.wait()
        self._meet()
        for key in list(self._selector.get_map().values()):
            if key.data and key.data.process in self.children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(key.data.process, signal.SIGKILL)
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _meet(self) -> None:
        """Learn who opened a log since the last look."""
        while _has_more(self._server):
            self._accept()
        for key in list(self._selector.get_map().values()):
            if key.data and key.data.process is None and _has_more(key.data.connection):
                for _ in self._read(key.data):
                    pass


def _has_more(connection: socket.socket) -> bool:
    """Whether reading or accepting gives something, the end included, at once."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))
