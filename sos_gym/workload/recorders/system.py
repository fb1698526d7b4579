"""Bursts with the pages that they touch: the schedule of one run joined with the references of another.

No tracer sees both at full speed, so the program runs twice: natively under the scheduler's trace, and under valgrind.
The i-th thread of the one is the i-th of the other; what a thread touches after a share of its instructions is touched
after that share of its work. Requires a program whose threads do the same in both runs.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.recorders import cpu, memory
from sos_gym.workload.recorders.about import About, CountProgress
from sos_gym.workload.recorders.ending import signals_noted
from sos_gym.workload.tables import OPS, TapeError
from sos_gym.workload.tape import Tape, op_array
from sos_gym.workload.traces import ftrace, lackey

LINE_NS = 85  # of a line in local memory: the default of `local_line_ns`
GRAIN_NS = lackey.GRAIN_NS


def record_system(
    command: Sequence[str],
    about: About,
    references: int = 100_000,
    window_pages: int = 16,
    events: int = 200_000,
    tool: str = "valgrind",
    tracefs: Path = cpu.TRACEFS,
    progress: CountProgress | None = None,
) -> Tape:
    """The schedule of a program and its descendants, with the page references of its own threads.

    Arguments as of `record_cpu` and `record_memory`; neither run may be cut.

    Raises:
        TapeError: as they do; the limits are too low; the two runs differ in their threads.
    """
    with signals_noted():
        schedule, cut = cpu.trace_cpu(command, events, tracefs, progress)
        if cut:
            raise TapeError(f"events is {events}, which the run exceeds; allowed: the whole run; raise it")
        trace = memory.trace_memory(command, references, window_pages, tool, progress)
    if trace.kept >= references:
        raise TapeError(f"references is {references}, which the run reaches; allowed: the whole run; raise it")
    card = about.card(
        "joint",
        command,
        f"{cpu.SOURCE}; {memory.SOURCE}",
        kept="the schedule of all tasks; the page references of the program's own threads, by share of their work",
        dropped=f"{cpu.DROPPED}; {memory.dropped(window_pages)}",
        time=(
            f"recorded time on a core, of which each access of a line takes {LINE_NS} ns; COMPUTE in grains of 1 µs "
            "between references"
        ),
        end="the whole run",
        cores=os.cpu_count(),
        **(memory.counts(trace) | schedule.counts()),
    )
    return join(schedule, trace, card)


def join(schedule: ftrace.Schedule, trace: lackey.Trace, card: dict | None = None) -> Tape:
    """The tape of the schedule, whose first process makes the references of the trace."""
    programs: list = list(schedule.programs())
    process = schedule.order[0].process
    own = [i for i, task in enumerate(schedule.order) if task.process == process]
    if len(own) != len(trace.threads):
        raise TapeError(
            f"the program had {len(own)} threads when its schedule was recorded, and {len(trace.threads)} under "
            "valgrind; allowed: as many in both runs; fix their number, with OMP_NUM_THREADS for example"
        )
    for i, thread in zip(own, trace.threads, strict=True):
        programs[i] = with_references(programs[i], thread)
    return schedule.tape(card, programs, lackey.file_pages(trace))


def with_references(program: list[tuple[Op, int]], thread: lackey.Reduction) -> np.ndarray:  # OPS (ops,)
    """The program with the thread's references where the same share of its work is done.

    A reference's accesses are part of the work; what they take beyond it is added.
    """
    ops = op_array([op for op, _ in program], [arg for _, arg in program]) if program else np.zeros(0, OPS)
    rows, instructions = lackey.rows_of(thread)
    work_ns = np.where(ops["op"] == Op.COMPUTE, ops["arg"], 0)
    ends = np.cumsum(work_ns)
    total = int(ends[-1]) if len(ends) else 0
    at_ns = (instructions * (total / max(thread.instructions, 1))).astype(np.int64)
    parts, done = [], 0
    for i in np.flatnonzero(work_ns).tolist():
        parts.append(ops[done:i])
        first, last = np.searchsorted(at_ns, (ends[i] - work_ns[i], ends[i]))
        last = last if ends[i] < total else len(rows)
        parts.append(_burst(rows[first:last], at_ns[first:last] - (ends[i] - work_ns[i]), int(work_ns[i])))
        done = i + 1
    return np.concatenate([*parts, ops[done:]]) if parts else np.concatenate([rows, ops])


def _burst(rows: np.ndarray, at_ns: np.ndarray, work_ns: int) -> np.ndarray:  # OPS (ops,)
    """References at their times within a stretch of work."""
    access_ns = np.cumsum(rows["lines"].astype(np.int64) * LINE_NS)
    before_ns = np.append(0, access_ns)[: len(rows)]
    stamps_ns = np.maximum.accumulate(np.maximum(at_ns - before_ns, 0))
    touched, put_ns = lackey.with_work(rows, stamps_ns, GRAIN_NS)
    left_ns = work_ns - put_ns - (int(access_ns[-1]) if len(rows) else 0)
    return np.append(touched, op_array(Op.COMPUTE, left_ns)) if left_ns > 0 else touched
