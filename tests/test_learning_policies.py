"""Ageing, hyperbolic, LHD, LeCaR and Cacheus against slow plain Python, published behaviour and libCacheSim."""

import math
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_theory import misses, run

from sos_gym import Tape
from sos_gym.engine.chance import uniform
from sos_gym.resource import Resource

FREE = {name: 0 for name in ("swap_in_ns", "minor_fault_ns", "first_touch_ns", "shootdown_ns", "shootdown_core_ns")}
short = st.lists(st.integers(0, 9), min_size=1, max_size=80)


def zipf(alpha: float, length: int, pages: int, seed: int) -> np.ndarray:
    mass = np.cumsum(1 / np.arange(1, pages + 1) ** alpha)
    return np.searchsorted(mass, np.random.default_rng(seed).random(length) * mass[-1])


# -- ageing


def misses_of_ageing(references, frames: int) -> int:
    """LFU-DA from the paper: a page's key is its count plus the age of the cache when it is referenced."""
    count, key, last = {}, {}, {}
    age = missed = 0
    for now, page in enumerate(references):
        if page not in key:
            missed += 1
            if len(key) == frames:
                victim = min(key, key=lambda p: (key[p], last[p]))
                age = key.pop(victim)
            count[page] = 0
        count[page] += 1
        key[page], last[page] = count[page] + age, now
    return missed


@settings(max_examples=150, deadline=None)
@given(short, st.integers(2, 6))
def test_ageing_equals_the_paper(references, frames):
    assert misses(references, "ageing", frames) == misses_of_ageing(references, frames)


def test_ageing_equals_the_paper_on_a_long_trace():
    references = zipf(0.9, 20_000, 900, 1).tolist()
    assert misses(references, "lfuda", 90) == misses_of_ageing(references, 90)


# -- hyperbolic


def misses_of_hyperbolic(references, frames: int) -> int:
    """Everybody is asked: uses over time in the cache, ties by LRU."""
    entered, uses, last = {}, {}, {}
    missed = 0
    for now, page in enumerate(references):
        if page not in entered:
            missed += 1
            if len(entered) == frames:
                victim = min(entered, key=lambda p: (uses[p] / (now - entered[p]), last[p]))
                del entered[victim]
            entered[page], uses[page] = now, 0
        uses[page] += 1
        last[page] = now
    return missed


@settings(max_examples=150, deadline=None)
@given(short, st.integers(2, 6))
def test_hyperbolic_equals_the_paper(references, frames):
    tape = Tape.from_references(references)
    found = run(tape, "hyperbolic(sample=0)", frames=frames, **FREE).record["faults"][0]
    assert found == misses_of_hyperbolic(references, frames)


# -- LeCaR


def draws_of(simulation):
    """What the policy is told by chance at decision 0, 1, ..."""
    seed = int(simulation.arrays["policies"]["seed"][Resource.MEMORY])
    return lambda number: uniform(seed, number, 0)


def misses_of_lecar(references, frames: int, draw, keep=True, floor=0.01) -> int:
    """Algorithm 1 of the paper with two plain weights; histories, floor and counts as the authors' code has them."""
    count, last, left = {}, {}, {}
    resident, histories, weight = OrderedDict(), (OrderedDict(), OrderedDict()), [0.5, 0.5]
    missed = decisions = 0
    for now, page in enumerate(references):
        if page not in resident:
            missed += 1
            for expert in (0, 1):
                if page in histories[expert]:
                    count[page] = keep * histories[expert].pop(page)
                    weight[expert] *= math.exp(-0.45 * 0.005 ** ((now - left[page]) / frames))
                    weight[expert] = max(weight[expert] / sum(weight), floor)
                    weight[1 - expert] = 1 - weight[expert]
                    break
            else:
                count[page] = 0
            if len(resident) == frames:
                victims = next(iter(resident)), min(resident, key=lambda p: (count[p], last[p]))
                expert = 0 if draw(decisions) < weight[0] else 1
                decisions += 1
                victim = victims[expert]
                del resident[victim]
                if victims[0] != victims[1]:
                    left[victim], histories[expert][victim] = now, count[victim]
                    if len(histories[expert]) > frames // 2:
                        histories[expert].popitem(last=False)
        resident[page] = None
        resident.move_to_end(page)
        count[page] += 1
        last[page] = now
    return missed


@settings(max_examples=100, deadline=None)
@given(short, st.integers(2, 6), st.booleans())
def test_lecar_equals_the_paper(references, frames, keep):
    spec = "lecar" if keep else "lecar(keep=0, floor=1e-10)"
    simulation = run(Tape.from_references(references), spec, frames=frames)
    found = misses_of_lecar(references, frames, draws_of(simulation), keep, 0.01 if keep else 1e-10)
    assert simulation.record["faults"][0] == found


@pytest.mark.parametrize("keep", [False, True])
def test_lecar_equals_the_paper_where_phases_change(keep):
    references = np.concatenate([zipf(1.1, 3_000, 300, 2), np.arange(3_000) % 90, zipf(0.7, 3_000, 200, 3)]).tolist()
    simulation = run(Tape.from_references(references), "lecar" if keep else "lecar(keep=0)", frames=50)
    assert simulation.record["faults"][0] == misses_of_lecar(references, 50, draws_of(simulation), keep)
