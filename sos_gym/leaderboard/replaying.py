"""A submission that holds code is run again in a process of its own, under limits, by who trusts it.

    python -m sos_gym.leaderboard.replaying FOLDER

prints a line of JSON for each row: what differs, or "". Limits of memory, time and the size of files keep a
mistake from taking the machine along. They are no jail: code runs as the user who starts it, and could print what it
likes, so that trust is asked for first.
"""

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sos_gym.leaderboard.submission import Submission, SubmissionError, read, verify
from sos_gym.settings.ranges import number_in

REFUSED = 3  # exit status: the text of a SubmissionError is the last line
FILE_BYTES = 256 << 20  # of any file that it writes: compiled kernels are kept on disk


@dataclass(frozen=True)
class Limits:
    """Of the process."""

    memory_gib: float = 8.0  # of addresses
    seconds: int = 1200  # of CPU, and by the clock

    def __post_init__(self) -> None:
        number_in("memory_gib", self.memory_gib, 1, 1024, whole=False, unit="GiB")
        number_in("seconds", self.seconds, 1, 1_000_000, unit="s")

    def apply(self) -> None:
        """To this process, for good."""
        limits = {
            resource.RLIMIT_AS: math.floor(self.memory_gib * 2**30),
            resource.RLIMIT_CPU: self.seconds,
            resource.RLIMIT_FSIZE: FILE_BYTES,
            resource.RLIMIT_CORE: 0,
        }
        for kind, limit in limits.items():
            resource.setrlimit(kind, (limit, limit))


def verify_apart(one: Submission, limits: Limits = Limits()) -> Iterator[str]:
    """As `verify`, in a process of its own.

    Raises:
        SubmissionError: as of `verify`; or the process ended before all rows were run: by a mistake, or at a limit.
    """
    words = [sys.executable, "-m", __name__, str(one.folder), str(limits.memory_gib), str(limits.seconds)]
    said = 0
    with _killed_after(limits.seconds, words) as process:
        for line in process.stdout or ():
            told = json.loads(line)
            if "refused" in told:
                raise SubmissionError(told["refused"])
            said += 1
            yield told["differs"]
    if said < len(one.rows):
        raise SubmissionError(f"{one.folder}: its process ended after {said} of {len(one.rows)} rows: {_end(process)}")


@contextlib.contextmanager
def _killed_after(seconds: int, words: list[str]) -> Iterator[subprocess.Popen]:
    """A process, whose stdout is read; it ends with this block at the latest."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        clock = threading.Timer(seconds, process.kill)
        clock.start()
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            clock.cancel()


def _end(process: subprocess.Popen) -> str:
    code = process.returncode
    if code >= 0:
        return f"exit status {code}; what it said stands above"
    return f"signal {signal.Signals(-code).name}; give it more with --memory-gib or --seconds"


def main(folder: str, memory_gib: str, seconds: str) -> None:
    """In the process of its own: what the policy prints goes to stderr."""
    Limits(float(memory_gib), int(seconds)).apply()
    with os.fdopen(os.dup(1), "w", buffering=1) as told:
        os.dup2(2, 1)
        try:
            for differs in verify(read(Path(folder))):
                print(json.dumps({"differs": differs}), file=told)
        except SubmissionError as error:
            print(json.dumps({"refused": str(error)}), file=told)
            sys.exit(REFUSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
