"""Record real programs as tapes.

    python -m sos_gym.workload.record memory -o sort.npz -- sort words.txt
    python -m sos_gym.workload.record cpu -o make.npz -- make -j4

`memory` needs valgrind; `cpu` needs root and tracefs, and records in an instance of its own.
"""

import argparse
import contextlib
import datetime
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sos_gym.workload import ftrace, lackey
from sos_gym.workload.layout import TapeError
from sos_gym.workload.tape import Tape

TRACEFS = Path("/sys/kernel/tracing")
BUFFER_KB = 32768  # per core; a -j4 build of a minute takes a fifth


@dataclass(frozen=True)
class About:
    """What the card says that cannot be measured."""

    name: str
    summary: str = ""
    program: str = ""  # with its version
    date: str = ""  # ISO; by default today

    def card(self, side: str, command: Sequence[str], source: str, **measured: object) -> dict:
        """The card of a recording."""
        program = Path(command[0]).name
        return {
            "name": self.name,
            "family": "recorded",
            "side": side,
            "summary": self.summary or f"A recorded run of {program}.",
            "source": source,
            "parameters": {},
            "recorded": True,
            "program": self.program or program,
            "command": shlex.join(command),
            "date": self.date or datetime.date.today().isoformat(),
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
            **measured,
        }


def record_memory(
    command: Sequence[str],
    about: About,
    references: int = 100_000,
    window_pages: int = 16,
    instruction_ns: int = 1,
    tool: str = "valgrind",
) -> Tape:
    """The page references of one program under valgrind's lackey, up to `references` kept ones."""
    with _lackey(_found(tool), command) as lines:
        trace = lackey.reduce(lines, window_pages, references)
    if not trace.kept:
        raise TapeError(f"{shlex.join(command)} gave no references; allowed: a program that valgrind can run")
    return lackey.tape(trace, instruction_ns, card=_memory_card(about, command, trace, instruction_ns, references))


@contextlib.contextmanager
def _lackey(tool: str, command: Sequence[str]) -> Iterator[Iterator[bytes]]:
    """Lackey's lines while the program runs; its own output is dropped. Leaving early ends it."""
    reader, writer = os.pipe()
    options = ["--tool=lackey", "--trace-mem=yes", "--basic-counts=no", f"--log-fd={writer}"]
    program = subprocess.Popen(
        [tool, *options, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=(writer,)
    )
    os.close(writer)
    try:
        with open(reader, "rb", buffering=1 << 20) as lines:
            yield lines
    finally:
        program.kill()
        program.wait()


def _memory_card(about: About, command, trace: lackey.Reduction, instruction_ns: int, references: int) -> dict:
    cut = len(trace.kept) >= references
    return about.card(
        "memory",
        command,
        "valgrind lackey, --trace-mem=yes",
        kept="instruction fetches and data, one thread, 4096-byte pages",
        dropped=(
            f"runs on one page are one reference; of three references to a page the middle one, if fewer than "
            f"{trace.window_pages} other pages come between the outer two (SAD: LRU and MIN misses stay exact from "
            f"{trace.window_pages} frames on); lines = distinct 64-byte lines of what was joined; an access across "
            "two lines counts for both; kernel work, system call buffers and child processes are not seen"
        ),
        time=f"COMPUTE of {instruction_ns} ns per instruction, in grains of 1 µs",
        end=f"cut after {references} kept references" if cut else "the whole run",
        file_pages="pages whose first access is an instruction fetch; mapped data files count as anonymous",
        accesses=trace.accesses,
        runs=trace.references,
        instructions=trace.instructions,
        references=len(trace.kept),
        footprint_pages=len({reference.page for reference in trace.kept.values()}),
        threads=1,
        window_pages=trace.window_pages,
    )


def record_cpu(command: Sequence[str], about: About, tracefs: Path = TRACEFS) -> Tape:
    """The schedule of a program and its descendants, from the kernel's scheduler trace."""
    with _instance(tracefs) as folder:
        root = _run_traced(command, folder)
        with open(folder / "trace", encoding="utf-8", errors="replace") as lines:
            schedule = ftrace.read(lines, root)
    return schedule.tape(_cpu_card(about, command, schedule))


@contextlib.contextmanager
def _instance(tracefs: Path) -> Iterator[Path]:
    """A trace buffer of our own, so that other tracing is left alone."""
    if not (tracefs / "instances").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", str(tracefs)], check=True)
    folder = tracefs / "instances" / f"sos_gym.{os.getpid()}"
    folder.mkdir()
    try:
        settings = {
            "tracing_on": 0,
            "trace_clock": "mono",
            "buffer_size_kb": BUFFER_KB,
            "options/overwrite": 0,
            "options/event-fork": 1,
        }
        for name, value in (settings | {f"events/{event}/enable": 1 for event in ftrace.EVENTS}).items():
            (folder / name).write_text(f"{value}\n")
        yield folder
    finally:
        folder.rmdir()


def _run_traced(command: Sequence[str], folder: Path) -> int:
    """Run to the end; the trace holds it and its descendants. Returns its pid."""
    stopped = ["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *command]
    program = subprocess.Popen(stopped, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.waitpid(program.pid, os.WUNTRACED)
    try:
        (folder / "set_event_pid").write_text(f"{program.pid}\n")
        (folder / "tracing_on").write_text("1\n")
        program.send_signal(signal.SIGCONT)
        if program.wait():
            raise TapeError(f"{shlex.join(command)} failed with status {program.returncode}; give a command that works")
        time.sleep(0.1)  # a zombie has yet to leave its core for the last time
    finally:
        program.kill()
        program.wait()
        (folder / "tracing_on").write_text("0\n")
    _refuse_lost(folder)
    return program.pid


def _refuse_lost(folder: Path) -> None:
    for stats in folder.glob("per_cpu/cpu*/stats"):
        told = dict(line.split(": ") for line in stats.read_text().splitlines() if ": " in line)
        lost = int(told["overrun"]) + int(told["dropped events"])
        if lost:
            raise TapeError(f"{stats.parent.name} lost {lost} events; allowed: 0; raise BUFFER_KB ({BUFFER_KB})")


def _cpu_card(about: About, command: Sequence[str], schedule: ftrace.Schedule) -> dict:
    return about.card(
        "cpu",
        command,
        "tracefs: " + ", ".join(event.replace("/", ":") for event in ftrace.EVENTS),
        kept="time on a core as COMPUTE; sleeps ended by a recorded task as WAIT and SIGNAL, a channel per pair",
        dropped=(
            "time on the run queue and the recorded placement; sleeps ended by timers, interrupts (softirqs too) or "
            "unrecorded tasks are SLEEPs from block to wake; page faults and system calls count as work; time stolen "
            "by interrupts or the hypervisor counts as work; time stamps are rounded to 1 µs"
        ),
        end="the whole run",
        cores=os.cpu_count(),
        **schedule.counts(),
    )


def _found(tool: str) -> str:
    path = shutil.which(tool)
    if not path:
        raise TapeError(f"tool {tool!r} is not installed; allowed: a program on PATH; install it, or give its path")
    return path


# -- command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Record one command into one file."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    split = words.index("--") if "--" in words else len(words)
    command = words[split + 1 :]
    given = _parser().parse_args(words[:split] if command else ["--help"])
    about = About(given.name or given.output.stem, given.summary, given.program, given.date)
    try:
        tape = _recorder(given)(command, about)
        print(tape.save(given.output), tape, f"{given.output.stat().st_size} bytes")
    except (TapeError, OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _recorder(given: argparse.Namespace) -> Callable[[Sequence[str], About], Tape]:
    if given.side == "cpu":
        return record_cpu
    return lambda command, about: record_memory(command, about, given.references, given.window_pages)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sos_gym.workload.record",
        usage="%(prog)s memory|cpu -o OUTPUT [options] -- COMMAND ...",
        description="record a program as a tape",
    )
    parser.add_argument("side", choices=("memory", "cpu"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--name", default="", help="default: the file's")
    parser.add_argument("--summary", default="")
    parser.add_argument("--program", default="", help="name and version, for the card")
    parser.add_argument("--date", default="", help="default: today")
    parser.add_argument("--references", type=int, default=100_000, help="memory: stop after so many")
    parser.add_argument("--window-pages", type=int, default=16, help="memory: see lackey.py; 1 joins runs only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
