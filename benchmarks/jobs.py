"""CPU scheduling: round robin and SRPT on one core

Poisson arrivals, exponential service of mean 100 ms, load .9, a quantum of 50 ms; switches cost nothing. Every peer is
given the same list of jobs, and the sum of the response times must agree with ours to the ns. The C loop (`jobs.c`, a
ring and a heap) is compiled on the spot. A peer that is too slow gets a shorter list, and so do we in its row; `x`: how
many times our time it takes per job. cpusched queues a preempted job before those that arrived in its slice: its sum is
held against that of the C loop with this order. logorythem's SRPT counts in single units of time: its list is in ms.
"""

import ctypes
import functools
import shutil
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

import sos_gym
from benchmarks.peers import PeerError, Peers, folder
from benchmarks.scale import Scale
from benchmarks.timing import alternate, ratio, timed
from sos_gym import Tape

MEAN_NS, QUANTUM_NS, LOAD = 100_000_000, 50_000_000, 0.9
RULES = {"round robin": ("turns", QUANTUM_NS), "SRPT": ("clairvoyant", None)}  # policy, tick_ns
C, PYTHON = "C", ("logorythem", "cpusched", "simpy")
SHORT = {("logorythem", "SRPT"): 300, ("cpusched", "SRPT"): 3_000}  # jobs; they look at all jobs at every step
MS = 1_000_000
UNIT_NS = {("logorythem", "SRPT"): MS}  # of the peer's clock
LONGEST = {"cpusched": 100_000}  # jobs; it copies each deeply


def cases(scale: Scale) -> list[tuple[str, int]]:
    return [(rule, jobs) for jobs in scale.jobs for rule in RULES]


def measure(case: tuple[str, int], scale: Scale) -> list[dict]:
    rule, jobs = case
    rows = [_row(C, rule, jobs, scale.rounds, lambda: _in_c(rule, jobs))]
    for peer in PYTHON:
        count = min(SHORT.get((peer, rule), jobs), jobs)
        if count <= LONGEST.get(peer, count) and (count == jobs or jobs == min(scale.jobs)):
            rows.append(_row(peer, rule, count, min(scale.rounds, 3), _asked(peer, rule, count)))
    return rows


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    shown = [row for row in rows if "x" in row]
    labels = [f"{row['against']}, {row['rule']}, {row['jobs']:,} jobs" for row in shown]
    axes.barh(labels, [row["x"] for row in shown], color="#4878a8")
    axes.axvline(1, color="#1b1b1b", linewidth=0.8)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("time per job / sos_gym's (log scale; left of the line is faster than sos_gym)")


def poisson(jobs: int, unit_ns: int = 1) -> np.ndarray:  # i8 (jobs, 2)
    """Arrival and service of each job in ns, multiples of `unit_ns`."""
    rng = np.random.default_rng(jobs)
    arrival = np.cumsum(rng.exponential(MEAN_NS / LOAD, jobs))
    service = rng.exponential(MEAN_NS, jobs)
    return np.stack([np.rint(arrival / unit_ns), np.maximum(1, np.rint(service / unit_ns))], 1).astype(int) * unit_ns


def _row(peer: str, rule: str, jobs: int, rounds: int, theirs: Callable[[], tuple[float, int]]) -> dict:
    """One comparison, or why there is none."""
    row = {"rule": rule, "jobs": jobs, "against": peer}
    unit, late = UNIT_NS.get((peer, rule), 1), (peer, rule) == ("cpusched", "round robin")
    tape = _tape(jobs, unit)
    _ours(tape, rule)  # compiles
    try:
        found = alternate(rounds, {"sos_gym": lambda: _ours(tape, rule), peer: theirs})
    except (PeerError, OSError) as error:
        return row | {"remark": str(error)}
    (mine, total), (other, answer) = found["sos_gym"], found[peer]
    expected = _in_c(rule, jobs, late=True)[1] if late else total
    if answer * unit != expected:
        raise RuntimeError(f"{peer}, {rule}, {jobs} jobs: responses {answer * unit} ns, expected {expected} ns")
    return row | {
        "sos_gym us/job": statistics.median(mine) / jobs * 1e6,
        "peer us/job": statistics.median(other) / jobs * 1e6,
        "x": ratio(other, mine),
        "mean response ms": answer * unit / jobs / MS,
        "remark": "preempted first" if late else "",
    }


# -- ours


@functools.cache
def _tape(jobs: int, unit_ns: int) -> Tape:
    return Tape.from_jobs(*poisson(jobs, unit_ns).T)


def rule_of(rule: str) -> tuple[str, dict]:
    """The policy, and the settings in which switches cost nothing."""
    policy, tick_ns = RULES[rule]
    return policy, {"nodes": 1, "cores": 1, "switch_ns": 0, "move_ns": 0, "tick_ns": tick_ns}


def _ours(tape: Tape, rule: str) -> tuple[float, int]:
    """Seconds of `sos_gym.evaluate`, laying out and metrics included, and the sum of the response times."""
    policy, free = rule_of(rule)
    seconds, (run,) = timed(lambda: sos_gym.evaluate("sos/CPU-v0", policy, workload=tape, **free))
    return seconds, round(run["mean_response_ns"] * run["bursts"])


# -- the others


@functools.cache
def _peers() -> Peers:
    return Peers("jobs")


def _asked(peer: str, rule: str, jobs: int) -> Callable[[], tuple[float, int]]:
    """Ask `peer`, in units of its clock."""
    unit = UNIT_NS.get((peer, rule), 1)
    path = folder() / f"jobs-{jobs}-{unit}.npy"
    np.save(path, poisson(jobs, unit) // unit)
    return lambda: _peers().ask(peer, jobs=str(path), rule=rule, quantum=QUANTUM_NS // unit)


@functools.cache
def _library() -> ctypes.CDLL:
    """jobs.c, compiled.

    Raises:
        OSError: there is no C compiler, or it failed.
    """
    compiler, path = shutil.which("cc"), folder() / "jobs.so"
    if not compiler:
        raise OSError("no C compiler: there is no `cc`")
    source = Path(__file__).with_name("jobs.c")
    done = subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", path, source], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"cc failed: {done.stderr.strip()[:200]}")
    library = ctypes.CDLL(str(path))
    numbers, many = ctypes.c_int64, np.ctypeslib.ndpointer(np.int64)
    library.round_robin.argtypes = [numbers, many, many, numbers, numbers, many, many]
    library.srpt.argtypes = [numbers, many, many, many]
    library.round_robin.restype = library.srpt.restype = numbers
    return library


def _in_c(rule: str, jobs: int, late: bool = False) -> tuple[float, int]:
    library = _library()
    arrival, service = (np.ascontiguousarray(column) for column in poisson(jobs).T)
    scratch, more = np.zeros(2 * jobs, np.int64), np.zeros(jobs, np.int64)
    if rule == "SRPT":
        return timed(lambda: library.srpt(jobs, arrival, service, scratch))
    return timed(lambda: library.round_robin(jobs, arrival, service, QUANTUM_NS, late, scratch, more))
