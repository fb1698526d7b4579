"""Where frames have tiers a policy of lists keeps the fast one as a cache of the others: as Memory of that size."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import host, run

from sos_gym import Tape
from sos_gym.engine.records import pick_at
from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel
from sos_gym.policy import policies
from sos_gym.policy.contract import names_victim, pick_without_victim
from sos_gym.resource import Op, Resource
from sos_gym.settings.environment import build_settings

FAST, PAGES = 3, 9
CACHES = [name for name, card in policies().items() if card.fast_only]
# cacheus, lecar: by chance, drawn by the decision's number; clockpro: its hands turn at the wants of first touches too
ALIKE = [name for name in CACHES if name not in ("cacheus", "lecar", "clockpro")]
traces = st.lists(st.integers(0, PAGES - 1), min_size=1, max_size=80)
TIERS = {"nodes": 2, "tiers": True, "hint_ns": 1}


@kernel
def always(my, decision):
    """Whoever asks is promoted, as into a cache: what they are told of must be enough for their rule to be exact."""
    if names_victim(my, decision):
        return pick_at(my.victim_at)(my, decision)
    return pick_without_victim(my, decision)


@cache
def promoting(name):
    return dataclasses.replace(policies()[name], pick=always).host()


def promotions(references, one) -> int:
    """Once the fast tier is full every page that comes up changes places with one that goes down."""
    made = build_settings({"frames": (FAST, PAGES), **TIERS})
    simulation = Simulation(Tape.from_references([*range(PAGES), *references]), made, [one], driver=0, seed=1)
    simulation.advance()
    assert simulation.record["evictions"][0] == 0
    return int(simulation.record["moves"][0]) // 2


def evictions(references, name) -> int:
    return int(run(Tape.from_references([*range(FAST), *references]), name, frames=FAST).record["evictions"][0])


def test_which_they_are():
    assert {"arc", "s3fifo", "twoq", "slru", "sieve", "lirs", "tinylfu", "clockpro", "mru"} <= set(CACHES)
    assert not {"recency", "frequency", "clairvoyant"} & set(CACHES)  # by claim, which ranks all pages


@pytest.mark.parametrize("name", ALIKE)
def test_the_fast_tier_is_a_cache(name):
    """Every hint is a miss, every demotion an eviction, and ghosts and shares have the size of the fast tier."""

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(traces)
    def check(references):
        assert promotions(references, promoting(name)) == evictions(references, name)

    check()


def test_they_are_not_one():
    """A loop that does not fit, beside a few pages that are used often: eleven of them had promoted alike."""
    rng = np.random.default_rng(5)
    references = [int(page) for i in range(300) for page in (i % 6 + 3, rng.integers(3))]
    counts = {name: promotions(references, host(name)) for name in CACHES}
    assert len(set(counts.values())) >= len(counts) - 3, counts


@pytest.mark.parametrize("name", [*CACHES, "recency", "lhd", "lruk", "hyperbolic", "second_chance"])
def test_tiers_that_are_full(name):
    """Pages on both tiers, pinned ones, ones that may lie on one node only, and advice: everything ends."""
    rng = np.random.default_rng(1)
    ops = [(Op.READ, int(page), 1) for page in rng.integers(0, 12, 400)]
    for at in rng.integers(0, 400, 40):
        ops[at] = (rng.choice([Op.COLD, Op.PAGEOUT, Op.DONTNEED]), int(rng.integers(12)))
    pages = {0: {"pinned": 1, "affinity": 2}, 1: {"affinity": 1}, 2: {"affinity": 2}, 3: {"file": 1}}
    tape = Tape.build([ops, ops[::-1]], pages=pages, owner=[0, 0])
    for cores, scan_ns in ((None, None), ((1, 1), 400_000)):
        simulation = run(tape, name, frames=(3, 4), cores=cores, scan_ns=scan_ns, **TIERS)
        assert simulation.over


def test_the_coldest_of_the_slow_tier_goes_first():
    """Both tiers are full: a fault takes the page of the slow one that was used least recently, here page 3, not 2."""
    tape = Tape.build([[(Op.READ, page, 1) for page in (0, 1, 2, 3, 2, 4)]])
    made = build_settings({"nodes": 2, "frames": (2, 2), "tiers": True})
    simulation = Simulation(tape, made, [host("s3fifo")], driver=0)
    simulation.advance()
    held = simulation.arrays["slots"]["last"].tolist()  # until the thread exited
    assert held[:4] == [1, 2, 3, 5]  # entities; page 4 came to the frame of page 3
    assert simulation.arrays["policies"]["capacity"][Resource.MEMORY] == 2


@pytest.mark.parametrize(("used", "goes_up"), [((0,), False), ((1,), True), ((), True)])
def test_who_was_used_before_the_victim_was_stays_below(used, goes_up):
    """Pages 0 and 1 are fast, 2 slow, and asks at its second touch. 2Q's victim is 0, the first in, whatever is used.

    If page 0 was used since page 2 was, to change places would bring up the colder one.
    """
    tape = Tape.build([[(Op.READ, page, 1) for page in (0, 1, 2, *used, 2)]])
    simulation = run(tape, "twoq(kin=0)", frames=(2, 2), **TIERS)
    assert bool(simulation.record["moves"][0]) == goes_up
