"""Scheduler traces of Linux, by whichever tool they were printed."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import ftrace
from sos_gym.workload.traces.formats.registry import Limit, Option, format_of
from sos_gym.workload.traces.lines import Grammar, line_chunks
from sos_gym.workload.traces.source import Source

PERF = "perf 32673 [000] 11826.249212: sched:sched_waking: comm=migration/0 pid=18 prio=0 target_cpu=000"
FTRACE = "sh-4242  [000] d..2.  100.000000: sched_waking: comm=cat pid=4243 prio=120 target_cpu=001"
Root = Annotated[int | None, Option("only the task with this pid and its descendants", 1, 1 << 22)]
EVENT = r"\[\d+\]\s+(\S+\s+)?\d+\.\d+:\s+"


@format_of(
    "perf",
    side="cpu",
    extensions=(".perf",),
    what="perf sched script, or perf script of sched events",
    source="man perf-sched, man perf-script; kernel include/trace/events/sched.h",
    sample=PERF,
    pattern=rf".*\s\d+(/\d+)?\s+{EVENT}(\d+\s+)?\w+:\w+:",
)
def perf(source: Source, *, limit: Limit = None, root: Root = None) -> Tape:
    """What woke a task in an interrupt is taken for the task that was interrupted: perf prints no flags."""
    return _read(source, limit, root, "wakings from an interrupt count as the interrupted task's: perf prints no flags")


@format_of(
    "ftrace",
    side="cpu",
    extensions=(".ftrace",),
    what="the text of tracefs (trace, trace_pipe) or of trace-cmd report with sched events",
    source="kernel Documentation/trace/ftrace.rst; man trace-cmd-report",
    sample=FTRACE,
    pattern=rf"(.*-\d+\s+(\(.*\)\s+)?{EVENT}\w+:|cpus=\d)",
)
def from_ftrace(source: Source, *, limit: Limit = None, root: Root = None) -> Tape:
    """As the recorder reads it."""
    return _read(source, limit, root, "sleeps ended by interrupts are SLEEPs, if the text has the column of flags")


def _read(source: Source, limit: int | None, root: int | None, wakings: str) -> Tape:
    """All tasks but the idle ones; with a root, that pid and its descendants."""
    lines = islice(_lines(source), limit)
    try:
        schedule = ftrace.read(lines, root)
    except TapeError as error:
        raise TapeError(f"{source.path}, {error}") from None
    if not any(task.work_ns or task.actions for task in schedule.order):
        tasks = f"of pid {root} and its descendants" if root else "of any task"
        raise TapeError(f"{source.path} tells nothing {tasks}; allowed: sched_switch events of it; leave out root")
    return schedule.tape(
        source.card(
            kept="time on a core as COMPUTE; sleeps ended by a known task as WAIT and SIGNAL, a channel per pair",
            dropped=f"time on the run queue, the recorded placement, all other events; {wakings}",
            time="a task that was asleep at first sleeps from the first line on; one whose leaving is not told has "
            "worked until the last event on its core",
            end=f"at most {limit} lines were read" if limit is not None else "the whole file",
            **schedule.counts(),
        )
    )


def _lines(source: Source) -> Iterator[str]:
    for chunk in line_chunks(source, Grammar()):
        yield from chunk.lines
