"""Scheduler traces of Linux, by whichever tool they were printed."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import events, ftrace
from sos_gym.workload.traces.formats.registry import Limit, Option, format_of
from sos_gym.workload.traces.lines import Grammar, line_chunks
from sos_gym.workload.traces.source import Source

LEAVES = "prev_comm=sh prev_pid=4242 prev_prio=120 prev_state=X ==> next_comm=cat next_pid=4243 next_prio=120"
PERF = f"sh  4242 [000] 11826.249212: sched:sched_switch: {LEAVES}"
FTRACE = f"sh-4242  [000] d..2.  11826.249212: sched_switch: {LEAVES}"
Root = Annotated[int | None, Option("only the task with this pid and its descendants", 1, 1 << 22)]
EVENT = r"\[\d+\]\s+(\S+\s+)?\d+\.\d+:\s+"


@format_of(
    "perf",
    side="cpu",
    extensions=(".perf",),
    what="perf sched script, or perf script of sched events",
    source="man perf-sched, man perf-script; kernel include/trace/events/sched.h",
    sample=PERF,
    pattern=rf".*\s(-1|\d+)(/(-1|\d+))?\s+{EVENT}(\d+\s+)?\w+:\w+:|.*\bPERF_RECORD_",
)
def perf(source: Source, *, limit: Limit = None, root: Root = None) -> Tape:
    """What woke a task in an interrupt is taken for the task that was interrupted: perf prints no flags."""
    wakings = "wakings from an interrupt that no irq or block event tells count as the interrupted task's"
    return _read(source, limit, root, f"{wakings}: perf prints no flags")


@format_of(
    "ftrace",
    side="cpu",
    extensions=(".ftrace", ".systrace"),
    what="the text of tracefs (trace, trace_pipe) or of trace-cmd report with sched events",
    source="kernel Documentation/trace/ftrace.rst; man trace-cmd-report",
    sample=FTRACE,
    pattern=rf"(.*-\d+\s+(\(.*\)\s+)?{EVENT}\w+:|CPU:\d+ \[LOST|{events.REMARKS})",
    free_text=rf".*\]\s.*\d:\s+({'|'.join(events.FREE_TEXT)}):",
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
    _refuse_empty(source, schedule, limit, root)
    return schedule.tape(
        source.card(
            kept="time on a core as COMPUTE; sleeps ended by a known task as WAIT and SIGNAL, a channel per pair",
            dropped=f"the recorded placement, all other events; {wakings}",
            run_queue=_run_queue(schedule),
            time="a task that was asleep at first sleeps from the first line on; one whose leaving is not told has "
            "worked until the last event on its core",
            owners=_owners(schedule),
            cores=schedule.cores,
            out_of_order=schedule.late,
            end=f"at most {limit} lines were read" if limit is not None else "the whole file",
            **schedule.counts(),
        )
    )


def _refuse_empty(source: Source, schedule: ftrace.Schedule, limit: int | None, root: int | None) -> None:
    """Without switches nobody knows who ran, and any schedule would be invented."""
    where = f"the first {limit} lines of {source.path}" if limit is not None else str(source.path)
    if not schedule.switches:
        raise TapeError(
            f"{where}: no sched_switch event, so that nothing tells who ran when; allowed: traces with sched_switch, "
            "and sched_waking where sleeps shall have their length; record with perf sched record, or with "
            "trace-cmd record -e sched_switch -e sched_waking"
        )
    if not any(task.work_ns or task.actions for task in schedule.order):
        tasks = f"of pid {root} and its descendants" if root else "of any task"
        raise TapeError(f"{where}: tells nothing {tasks}; allowed: sched_switch events of it; leave out root")


def _run_queue(schedule: ftrace.Schedule) -> str:
    """What became of the time between waking and running, which is the policy's to decide."""
    if not schedule.unwoken_ns:
        return "left out" if schedule.wakings else "no wakeup is told, and no sleep ended; record sched_waking"
    share = schedule.unwoken_ns / schedule.slept_ns
    why = "no wakeup is told" if not schedule.wakings else "their wakeups are not told"
    return (
        f"counted as sleep where {why}: in {share:.1%} of all sleep ({schedule.unwoken_ns} ns); "
        "record sched_waking to have it left out"
    )


def _owners(schedule: ftrace.Schedule) -> str:
    told = sum(task.told_process for task in schedule.order)
    return (
        f"processes; a column of the file tells that of {told} tasks, task_newtask that of a new thread; "
        "any other task is an owner of its own"
    )


def _lines(source: Source) -> Iterator[str]:
    for chunk in line_chunks(source, Grammar()):
        yield from chunk.lines
