"""Families of page references, for Memory and Tier."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.families.draws import KNOTS, Law, geometric, law, some_of, table, zipf_gaps, zipf_ranks
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tables import DEFAULT_LINES, OPS
from sos_gym.workload.tape import Tape

REFERENCES = "references per thread; a longer episode"
WRITES = Parameter(0.25, "", 0.0, 1.0, "share of references that write; more write-back")
THINK = Parameter(100, "ns", 0, 10**9, "work between references; faults weigh less")
ALPHA = "popularity ∝ 1/rank^alpha; fewer pages take more of the references"


def touches(rng: np.random.Generator, pages: np.ndarray, write_ratio: float) -> np.ndarray:  # OPS (references,)
    """A program that touches `pages` in order, some of them by writing."""
    ops = np.zeros(len(pages), OPS)
    ops["op"] = np.where(rng.random(len(pages)) < write_ratio, Op.WRITE, Op.READ)
    ops["arg"], ops["lines"] = pages, DEFAULT_LINES
    return ops


@family(
    "zipf",
    "memory",
    "Independent draws from one popularity law; threads of one process share the pages.",
    "Breslau et al., INFOCOM 1999; the baseline of every cache study",
    alpha=Parameter(0.99, "", 0.0, 5.0, ALPHA, ood=(0.5, 0.8)),
    pages=Parameter(1000, "pages", 1, 10**8, "more faults at the same memory", ood=(1500, 3000)),
    references=Parameter(6000, "references", 1, 10**8, REFERENCES),
    threads=Parameter(1, "threads", 1, 1024, "more users of the same pages"),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def zipf(
    rng, *, alpha, pages, references: int, threads, write_ratio, ns_per_reference, known: Known | None = None
) -> Tape:
    """No recency to learn: frequency is all there is."""
    programs = [touches(rng, zipf_ranks(rng, pages, alpha, references), write_ratio) for _ in range(threads)]
    if known:
        known.programs(programs)
        known.gaps(0, 0, np.arange(pages), zipf_gaps(pages, alpha))
    return Tape.build(programs, think_ns=ns_per_reference, owner=0)


@family(
    "loop",
    "memory",
    "Each thread walks its own pages in a circle: the reuse distance is always pages - 1.",
    "the worst case of LRU: Sleator and Tarjan, CACM 1985",
    pages=Parameter(
        80, "pages", 1, 10**8, "pages per thread; once they exceed the memory, LRU misses every time", ood=(100, 160)
    ),
    references=Parameter(4000, "references", 1, 10**8, REFERENCES),
    threads=Parameter(1, "threads", 1, 1024, "more circles compete for the frames"),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def loop(rng, *, pages, references, threads, write_ratio, ns_per_reference, known: Known | None = None) -> Tape:
    """The most recent page is the best one to evict; only the writes are random."""
    circle = np.arange(references) % pages
    programs = [touches(rng, circle + thread * pages, write_ratio) for thread in range(threads)]
    if known:
        known.programs(programs)
        at = np.arange(references)
        for thread in range(threads):
            known.next_uses(thread, at + 1, circle + thread * pages, at + pages)
    return Tape.build(programs, think_ns=ns_per_reference)


@family(
    "scan",
    "memory",
    "A zipf hot set, interrupted by sequential scans of a file.",
    "O'Neil et al., LRU-K, SIGMOD 1993; Johnson and Shasha, 2Q, VLDB 1994",
    references=Parameter(6000, "references", 1, 10**8, "references in all; a longer episode"),
    hot_pages=Parameter(80, "pages", 1, 10**8, "more faults between scans"),
    alpha=Parameter(0.8, "", 0.0, 5.0, ALPHA),
    between=Parameter(120, "references", 1, 10**8, "mean references between scans; fewer scans", ood=(200, 400)),
    scan_pages=Parameter(
        60, "pages", 0, 10**8, "pages per scan, at most file_pages; a scan flushes more", ood=(80, 120)
    ),
    file_pages=Parameter(600, "pages", 1, 10**8, "scanned file; its pages return less often"),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def scan(
    rng,
    *,
    references,
    hot_pages,
    alpha,
    between,
    scan_pages,
    file_pages,
    write_ratio,
    ns_per_reference,
    known: Known | None = None,
):
    """Recency is fooled by pages that are used once."""
    parts, left = [], references
    while left > 0:
        hot = zipf_ranks(rng, hot_pages, alpha, geometric(rng, between))
        start = rng.integers(file_pages)
        file = hot_pages + (start + np.arange(min(scan_pages, file_pages))) % file_pages
        parts += [hot, file]
        left -= len(hot) + len(file)
    touched = np.concatenate(parts)[:references]
    program = touches(rng, touched, write_ratio)
    of_file = touched >= hot_pages
    program["op"][of_file] = Op.READ
    attributes = {int(page): {"file": 1} for page in np.unique(touched[of_file])}
    if known:
        known.programs([program])
        size, cycle = min(scan_pages, file_pages), between + min(scan_pages, file_pages)
        known.gaps(0, 0, np.arange(hot_pages), zipf_gaps(hot_pages, alpha) * cycle / between)
        known.gaps(0, 0, hot_pages + np.arange(file_pages), cycle * file_pages / max(size, 1))
    return Tape.build([program], think_ns=ns_per_reference, pages=attributes)


@family(
    "phases",
    "memory",
    "Programs with drifting working sets, each its own process.",
    "Denning, The working set model, CACM 1968; Batson and Madison, phases, 1976",
    threads=Parameter(4, "threads", 1, 1024, "more programs compete for the frames"),
    references=Parameter(1500, "references", 1, 10**8, REFERENCES),
    pages=Parameter(90, "pages", 1, 10**8, "pages per thread; more faults"),
    working_set=Parameter(36, "pages", 1, 10**8, "pages in use within a phase; at most `pages`", ood=(44, 60)),
    phase_references=Parameter(250, "references", 1, 10**8, "mean length of a phase; slower drift", ood=(80, 160)),
    turnover=Parameter(0.5, "", 0.0, 1.0, "share of the working set that a new phase replaces"),
    alpha=Parameter(0.7, "", 0.0, 5.0, ALPHA),
    shared_pages=Parameter(0, "pages", 0, 10**8, "pages that all threads use, such as a library"),
    shared_ratio=Parameter(0.1, "", 0.0, 1.0, "share of references to the shared pages, if there are any"),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def phases(
    rng,
    *,
    threads,
    pages,
    shared_pages,
    shared_ratio,
    alpha,
    write_ratio,
    ns_per_reference,
    known: Known | None = None,
    **drift,
) -> Tape:
    """Recency helps within a phase and misleads at its end."""
    programs = []
    for thread in range(threads):
        first = shared_pages + thread * pages
        tell_gaps = None if known is None else _telling(known, thread, first)
        touched = drifting(rng, pages, alpha, tell_gaps=tell_gaps, **drift) + first
        if shared_pages:
            shared = rng.random(len(touched)) < shared_ratio
            touched[shared] = zipf_ranks(rng, shared_pages, alpha, int(shared.sum()))
        programs.append(touches(rng, touched, write_ratio))
    if known:
        known.programs(programs)
        if shared_pages:
            known.gaps(
                0, 0, np.arange(shared_pages), zipf_gaps(shared_pages, alpha) / max(shared_ratio, 1e-9) / threads
            )
    return Tape.build(programs, think_ns=ns_per_reference)


TellGaps = Callable[[int, np.ndarray], None]  # (reference, mean references to the next use of each page from there on)


def _telling(known: Known, thread: int, first: int) -> TellGaps:
    """Tells of pages `first`, `first` + 1, ... of a thread whose references are its ops."""
    return lambda at, gaps: known.gaps(thread, at, first + np.arange(len(gaps)), gaps)


def drifting(
    rng: np.random.Generator,
    pages: int,
    alpha: float,
    references: int,
    working_set: int,
    phase_references: int,
    turnover: float,
    tell_gaps: TellGaps | None = None,
) -> np.ndarray:  # int64 (references,), of 0..pages-1
    """References whose working set keeps a part of itself from phase to phase."""
    size = min(working_set, pages)
    coming = max(min(round(size * turnover), pages - size), 1) / max(pages - size, 1)  # chance of an outsider per phase
    popular = rng.permutation(pages)  # the first `size` are the working set, most popular first
    parts, left = [], references
    while left > 0:
        length = min(left, geometric(rng, phase_references))
        if tell_gaps:
            gaps = np.full(pages, phase_references / coming)
            gaps[popular[:size]] = zipf_gaps(size, alpha)
            tell_gaps(references - left, gaps)
        parts.append(popular[zipf_ranks(rng, size, alpha, length)])
        popular = _turned(rng, popular, size, turnover)
        left -= length
    return np.concatenate(parts)


def _turned(rng: np.random.Generator, popular: np.ndarray, size: int, turnover: float) -> np.ndarray:
    """The next order of popularity: `turnover` of the working set gives way to outsiders."""
    swapped = min(round(size * turnover), len(popular) - size)
    leaving = some_of(rng, size, swapped)
    coming = size + some_of(rng, len(popular) - size, swapped)
    popular = popular.copy()
    popular[leaving], popular[coming] = popular[coming], popular[leaving]
    return popular


@family(
    "localities",
    "memory",
    "Programs that stay in one set of pages for a while, then go to another: sizes and stays are drawn.",
    "Denning and Kahn, A study of program locality and lifetime functions, SOSP 1975: normal sizes, exponential stays, "
    "micromodels cyclic and random",
    threads=Parameter(3, "threads", 1, 1024, "more programs compete for the frames"),
    references=Parameter(2000, "references", 1, 10**8, REFERENCES),
    pages=Parameter(120, "pages", 1, 10**8, "pages per thread; a set is met again less often"),
    size_mean=Parameter(24, "pages", 1, 10**8, "mean size of a set; more faults", ood=(34, 44)),
    size_deviation=Parameter(8.0, "pages", 0.0, 1e8, "of the sizes; less even demand"),
    stay_references=Parameter(250, "references", 1, 10**8, "mean stay in a set; fewer changes", ood=(80, 150)),
    cyclic_share=Parameter(0.3, "", 0.0, 1.0, "share of stays that walk their set in a circle, which defeats LRU"),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def localities(
    rng,
    *,
    threads,
    references,
    pages,
    size_mean,
    size_deviation,
    stay_references,
    cyclic_share,
    write_ratio,
    ns_per_reference,
    known: Known | None = None,
) -> Tape:
    """Demand swings: what is fair to each program changes from stay to stay."""
    programs = []
    for thread in range(threads):
        parts, left = [], references
        while left > 0:
            length = min(left, geometric(rng, stay_references))
            size = int(_sizes(size_mean, size_deviation, pages).at(rng.random()))
            locality = some_of(rng, pages, size)
            cyclic = rng.random() < cyclic_share
            parts.append(locality[np.arange(length) % size if cyclic else rng.integers(size, size=length)])
            if known:
                at, step = references - left, np.arange(length)
                known.gaps(thread, at, thread * pages + np.arange(pages), stay_references * pages / size_mean)
                if cyclic:
                    known.next_uses(thread, at, thread * pages + locality, at + np.arange(size))
                    known.next_uses(thread, at + step + 1, thread * pages + parts[-1], at + step + size)
                else:
                    known.gaps(thread, at, thread * pages + locality, float(size))
            left -= length
        programs.append(touches(rng, np.concatenate(parts) + thread * pages, write_ratio))
    if known:
        known.programs(programs)
    return Tape.build(programs, think_ns=ns_per_reference)


@table
def _sizes(mean: float, deviation: float, pages: int) -> Law:  # 1..pages
    """Normal, rounded, and kept within its bounds: exact up to a deviation of 240, then no share is 2e-6 off."""
    knots = np.rint(mean + deviation * np.linspace(-8.5, 8.5, KNOTS))
    value = np.unique(np.append(knots, pages - 1).clip(1, pages))  # all that is larger comes at `pages` alone
    normal = NormalDist(mean, max(deviation, 1e-9))  # which must deviate
    return law(value, np.array([*map(normal.cdf, value[:-1] + 0.5), 1.0]))


@family(
    "tiered",
    "tier",
    "A popularity law whose hot pages slowly change; for a small fast and a large slow tier.",
    "Maruf et al., TPP, ASPLOS 2023 (hot sets that drift over minutes), scaled down",
    threads=Parameter(2, "threads", 1, 1024, "more programs compete for the fast tier"),
    references=Parameter(6000, "references", 1, 10**8, REFERENCES),
    pages=Parameter(60, "pages", 1, 10**8, "pages per thread; more of them lie in the slow tier"),
    alpha=Parameter(1.1, "", 0.0, 5.0, ALPHA, ood=(0.7, 0.9)),
    drift_references=Parameter(600, "references", 1, 10**8, "mean time between changes of the hot set", ood=(200, 400)),
    turnover=Parameter(0.2, "", 0.0, 1.0, "share of the pages that change rank at once"),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def tiered(
    rng,
    *,
    threads,
    pages,
    alpha,
    references,
    drift_references,
    turnover,
    write_ratio,
    ns_per_reference,
    known: Known | None = None,
) -> Tape:
    """Promotion pays for pages that stay hot longer than a move costs."""
    programs = []
    for t in range(threads):
        tell_gaps = None if known is None else _telling(known, t, t * pages)
        touched = _reranked(rng, pages, alpha, references, drift_references, turnover, tell_gaps)
        programs.append(touches(rng, touched + t * pages, write_ratio))
    if known:
        known.programs(programs)
    return Tape.build(programs, think_ns=ns_per_reference)


def _reranked(
    rng: np.random.Generator,
    pages: int,
    alpha: float,
    references: int,
    drift_references: int,
    turnover: float,
    tell_gaps: TellGaps | None = None,
) -> np.ndarray:  # int64 (references,), of 0..pages-1
    """Zipf references in which, now and then, some pages exchange their ranks."""
    rank_of = rng.permutation(pages)
    parts, left = [], references
    while left > 0:
        length = min(left, geometric(rng, drift_references))
        if tell_gaps:
            gaps = np.empty(pages)
            gaps[rank_of] = zipf_gaps(pages, alpha)
            tell_gaps(references - left, gaps)
        parts.append(rank_of[zipf_ranks(rng, pages, alpha, length)])
        moving = some_of(rng, pages, round(pages * turnover))
        rank_of[moving] = rank_of[rng.permutation(moving)]
        left -= length
    return np.concatenate(parts)
