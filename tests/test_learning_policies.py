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


# -- Cacheus


class SlowCacheus:
    """The paper's algorithms 1 to 3 and the authors' warm-up, on ordered dicts."""

    def __init__(self, frames, draws, drawn_rate):
        self.n, self.draws, self.drawn_rate = frames, draws, drawn_rate
        self.fresh, self.reused = OrderedDict(), OrderedDict()
        self.histories = OrderedDict(), OrderedDict()
        self.room = frames - max(1, int(0.01 * frames + 0.5))
        self.count, self.last, self.new, self.demoted = {}, {}, set(), set()
        self.weight, self.rate, self.last_rate = [0.5, 0.5], math.sqrt(2 * math.log(2) / frames), 0.0
        self.time = self.hits = self.last_hits = self.idle = self.missed = self.decisions = 0

    def demote(self):
        page, _ = self.reused.popitem(last=False)
        self.demoted.add(page)
        self.fresh[page] = None

    def news(self):
        return len(self.new & self.histories[0].keys())

    def hit(self, page):
        self.hits += 1
        if page in self.fresh:
            del self.fresh[page]
            if page in self.demoted:
                step = max(1, int(self.news() / len(self.demoted) + 0.5))
                self.room = min(self.n - 1, self.room + step)
                self.demoted.remove(page)
            if self.reused and len(self.reused) >= self.room:
                self.demote()
        self.reused[page] = None
        self.reused.move_to_end(page)

    def recall(self, page):
        """Whether it comes from a history."""
        for expert in (0, 1):
            if page not in self.histories[expert]:
                continue
            self.count[page] = self.histories[expert].pop(page)
            if expert == 0 and page in self.new:
                step = max(1, int(len(self.demoted) / max(1, self.news()) + 0.5))
                self.room = max(1, self.room - step)
            self.new.discard(page)
            self.weight[expert] *= math.exp(-self.rate)
            self.weight[expert] = max(self.weight[expert] / sum(self.weight), 0.01)
            self.weight[1 - expert] = 1 - self.weight[expert]
            return True
        self.count[page] = 0
        return False

    def evict(self):
        residents = [*self.fresh, *self.reused]
        victims = residents[0], min(residents, key=lambda p: (self.count[p], -self.last[p]))
        expert = 0 if self.draws(self.decisions) < self.weight[0] else 1
        self.decisions += 1
        victim = victims[expert]
        for where in (self.fresh, self.reused):
            where.pop(victim, None)
        self.demoted.discard(victim)
        if victims[0] == victims[1]:
            self.new.discard(victim)
            return
        self.histories[expert][victim] = self.count[victim]
        if len(self.histories[expert]) > self.n // 2:
            self.new.discard(self.histories[expert].popitem(last=False)[0])

    def miss(self, page):
        self.missed += 1
        full = len(self.fresh) + len(self.reused) == self.n
        returns = self.recall(page)
        if full:
            self.evict()
        if returns or (not full and not self.fresh and len(self.reused) < self.room):
            self.reused[page] = None
        else:
            self.fresh[page] = None
            self.new |= {page} if full else set()
        while full and self.reused and len(self.reused) >= self.room:
            self.demote()

    def adapt(self):
        gain, moved = self.hits - self.last_hits, self.rate - self.last_rate
        self.last_hits, self.last_rate = self.hits, self.rate
        if abs(moved) > 0.0005:
            sign = 1 if gain * moved > 0 else -1
            self.rate = min(max(self.rate + sign * abs(self.rate * moved), 0.001), 1)
            self.idle = 0
        elif self.hits == 0 or gain <= 0:
            self.idle += 1
            if self.idle == 10:
                self.rate, self.idle = 0.001 + 0.999 * self.drawn_rate(self.time), 0
        self.hits = 0

    def run(self, references):
        for page in references:
            self.time += 1
            if page in self.fresh or page in self.reused:
                self.hit(page)
            else:
                self.miss(page)
            self.count[page] += 1
            self.last[page] = self.time
            if (self.time + 1) % self.n == 0:
                self.adapt()
        return self.missed


def compare_cacheus(references, frames):
    simulation = run(Tape.from_references(references), "cacheus", frames=frames)
    seed = int(simulation.arrays["policies"]["seed"][Resource.MEMORY])
    slow = SlowCacheus(frames, draws_of(simulation), lambda time: uniform(seed, time, 1))
    assert simulation.record["faults"][0] == slow.run(references)


@settings(max_examples=150, deadline=None)
@given(short, st.integers(2, 6))
def test_cacheus_equals_the_paper(references, frames):
    compare_cacheus(references, frames)


@pytest.mark.parametrize("frames", [20, 50, 110])
def test_cacheus_equals_the_paper_where_phases_change(frames):
    parts = zipf(1.1, 3_000, 300, 2), np.arange(3_000) % 90, zipf(0.7, 3_000, 200, 3), 500 + np.arange(2_000)
    compare_cacheus(np.concatenate(parts).tolist(), frames)
