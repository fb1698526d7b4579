"""Families whose threads compete for cores and frames at once, for System."""

import dataclasses
from typing import Any

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.families.draws import exponential_ns, poisson
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.pages import ALPHA, WRITES, TellGaps, drifting, touches
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tables import OPS, as_bytes
from sos_gym.workload.tape import Tape

LOCAL_TOUCH_NS = 64 * 85  # a whole page in local memory: the defaults of lines and local_line_ns
SLEEP = "mean sleep before each burst; less load"
DENNING = "Denning, Thrashing: its causes and prevention, AFIPS 1968"


def _settings(ood: dict[str, tuple[int, int]], **changed: float) -> dict[str, Any]:
    """The parameters of both families, with other defaults where `changed`, and ranges of the split "ood"."""
    defaults = {
        "threads": Parameter(8, "threads", 1, 10**5, "more programs compete for cores and frames"),
        "bursts": Parameter(10, "bursts", 1, 10**6, "bursts per thread; a longer episode"),
        "burst_references": Parameter(40, "references", 1, 10**6, "references per burst; longer bursts, on average"),
        "compute_ns": Parameter(20_000, "ns", 0, 10**12, "work per reference; faults weigh less"),
        "working_set": Parameter(40, "pages", 1, 10**7, "pages in use within a phase; more faults"),
        "pages": Parameter(60, "pages", 1, 10**7, "pages per thread; more for the working set to drift over"),
        "phase_references": Parameter(200, "references", 1, 10**8, "mean length of a phase; slower drift"),
        "turnover": Parameter(0.3, "", 0.0, 1.0, "share of the working set that a new phase replaces"),
        "alpha": Parameter(0.8, "", 0.0, 5.0, ALPHA),
        "sleep_mean_ns": Parameter(2_000_000, "ns", 1, 10**14, SLEEP),
        "write_ratio": WRITES,
    }
    return {
        name: dataclasses.replace(parameter, default=changed.get(name, parameter.default), ood=ood.get(name))
        for name, parameter in defaults.items()
    }


def _programs(
    rng: np.random.Generator,
    threads,
    bursts,
    burst_references,
    compute_ns,
    pages,
    alpha,
    sleep_mean_ns,
    write_ratio,
    known: Known | None = None,
    **drift,
) -> Tape:
    """Sleep, then a burst of references, again and again; each thread its own process.

    Threads differ: a thread's mean burst is from 1/2 to 3/2 of `burst_references`, evenly spread.
    """
    programs = []
    share = 0.5 + (rng.permutation(threads) + 0.5) / threads
    for thread in range(threads):
        lengths = poisson(burst_references * share[thread]).at(rng.random(bursts)).clip(1)
        tell_gaps = None if known is None else _telling(known, thread, thread * pages, lengths)
        touched = drifting(rng, pages, alpha, int(lengths.sum()), tell_gaps=tell_gaps, **drift) + thread * pages
        sleeps = exponential_ns(rng, sleep_mean_ns, bursts)
        programs.append(_interleaved(touches(rng, touched, write_ratio), lengths, sleeps))
        if known:
            known.bursts(thread, 0, *2 * [round(burst_references * share[thread]) * (compute_ns + LOCAL_TOUCH_NS)])
    if known:
        known.programs(programs)
    return Tape.build(programs, think_ns=compute_ns)


def _telling(known: Known, thread: int, first: int, lengths: np.ndarray) -> TellGaps:
    """Tells of a thread's pages `first`, `first` + 1, ...; a sleep stands before each burst of `lengths` references."""
    starts = np.cumsum(lengths) - lengths

    def tell(at: int, gaps: np.ndarray) -> None:
        op = at + int(np.searchsorted(starts, at, side="right"))
        known.gaps(thread, op, first + np.arange(len(gaps)), gaps)

    return tell


def _interleaved(work: np.ndarray, lengths: np.ndarray, sleep_ns: np.ndarray) -> np.ndarray:  # OPS (ops,)
    """`work` cut into bursts of `lengths`, with a sleep before each."""
    sleeps = np.zeros(len(sleep_ns), OPS)
    sleeps["op"], sleeps["arg"] = Op.SLEEP, sleep_ns
    return np.insert(as_bytes(work), np.cumsum(lengths) - lengths, as_bytes(sleeps), axis=0).view(OPS).reshape(-1)


@family(
    "working_sets",
    "joint",
    "Programs with working sets of their own that sleep, compute and touch pages.",
    DENNING,
    **_settings({"threads": (10, 14), "working_set": (46, 56)}),
)
def working_sets(rng, *, known: Known | None = None, **parameters) -> Tape:
    """Who runs decides what is resident: a core given to a thread without its pages is wasted."""
    return _programs(rng, known=known, **parameters)


@family(
    "overcommitted",
    "joint",
    "As working_sets, with more programs than fit: running them all at once thrashes.",
    DENNING,
    **_settings(
        {"threads": (28, 36), "working_set": (68, 76)},
        threads=24,
        bursts=6,
        working_set=64,
        pages=80,
        phase_references=400,
    ),
)
def overcommitted(rng, *, known: Known | None = None, **parameters) -> Tape:
    """Fewer threads at a time finish more work."""
    return _programs(rng, known=known, **parameters)


@family(
    "thrashing",
    "joint",
    "Alike processes with a fixed working set each, as many as `degree` says: their sets fit, or nothing goes on.",
    DENNING,
    degree=Parameter(
        32, "processes", 1, 10**5, "degree of multiprogramming; beyond frames / working_set it collapses", ood=(40, 48)
    ),
    working_set=Parameter(12, "pages", 1, 10**7, "pages of each process, all in use all the time"),
    bursts=Parameter(4, "bursts", 1, 10**6, "bursts per process; a longer episode"),
    burst_references=Parameter(400, "references", 1, 10**6, "mean references of a burst"),
    compute_ns=Parameter(2_000, "ns", 0, 10**12, "work per reference; faults weigh less"),
    sleep_mean_ns=Parameter(5_000_000, "ns", 1, 10**14, SLEEP),
    write_ratio=WRITES,
)
def thrashing(
    rng, *, degree, working_set, bursts, burst_references, compute_ns, sleep_mean_ns, write_ratio, known=None
) -> Tape:
    """More processes keep cores busy while others sleep, until their pages no longer fit together.

    Each reference is to a page of the process's working set that is drawn anew, all alike.
    """
    programs = []
    for process in range(degree):
        lengths = poisson(burst_references).at(rng.random(bursts)).clip(1)
        pages = rng.integers(working_set, size=int(lengths.sum())) + process * working_set
        programs.append(
            _interleaved(touches(rng, pages, write_ratio), lengths, exponential_ns(rng, sleep_mean_ns, bursts))
        )
        if known:
            known.bursts(process, 0, *2 * [burst_references * (compute_ns + LOCAL_TOUCH_NS)])
            known.gaps(process, 0, process * working_set + np.arange(working_set), np.full(working_set, working_set))
    if known:
        known.programs(programs)
    return Tape.build(programs, think_ns=compute_ns)
