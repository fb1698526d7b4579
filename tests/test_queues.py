"""Cores against plain job lists, to the ns, and against queueing theory, within stated confidence intervals.

The unit of theory is one mean service, 1 ms. Replications are independent tapes of fixed seeds; the interval is
Student's at 99.9 %, and its half-width is bounded too, so that a wide one cannot pass for agreement.
"""

import math
from collections import deque
from heapq import heappop, heappush
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_theory import run

from sos_gym import Tape

MS = 1_000_000
FREE = {"switch_ns": 0, "move_ns": 0}


def responses(tape: Tape, policy: str, cores: int, tick_ns=None) -> np.ndarray:  # ns (jobs,)
    """Exit minus arrival of each job."""
    threads = run(tape, policy, cores=cores, tick_ns=tick_ns, **FREE).arrays["threads"]
    return threads["exit_ns"] - threads["arrival_ns"]


# -- job lists, to the ns


def fcfs(jobs, cores):
    free, exits = [0] * cores, [0] * len(jobs)
    for i in sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i)):
        exits[i] = max(heappop(free), jobs[i][0]) + jobs[i][1]
        heappush(free, exits[i])
    return exits


def round_robin(jobs, quantum):
    """One core. At one ns: completion, arrivals, the end of the slice: an arrival queues before the preempted."""
    coming = deque(sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i)))
    left, exits, queue, running, now, slice_end = [ns for _, ns in jobs], [0] * len(jobs), deque(), None, 0, 0
    while coming or queue or running is not None:
        after = [] if running is None else [now + left[running], slice_end]
        then = min(after + [jobs[i][0] for i in list(coming)[:1]])
        if running is not None:
            left[running] -= then - now
        now = then
        ended = running is not None and left[running] == 0
        while coming and jobs[coming[0]][0] == now:
            queue.append(coming.popleft())
        if ended:
            exits[running], running = now, None
        elif running is not None and now == slice_end:
            slice_end += quantum
            if queue:
                queue.append(running)
                running = None
        while running is None and queue:
            running, slice_end = queue.popleft(), now + quantum
            if left[running] == 0:
                exits[running], running = now, None
    return exits


def srpt(jobs):
    """One core. Equals keep it, then who waits longest goes first; an idle core takes the first of an instant."""
    coming = deque(sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i)))
    left, exits, waiting, order = [ns for _, ns in jobs], [0] * len(jobs), {}, count()
    running, now = None, 0

    def settled(running):
        """Who runs once nobody who is done does."""
        while running is not None and left[running] == 0:
            exits[running] = now
            running = min(waiting, key=lambda i: (left[i], waiting[i]), default=None)
            waiting.pop(running, None)
        return running

    while coming or running is not None:
        after = [] if running is None else [now + left[running]]
        then = min(after + [jobs[i][0] for i in list(coming)[:1]])
        if running is not None:
            left[running] -= then - now
        now, new = then, []
        while coming and jobs[coming[0]][0] == now:
            new.append(coming.popleft())
        waiting |= {i: next(order) for i in new}
        running = settled(running)
        for i in new:
            if i in waiting and (running is None or left[i] < left[running]):
                if running is not None:
                    waiting[running] = next(order)
                del waiting[i]
                running = settled(i)
    return exits


few = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=10)
many = st.lists(st.tuples(st.integers(0, 40 * MS), st.integers(0, 3 * MS)), min_size=1, max_size=40)
job_lists = st.one_of(few, many)


def exits(jobs, policy, cores=1, tick_ns=None):
    tape = Tape.from_jobs([arrival for arrival, _ in jobs], [ns for _, ns in jobs])
    return (responses(tape, policy, cores, tick_ns) + tape.threads["arrival_ns"]).tolist()


@settings(max_examples=150, deadline=None)
@given(job_lists, st.integers(1, 3), st.none() | st.integers(1, 5))
def test_fcfs_equals_the_list(jobs, cores, tick):
    tick_ns = tick and tick * max(1, max(ns for _, ns in jobs) // 4)
    assert exits(jobs, "seniority", cores, tick_ns) == fcfs(jobs, cores)


@settings(max_examples=150, deadline=None)
@given(job_lists, st.integers(1, 5))
def test_round_robin_equals_the_list(jobs, tick):
    quantum = tick * max(1, max(ns for _, ns in jobs) // 12)
    assert exits(jobs, "round_robin", tick_ns=quantum) == round_robin(jobs, quantum)


@settings(max_examples=150, deadline=None)
@given(job_lists)
def test_srpt_equals_the_list(jobs):
    assert exits(jobs, "srpt") == srpt(jobs)


def test_the_lists_by_hand():
    jobs = [(0, 8), (0, 4), (4, 4)]
    assert fcfs(jobs, 1) == [8, 12, 16] and fcfs(jobs, 2) == [8, 4, 8]
    assert round_robin(jobs, 4) == [16, 8, 12]
    assert srpt(jobs) == [16, 4, 8]


# -- theory


def erlang_c(cores: int, load: float) -> float:
    """Mean response of M/M/c at mu = 1 and utilisation `load`."""
    offered = cores * load
    busy = offered**cores / math.factorial(cores) / (1 - load)
    waits = busy / (sum(offered**k / math.factorial(k) for k in range(cores)) + busy)
    return 1 + waits / (cores * (1 - load))


H2 = ((0.9, 0.5), (0.1, 5.5))  # (share, mean): 90 % small jobs of 0.5, 10 % large ones of 5.5; mean 1
M = ((1.0, 1.0),)


def srpt_response(mixture, load: float) -> float:
    """Schrage and Miller 1966, integrated on a grid; x = jobs up to that size, mean service 1."""
    x = np.linspace(0, 90, 400_001)
    density = sum(share / mean * np.exp(-x / mean) for share, mean in mixture)
    tail = sum(share * np.exp(-x / mean) for share, mean in mixture)

    def integral(values):
        return np.concatenate(([0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(x))))

    rest = 1 - load * integral(x * density)
    waiting = load * (integral(x**2 * density) + x**2 * tail) / (2 * rest**2)
    return float(integral((waiting + integral(1 / rest)) * density)[-1])


def test_formulas_give_the_published_numbers():
    assert [erlang_c(cores, 0.9) for cores in (1, 2, 4)] == pytest.approx([10, 5.26316, 2.96938], abs=1e-5)
    assert srpt_response(M, 0.8) == pytest.approx(2.35277, abs=2e-4)
    assert srpt_response(H2, 0.8) == pytest.approx(2.1847, abs=2e-4)
    second_moment = sum(share * 2 * mean**2 for share, mean in H2)
    assert 1 + 0.8 * second_moment / (2 * (1 - 0.8)) == pytest.approx(14)  # Pollaczek and Khinchin


def arrivals(seed: int, jobs: int, load: float, mixture) -> Tape:
    """Poisson arrivals of `load` a ms, service by the mixture."""
    rng = np.random.default_rng([seed, jobs])
    means = rng.choice([mean for _, mean in mixture], jobs, p=[share for share, _ in mixture])
    service = rng.exponential(means)
    return Tape.from_jobs(
        np.rint(np.cumsum(rng.exponential(1 / load, jobs)) * MS).astype(int), np.rint(service * MS).astype(int)
    )


STUDENT = {19: 3.883, 29: 3.659}  # two-sided 99.9 %, by degrees of freedom


def interval(tapes, cores: int, **ways) -> dict[str, tuple[float, float]]:
    """Mean response in ms and half-width, per policy; the first tenth warms up, the last twentieth runs empty."""
    found = {}
    for policy, tick_ns in ways.items():
        means = []
        for tape in tapes:
            jobs = len(tape.threads)
            means.append(responses(tape, policy, cores, tick_ns)[jobs // 10 : -jobs // 20].mean() / MS)
        found[policy] = (
            float(np.mean(means)),
            STUDENT[len(tapes) - 1] * float(np.std(means, ddof=1)) / len(means) ** 0.5,
        )
    return found


def check(found, expected, widest):
    for policy, theory in expected.items():
        mean, half = found[policy]
        assert half < widest[policy] * theory, (policy, mean, half, theory)
        assert abs(mean - theory) < half, (policy, mean, half, theory)


def test_one_core_exponential():
    """M/M/1, load .8: FCFS and PS 1 / (mu - lambda) = 5, SRPT 2.35277."""
    tapes = [arrivals(seed, 8_000, 0.8, M) for seed in range(20)]
    found = interval(tapes, 1, seniority=None, turns=50_000, clairvoyant=None)
    check(
        found,
        {"seniority": 5, "turns": 5, "clairvoyant": 2.35277},
        {"seniority": 0.15, "turns": 0.15, "clairvoyant": 0.08},
    )


def test_one_core_hyperexponential():
    """M/H2/1, load .8: FCFS 14, PS 5, SRPT 2.1847."""
    tapes = [arrivals(100 + seed, 15_000, 0.8, H2) for seed in range(30)]
    found = interval(tapes, 1, seniority=None, turns=50_000, clairvoyant=None)
    check(
        found,
        {"seniority": 14, "turns": 5, "clairvoyant": 2.1847},
        {"seniority": 0.25, "turns": 0.2, "clairvoyant": 0.1},
    )


@pytest.mark.parametrize("cores", [2, 4])
def test_several_cores(cores):
    """M/M/c by Erlang C, load .8."""
    tapes = [arrivals(200 + seed, 4_000, 0.8 * cores, M) for seed in range(20)]
    theory = erlang_c(cores, 0.8)
    check(interval(tapes, cores, seniority=None), {"seniority": theory}, {"seniority": 0.15})


def test_processor_sharing_is_blind_and_linear():
    """PS: the mean response of a job of size x is x / (1 - load), whatever the sizes' distribution."""
    slow = []
    for seed in range(20):
        tape = arrivals(300 + seed, 4_000, 0.7, H2)
        size = tape.ops["arg"]
        kept = np.arange(len(size)) > 400
        ratio = responses(tape, "turns", 1, 20_000) / np.maximum(size, 1)
        slow.append([ratio[kept & part].mean() for part in ((size > MS / 2) & (size < 2 * MS), size > 4 * MS)])
    means, errors = np.mean(slow, 0), STUDENT[19] * np.std(slow, 0, ddof=1) / 20**0.5
    assert (errors < 0.2 / 0.3).all()
    assert (abs(means - 1 / 0.3) < errors).all()
