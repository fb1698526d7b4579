"""What is possible: the least stall, what a generator knows, and bounds."""

from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sos_gym
from sos_gym import Tape, TapeError, evaluate, policies, workload
from sos_gym.bounds import best_known, min_misses, stall_bound_ns
from sos_gym.envs.env import SosEnv
from sos_gym.resource import Op
from sos_gym.settings.environment import build_settings
from sos_gym.settings.ranges import SettingError
from sos_gym.workload.families.draws import zipf_gaps
from sos_gym.workload.families.registry import FAMILIES
from sos_gym.workload.forecast import GROWING, MEMORYLESS, Known, forecast, is_informed

INFORMED = sorted(filter(is_informed, FAMILIES))
IDS = {"memory": "sos/Memory-v0", "tier": "sos/Tier-v0", "cpu": "sos/CPU-v0", "joint": "sos/System-v0"}
MS = 1_000_000
BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]

# -- informed


def test_every_family_that_is_drawn_informs():
    assert set(INFORMED) == {name for name, family in FAMILIES.items() if not family.by_split}


@pytest.mark.parametrize("name", INFORMED)
def test_forecasts_change_no_draw_and_name_what_is_there(name):
    tape = workload(name, 3, "val")
    known = Known()
    assert workload(name, 3, "val", known=known) == tape
    rows = forecast(tape)
    assert np.array_equal(rows, known.rows(tape)) and len(rows)
    assert (np.diff(rows["at"]) >= 0).all() and rows["entity"].max() < len(tape.threads) + len(tape.pages)
    told = set(rows["entity"].tolist())
    if FAMILIES[name].card.side != "cpu":
        assert told >= set(range(len(tape.threads), len(tape.threads) + len(tape.pages)))  # of every page
    if FAMILIES[name].card.side in ("cpu", "joint"):
        assert told >= set(range(len(tape.threads)))  # of every thread


def a0_misses(pages: list[int], gaps: np.ndarray, frames: int) -> int:
    """Plain A0: who is least likely goes; of equals the least recently used."""
    held: dict[int, int] = {}
    misses = 0
    for i, page in enumerate(pages):
        if page not in held:
            misses += 1
            if len(held) == frames:
                del held[max(held, key=lambda p: (gaps[p], -held[p]))]
        held[page] = i
    return misses


@pytest.mark.parametrize("frames", [5, 20, 60])
def test_on_independent_draws_it_is_a0(frames):
    tape = workload("zipf", 1, pages=200, references=3000, alpha=0.8)
    ranks = np.random.Generator(np.random.PCG64(np.random.SeedSequence([1, crc32(b"zipf")])))
    weights = np.cumsum(np.arange(1, 201, dtype=float) ** -0.8)
    names = np.minimum(np.searchsorted(weights, ranks.random(3000) * weights[-1], side="right"), 199).tolist()
    run = evaluate("sos/Memory-v0", "informed", tape, nodes=1, frames=frames, scan_ns=None)[0]
    gaps = np.maximum(np.rint(zipf_gaps(200, 0.8)), 1)
    assert run["faults"] == a0_misses(names, gaps, frames)
    least = evaluate("sos/Memory-v0", "clairvoyant", tape, nodes=1, frames=frames, scan_ns=None)[0]["faults"]
    lru = evaluate("sos/Memory-v0", "lru", tape, nodes=1, frames=frames, scan_ns=None)[0]["faults"]
    assert least < run["faults"] < lru


def test_what_is_determined_is_known():
    """A circle: the generator knows all, and A0 becomes MIN."""
    alone = {"nodes": 1, "frames": 50, "scan_ns": None}
    runs = [evaluate("sos/Memory-v0", policy, "loop", **alone)[0] for policy in ("informed", "clairvoyant", "lru")]
    assert runs[0]["faults"] == runs[1]["faults"] < runs[2]["faults"] / 1.5


@pytest.mark.parametrize("name", ["interactive_batch", "request_reply"])
def test_the_shortest_mean_rest_runs(name):
    """Step by step: who is let run has the least mean among all who wait, as the family's parameters have it."""
    env = SosEnv(IDS["cpu"], workload=name, advisors=("informed(worth=0)",), rows=32, cores=1, nodes=1)
    _, info = env.reset(seed=2)
    means = {int(row["entity"]): int(row["value"]) for row in forecast(env.tape)}
    choices = 0
    while True:
        row = info["advice"].get("informed(worth=0)", 0)
        if info["decision"]["open"] and info["decision"]["kind"] == "admit":
            shown = [e for e in env.candidates if e >= 0]
            assert means[env.candidates[row]] == min(means[e] for e in shown)
            choices += len({means[e] for e in shown}) > 1
        _, _, terminated, _, info = env.step(row)
        if terminated:
            break
    assert choices > 50


def test_a_generator_does_not_know_its_draw():
    """Two draws of the same parameters: the same things are told; where one differs from the other is not."""
    values = [set(forecast(workload("zipf", seed, pages=300))["value"].tolist()) for seed in (1, 2)]
    allowed = set(np.maximum(np.rint(zipf_gaps(300, 0.99)), 1).astype(int).tolist())
    assert values[0] <= allowed and values[1] <= allowed
    rows = forecast(workload("hyperexponential", 1))
    assert set(rows["value"].tolist()) == {MS // 2, 4_250_000} and set(rows["then"].tolist()) == {MEMORYLESS}
    rows = forecast(workload("bounded_pareto", 1))
    assert GROWING in set(rows["then"].tolist()) and rows["value"].min() >= 300_000


def test_informed_bursts_are_of_the_class_that_was_drawn():
    """The mean of bursts of either class lies in its interval."""
    bursts: dict[int, list[int]] = {}
    for seed in range(40):
        tape = workload("hyperexponential", seed)
        for row in forecast(tape):
            assert tape.ops["op"][row["at"]] == Op.COMPUTE
            bursts.setdefault(int(row["value"]), []).append(int(tape.ops["arg"][row["at"]]))
    for mean, drawn in bursts.items():
        assert np.mean(drawn) == pytest.approx(mean, abs=4 * np.std(drawn) / np.sqrt(len(drawn)))


@pytest.mark.parametrize("name", ["phases", "hyperexponential", "working_sets", "tiered"])
def test_informed_decides_alike_in_the_engine_and_through_gym(name):
    env_id = IDS[FAMILIES[name].card.side]
    inside, stepped = (evaluate(env_id, "informed", name, 5, through=way)[0] for way in ("engine", "gym"))
    assert inside == stepped
    lottery, known = (evaluate(env_id, policy, name, 0, 4) for policy in ("lottery", "informed"))
    assert sum(run["stall_ns"] for run in known) < 0.85 * sum(run["stall_ns"] for run in lottery)


def test_what_has_no_generator_informs_nobody():
    for tape in ("sort", Tape.from_references(BELADY)):
        with pytest.raises(TapeError, match=r"has no generator .* draws of .*phases"):
            evaluate("sos/Memory-v0", "informed", tape)
    with pytest.raises(TapeError, match="has no generator"):
        evaluate("sos/Memory-v0", "informed", "recorded_memory")
    forged = workload("zipf", 1)
    forged.card["seed"] = 2
    with pytest.raises(TapeError, match="is not what its card says"):
        evaluate("sos/Memory-v0", "informed", forged)
    assert "informed" not in policies()


# -- the least stall


def test_the_best_known_is_the_least_of_all():
    tape = workload("phases", 0, references=200)
    best, stall = best_known("sos/Memory-v0", tape)
    stalls = {name: evaluate("sos/Memory-v0", name, tape)[0]["weighted_stall_ns"] for name in policies()}
    assert stall == min(stalls.values()) == stalls[best]


# -- bounds


def test_min_misses_are_beladys():
    assert [min_misses(np.array(BELADY), frames) for frames in (3, 4)] == [7, 6]
    for seed in range(3):
        tape = workload("zipf", seed, pages=120, references=2000)
        run = evaluate("sos/Memory-v0", "clairvoyant", tape, nodes=1, frames=30, scan_ns=None)[0]
        assert min_misses(tape.ops["arg"], 30) == run["faults"]


COSTS = {"swap_in_ns": 50, "minor_fault_ns": 3, "first_touch_ns": 7, "local_line_ns": 1, "remote_line_ns": 2}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=25), min_size=1, max_size=3),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_no_policy_stays_below_the_bound_on_frames(programs, frames, shared, cores):
    own = [[(Op.READ, page + 8 * t * (not shared or page > 3)) for page in part] for t, part in enumerate(programs)]
    tape = Tape.build(own)
    given_settings = {**COSTS, "nodes": 1, "frames": frames, "cores": cores, "scan_ns": None, "tick_ns": 10**6}
    bound = stall_bound_ns(tape, build_settings({**given_settings}))
    for policy in ("lru", "turns", "clairvoyant", "lottery", "mru"):
        assert evaluate("sos/Memory-v0", policy, tape, **given_settings)[0]["stall_ns"] >= bound > 0


def test_the_bound_on_frames_is_met_where_min_is_all():
    """One thread, one node: MIN's misses are what must be waited for, and clairvoyant waits for no more."""
    tape = workload("phases", 0, threads=1, references=900, write_ratio=0.0)
    free = {"nodes": 1, "frames": 20, "scan_ns": None, "shootdown_ns": 0, "shootdown_core_ns": 0}
    env = SosEnv("sos/Memory-v0", **free)
    assert stall_bound_ns(tape, env.settings) == evaluate("sos/Memory-v0", "clairvoyant", tape, **free)[0]["stall_ns"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=1, max_size=12))
def test_srpt_waits_least_on_one_core(jobs):
    tape = Tape.from_jobs([arrival for arrival, _ in jobs], [work for _, work in jobs])
    alone = {"cores": 1, "nodes": 1, "frames": None, "switch_ns": 0, "move_ns": 0, "tick_ns": 5}
    bound = stall_bound_ns(tape, build_settings(alone))
    stalls = {p: evaluate("sos/CPU-v0", p, tape, **alone)[0]["stall_ns"] for p in ("clairvoyant", "turns", "seniority")}
    assert min(stalls.values()) >= bound and stalls["clairvoyant"] == bound


def test_no_bound_where_none_is_proved():
    assert stall_bound_ns(workload("hyperexponential"), SosEnv("sos/CPU-v0").settings) is None
    assert stall_bound_ns(workload("tiered"), SosEnv("sos/Tier-v0").settings) is None
    cut = SosEnv("sos/Memory-v0", horizon_ns=1_000_000).settings
    assert stall_bound_ns(workload("phases"), cut) is None
    advised = Tape.build([[(Op.READ, 0), (Op.DONTNEED, 0)]])
    assert stall_bound_ns(advised, SosEnv("sos/Memory-v0").settings) is None
    with pytest.raises(SettingError, match="cost_scale"):
        stall_bound_ns(advised, SosEnv("sos/Memory-v0", cost_scale=(0.5, 2.0)).settings)


def test_the_public_name():
    assert sos_gym.best_known is best_known
