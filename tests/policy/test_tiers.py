"""Where frames have tiers a policy of lists keeps the fast one as a cache of the others: as Memory of that size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import host, run

from sos_gym import Tape
from sos_gym.engine.simulation import Simulation
from sos_gym.policy import policies
from sos_gym.resource import Op, Resource
from sos_gym.settings.environment import build_settings

FAST, PAGES = 3, 9
CACHES = [name for name, card in policies().items() if card.fast_only]
# cacheus, lecar: by chance, drawn by the decision's number; clockpro: its hands turn at the wants of first touches too
ALIKE = [name for name in CACHES if name not in ("cacheus", "lecar", "clockpro")]
traces = st.lists(st.integers(0, PAGES - 1), min_size=1, max_size=80)
TIERS = {"nodes": 2, "tiers": True, "hint_ns": 1}


def promotions(references, name) -> int:
    """Once the fast tier is full every page that comes up changes places with one that goes down."""
    tape = Tape.from_references([*range(PAGES), *references])
    record = run(tape, name, frames=(FAST, PAGES), **TIERS).record[0]
    assert record["evictions"] == 0
    return int(record["moves"]) // 2


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
        assert promotions(references, name) == evictions(references, name)

    check()


def test_they_are_not_one():
    """A loop that does not fit, beside a few pages that are used often: eleven of them had promoted alike."""
    rng = np.random.default_rng(5)
    references = [int(page) for i in range(300) for page in (i % 6 + 3, rng.integers(3))]
    counts = {name: promotions(references, name) for name in CACHES}
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
