"""The schedule of a program and its descendants, from the kernel's scheduler trace."""

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sos_gym.workload.recorders import affinity
from sos_gym.workload.recorders.about import About, CountProgress
from sos_gym.workload.recorders.ending import go_on, signals_noted, while_going_on
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import ftrace

TRACEFS = Path("/sys/kernel/tracing")
BUFFER_KB = 65536  # per core: some 800 000 events
SOURCE = "tracefs: " + ", ".join(event.replace("/", ":") for event in ftrace.EVENTS)
POLL_S = 0.2
INSTANCE = "sos_gym."  # and the number of the process that records
REMEDY = (
    "run as root (sudo), with tracefs mounted: mount -t tracefs tracefs /sys/kernel/tracing; in a container it must be "
    "given (--privileged). Without root: record with `perf sched record` where perf is allowed, and `sos-gym import`"
)


def record_cpu(
    command: Sequence[str],
    about: About,
    events: int = 200_000,
    tracefs: Path = TRACEFS,
    progress: CountProgress | None = None,
) -> Tape:
    """The schedule of a program and its descendants: bursts, sleeps, and who wakes whom.

    Args:
        command: The program and its arguments; it must end with status 0.
        about: Name and words of the card.
        events: >= 1; tracing stops and the program is ended once there are so many.
        tracefs: Where it is mounted; recording has an instance of its own there.
        progress: Called with the number of events so far.

    Raises:
        TapeError: no permission, the program failed, or events were lost.
    """
    schedule, cut = trace_cpu(command, events, tracefs, progress)
    card = about.card(
        "cpu",
        command,
        SOURCE,
        kept="time on a core as COMPUTE; sleeps ended by a recorded task as WAIT and SIGNAL, a channel per pair",
        dropped=DROPPED,
        end=f"cut after {events} events" if cut else "the whole run",
        cores=os.cpu_count(),
        **schedule.counts(),
    )
    return schedule.tape(card)


DROPPED = (
    "time on the run queue and the recorded placement; sleeps ended by timers, devices, interrupts (softirqs too) or "
    "unrecorded tasks are SLEEPs from block to wake; page faults and system calls count as work; time stolen by "
    "interrupts or the hypervisor counts as work; time stamps are rounded to 1 µs; affinity is asked for five times a "
    "second, by node, and a task that lives shorter has its parent's"
)


def trace_cpu(
    command: Sequence[str], events: int, tracefs: Path, progress: CountProgress | None
) -> tuple[ftrace.Schedule, bool]:
    """Run the program; its schedule, and whether it was cut."""
    if events < 1:
        raise TapeError(f"events is {events}; allowed: 1 or more; 200000 are some seconds of a parallel build")
    with signals_noted(), _instance(tracefs) as folder:
        nodes: dict[int, int] = {}
        root, cut = _run_traced(command, folder, events, progress, nodes)
        with open(folder / "trace", encoding="utf-8", errors="replace") as lines:
            return ftrace.read(while_going_on(lines), root, nodes), cut


@contextlib.contextmanager
def _instance(tracefs: Path) -> Iterator[Path]:
    """A trace buffer of our own, so that other tracing is left alone."""
    folder = tracefs / "instances" / f"{INSTANCE}{os.getpid()}"
    settings = {
        "tracing_on": 0,
        "trace_clock": "mono",
        "buffer_size_kb": BUFFER_KB,
        "options/overwrite": 0,
        "options/event-fork": 1,
    }
    try:
        if not (tracefs / "instances").is_dir():
            subprocess.run(["mount", "-t", "tracefs", "tracefs", str(tracefs)], check=True, capture_output=True)
        _remove_left_behind(folder.parent)
        folder.mkdir()
        for name, value in (settings | {f"events/{event}/enable": 1 for event in ftrace.EVENTS}).items():
            (folder / name).write_text(f"{value}\n")
    except (OSError, subprocess.CalledProcessError) as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise TapeError(
            f"tracefs at {tracefs} cannot be used ({error}); allowed: a tracefs that this user may write; {REMEDY}"
        ) from error
    try:
        yield folder
    finally:
        folder.rmdir()


def _remove_left_behind(instances: Path) -> None:
    """Buffers of recorders that could put nothing away, since SIGKILL ended them."""
    for folder in instances.glob(f"{INSTANCE}*"):
        process = folder.name.removeprefix(INSTANCE)
        if process == str(os.getpid()) or not Path("/proc", process).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _run_traced(
    command: Sequence[str], folder: Path, events: int, progress: CountProgress | None, nodes: dict[int, int]
) -> tuple[int, bool]:
    """Run to the end, or until there are enough events; the trace holds it and its descendants, `nodes` their masks."""
    node_of = affinity.node_of_cpu()
    cut = False
    with _stopped(command) as program, _tracing_ended(folder):
        (folder / "set_event_pid").write_text(f"{program.pid}\n")
        (folder / "tracing_on").write_text("1\n")
        affinity.ask([program.pid], node_of, nodes)
        program.send_signal(signal.SIGCONT)
        while not cut and _still_runs(program):
            go_on()
            affinity.ask(map(int, (folder / "set_event_pid").read_text().split()), node_of, nodes)
            seen = _counted(folder, "entries")
            cut = seen >= events
            if progress:
                progress(seen)
        if not cut and program.returncode:
            said = program.stderr.read().decode(errors="replace").strip()[-300:] if program.stderr else ""
            raise TapeError(
                f"{shlex.join(command)} failed with status {program.returncode} ({said}); give a command that works"
            )
        time.sleep(0.1)  # a zombie has yet to leave its core for the last time
    lost = _counted(folder, "overrun") + _counted(folder, "dropped events")
    if lost:
        raise TapeError(f"{folder.name} lost {lost} events; allowed: 0; give a lower limit of events than {events}")
    return program.pid, cut


@contextlib.contextmanager
def _stopped(command: Sequence[str]) -> Iterator[subprocess.Popen]:
    """The program in a session of its own, stopped before its first instruction; it is killed at the end."""
    stopped = ["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *command]
    program = subprocess.Popen(
        stopped, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        os.waitpid(program.pid, os.WUNTRACED)
        yield program
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        if program.stderr:
            program.stderr.close()


@contextlib.contextmanager
def _tracing_ended(folder: Path) -> Iterator[None]:
    """Tracing is off at the end."""
    try:
        yield
    finally:
        (folder / "tracing_on").write_text("0\n")


def _still_runs(program: subprocess.Popen) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(POLL_S)
    return program.returncode is None


def _counted(folder: Path, what: str) -> int:
    """A number of the buffers' statistics, summed over the cores."""
    total = 0
    for stats in folder.glob("per_cpu/cpu*/stats"):
        counts = dict(line.split(": ") for line in stats.read_text().splitlines() if ": " in line)
        total += int(counts[what])
    return total
