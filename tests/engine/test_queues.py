"""Cores against plain job lists, to the ns, and against queueing theory, within stated confidence intervals.

The unit of theory is one mean service, 1 ms. Replications are independent tapes of fixed seeds; the interval is
Student's at 99.9 %, and its half-width is bounded too, so that a wide one cannot pass for agreement.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_lists import FREE, exits, fcfs, responses, round_robin, srpt
from runs import MS

from sos_gym import Tape
from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel
from sos_gym.policy import policy_named
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE
from sos_gym.settings.environment import build_settings

# -- job lists, to the ns


few = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=10)
many = st.lists(st.tuples(st.integers(0, 40 * MS), st.integers(0, 3 * MS)), min_size=1, max_size=40)
job_lists = st.one_of(few, many)


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
    assert foreground_response(M, 0.8) == pytest.approx(5, abs=1e-3)  # exponential: no rule blind to size differs
    assert foreground_response(H2, 0.8) == pytest.approx(3.7310, abs=2e-4)
    assert cobham([(0.5, 1, 2)], True) == cobham([(0.5, 1, 2)], False) == [2]
    assert cobham([(0.25, 1, 2)] * 2, True) == pytest.approx([4 / 3, 8 / 3])
    second_moment = sum(share * 2 * mean**2 for share, mean in H2)
    assert 1 + 0.8 * second_moment / (2 * (1 - 0.8)) == pytest.approx(14)  # Pollaczek and Khinchin


def foreground_response(mixture, load: float) -> float:
    """Least attained service first, Kleinrock 1976, ch. 4: size x sees every job cut off at x."""
    x = np.linspace(0, 90, 400_001)
    density = sum(share / mean * np.exp(-x / mean) for share, mean in mixture)
    tail = sum(share * np.exp(-x / mean) for share, mean in mixture)

    def integral(values):
        return np.concatenate(([0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(x))))

    rest = 1 - load * integral(tail)
    return float(integral((load * integral(x * tail) / rest**2 + x / rest) * density)[-1])


def cobham(classes, preempts: bool) -> list[float]:
    """Mean response of each class, the first goes first; (arrivals, mean, second moment) of its service.

    Cobham 1954 without preemption, White and Christie 1958 with preemption and resumption.
    """
    found, before, backlog = [], 0.0, sum(rate * second / 2 for rate, _, second in classes) * (not preempts)
    for rate, mean, second in classes:
        here = before + rate * mean
        backlog += rate * second / 2 * preempts
        waits = backlog / ((1 - before) * (1 - here))
        found.append(waits + mean / (1 - before if preempts else 1))
        before = here
    return found


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


def test_foreground_background_hyperexponential():
    """M/H2/1, load .8, least attained service first; a quantum of 1/50 of the mean service."""
    tapes = [arrivals(400 + seed, 20_000, 0.8, H2) for seed in range(20)]
    theory = foreground_response(H2, 0.8)
    check(interval(tapes, 1, attained=20_000), {"attained": theory}, {"attained": 0.12})


# -- priorities


@kernel
def _stays(my, entity):
    """Its weight, but who holds the core is not to be displaced."""
    return (float(entity.weight) if entity.slot == NONE else math.inf), 0.0


NONPREEMPTIVE = Policy("nonpreemptive", "", "", "", "", "", claim=_stays)
CLASSES = ((0.3, ((1.0, 0.5),), 3_000), (0.3, H2, 2_000), (0.2, M, 1_000))  # arrivals a ms, service, weight


def prioritised(seed: int, time: float) -> Tape:  # ms
    """Poisson arrivals of each class."""
    rng, columns = np.random.default_rng([500, seed]), []
    for rate, mixture, weight in CLASSES:
        jobs = rng.poisson(rate * time)
        means = rng.choice([mean for _, mean in mixture], jobs, p=[share for share, _ in mixture])
        columns.append([np.sort(rng.random(jobs)) * time, rng.exponential(means), np.full(jobs, weight)])
    arrival, service, weight = np.concatenate(columns, axis=1)
    return Tape.from_jobs(*(np.rint(ns * MS).astype(int) for ns in (arrival, service)), weight=weight.astype(int))


@pytest.mark.parametrize("preempts", [True, False])
def test_priorities(preempts):
    """Three classes of unlike service on one core, load .65: responses of each by Cobham's formulas."""
    time, found = 60_000, []
    for seed in range(20):
        tape = prioritised(seed, time)
        host = policy_named("priority").host() if preempts else NONPREEMPTIVE.host()
        made = build_settings({"nodes": 1, "cores": 1, "tick_ns": None, **FREE})
        simulation = Simulation(tape, made, [host], driver=0)
        simulation.advance()
        threads = simulation.arrays["threads"]
        response = (threads["exit_ns"] - threads["arrival_ns"]) / MS
        warm = (threads["arrival_ns"] > time * MS / 10) & (threads["arrival_ns"] < time * MS * 0.95)
        found.append([response[warm & (tape.threads["weight"] == weight)].mean() for *_, weight in CLASSES])
    means, halves = np.mean(found, 0), STUDENT[19] * np.std(found, 0, ddof=1) / 20**0.5
    moments = [
        (rate, sum(share * mean for share, mean in mixture), sum(2 * share * mean**2 for share, mean in mixture))
        for rate, mixture, _ in CLASSES
    ]
    theory = np.array(cobham(moments, preempts))
    assert (halves < 0.15 * theory).all(), (halves, theory)
    assert (abs(means - theory) < halves).all(), (means, halves, theory)
