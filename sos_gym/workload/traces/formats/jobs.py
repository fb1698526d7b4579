"""Logs of batch jobs on parallel machines."""

import math
import re
from typing import Annotated

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.tables import LONGEST_NS, TapeError
from sos_gym.workload.tape import Tape, op_array
from sos_gym.workload.traces.formats.registry import Limit, Option, Speed, format_of
from sos_gym.workload.traces.lines import NS, Grammar, LineChunk, line_chunks, nanoseconds
from sos_gym.workload.traces.source import Source

# The Standard Workload Format 2.2, https://www.cs.huji.ac.il/labs/parallel/workload/swf.html; -1: not known
FIRST = "job", "submit", "wait", "run", "allocated", "cpu", "memory", "requested", "requested_time"
SECOND = "requested_memory", "status", "user", "group", "program", "queue", "partition", "preceding", "think"
FIELDS = np.dtype([(name, "f8") for name in FIRST + SECOND])
PARTIAL = (2, 3, 4)  # status of a line that is a part of a job; another line has the whole
LONGEST_S = LONGEST_NS // NS
MOST_PROCESSORS = 1 << 24
MOST_CORES = 4096  # of the setting `cores`
PROCESSORS = re.compile(r"\s*;\s*Max(Procs|Nodes):\s*(\d+)")  # of a header; Nodes where no Procs are told
TICK_NS = 10**6  # the default of `tick_ns`: at each a busy core may ask who runs next
MANY_DECISIONS = 10**7  # some ten seconds of a run
MostThreads = Annotated[int, Option("of one job", 1, 4096, "threads")]


@format_of(
    "swf",
    side="cpu",
    extensions=(".swf",),
    what="log of batch jobs: 18 numbers each, times in seconds; headers begin with ;",
    source="Feitelson, Standard Workload Format 2.2, Parallel Workloads Archive",
    sample="1 0 5 3600 4 -1 -1 4 7200 -1 1 3 1 -1 1 -1 -1 -1",
    pattern=r"\s*(-?[\d.]+\s+){17}-?[\d.]+\s*$",
)
def swf(source: Source, *, limit: Limit = None, speed: Speed = 1.0, most_threads: MostThreads = 16) -> Tape:
    """A job is one thread per processor: it arrives when it was submitted and runs as long as it ran.

    Jobs without a run time, and lines that are part of a job told on another line, are left out. The owner is the
    user (field 12); jobs of unknown users are one owner. Weights are equal.
    """
    rows, left_out, machine = _jobs(source, limit)
    processors = np.where(rows["allocated"] > 0, rows["allocated"], np.maximum(rows["requested"], 1)).astype(np.int64)
    threads = np.minimum(processors, most_threads)
    job = np.repeat(np.arange(len(rows)), threads)
    submit_ns, run_ns = nanoseconds(rows["submit"] - rows["submit"].min()), nanoseconds(rows["run"])
    arrival_ns, burst_ns = (_scaled(time_ns, speed)[job] for time_ns in (submit_ns, run_ns))
    spanned_ns = burst_ns.sum(dtype=np.float64) + arrival_ns.max()
    if spanned_ns > LONGEST_NS:
        raise TapeError(
            f"{source.path}: run times add up to {spanned_ns:.3g} ns; allowed: up to {LONGEST_NS}; raise speed "
            f"(at least {_rounded_up(speed * spanned_ns / LONGEST_NS)}), lower most_threads, or give a limit"
        )
    users, owner = _in_order_of_mention(rows["user"][job])
    card = source.card(
        **_cores(machine),
        decisions=_decisions(float(burst_ns.sum(dtype=np.float64)), len(job), speed),
        kept="each job is one thread per processor, up to most_threads; arrival = submit time, burst = run time",
        dropped=(
            "that a job's processors start together; wait times, memory, requested times, queues, dependencies; "
            "jobs without run time; parts of jobs that another line tells whole"
        ),
        time=f"seconds; divided by {speed}" if speed != 1 else "seconds",
        weights="equal: the format has none",
        owners="users (field 12)",
        end=f"cut after {len(rows)} jobs" if limit is not None and len(rows) == limit else "the whole file",
        jobs=len(rows),
        threads=len(job),
        users=users,
        left_out={**left_out, "processors over most_threads": int((processors - threads).sum())},
        out_of_order=int(np.count_nonzero(np.diff(rows["submit"]) < 0)),
    )
    programs = op_array(Op.COMPUTE, burst_ns).reshape(-1, 1)
    return Tape.build(programs, arrival_ns=arrival_ns, owner=owner, card=card)


def _cores(machine: dict[str, int]) -> dict[str, int]:
    """What the header says of the machine, if it does; the leaderboard runs the tape on so many."""
    told = machine.get("Procs") or machine.get("Nodes")
    return {"cores": min(told, MOST_CORES)} if told else {}


def _decisions(work_ns: float, threads: int, speed: float) -> str:
    """How many a run may have, and how to have fewer."""
    most = work_ns / TICK_NS + 2 * threads  # each thread comes and goes, and runs for so many ticks
    said = f"up to {most:.2g}: one per ms of work, where others wait"
    if most <= MANY_DECISIONS:
        return said
    fewer = _rounded_up(speed * work_ns / TICK_NS / 10**6)
    return f"{said}; a run takes long: import with speed={fewer} for a million, or raise tick_ns, or give a limit"


def _rounded_up(number: float) -> str:
    """Three digits, never less: advice that works when it is followed, after rounding to ns too."""
    number *= 1.0001
    step = 10.0 ** (math.floor(math.log10(number)) - 2)
    return f"{math.ceil(number / step) * step:.10g}"


def _jobs(source: Source, limit: int | None) -> tuple[np.ndarray, dict[str, int], dict[str, int]]:
    """The jobs that ran, how many lines were left out for which reason, and the header's processors."""
    machine: dict[str, int] = {}
    grammar = Grammar(FIELDS)
    parts, left_out, count = [np.zeros(0, grammar.fields)], {"parts of jobs": 0, "jobs without run time": 0}, 0
    for chunk in line_chunks(source, grammar, comment=";"):
        rows = chunk.rows()
        machine |= {told[1]: int(told[2]) for told in map(PROCESSORS.match, chunk.lines) if told}
        _check(chunk, rows)
        whole = ~np.isin(rows["status"], PARTIAL)
        ran = whole & (rows["run"] > 0)
        parts.append(rows[ran][: None if limit is None else limit - count])
        count += len(parts[-1])
        left_out["parts of jobs"] += int(np.count_nonzero(~whole))
        left_out["jobs without run time"] += int(np.count_nonzero(whole & ~ran))
        if count == limit:
            break
    if not count:
        raise TapeError(f"{source.path} holds no jobs that ran; allowed: at least one with a run time; is it SWF?")
    return np.concatenate(parts), left_out, machine


def _check(chunk: LineChunk, rows: np.ndarray) -> None:
    for name in FIRST + SECOND:
        chunk.refuse_if(~np.isfinite(rows[name]), f"its {name} is no number")
    submit, run = rows["submit"], rows["run"]
    chunk.refuse_if((submit < 0) | (submit > LONGEST_S), f"submit time (field 2) must be 0 to {LONGEST_S} s")
    chunk.refuse_if(
        ((run < 0) & (run != -1)) | (run > LONGEST_S), f"run time (field 4) must be -1 or 0 to {LONGEST_S} s"
    )
    for number, name in ((5, "allocated"), (8, "requested")):
        value = rows[name]
        wrong = (value < -1) | (value > MOST_PROCESSORS) | (value != np.floor(value))
        chunk.refuse_if(wrong, f"processors (field {number}) must be -1 or 0 to {MOST_PROCESSORS}")


def _scaled(time_ns: np.ndarray, speed: float) -> np.ndarray:
    return time_ns if speed == 1 else np.rint(time_ns / speed).astype(np.int64)


def _in_order_of_mention(names: np.ndarray) -> tuple[int, np.ndarray]:  # how many, int64 (names,)
    """0 for the first one, and so on."""
    known, first, which = np.unique(names, return_index=True, return_inverse=True)
    return len(known), np.argsort(np.argsort(first))[which]
