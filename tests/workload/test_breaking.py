"""Groups at the point where things break, and at real size: thrashing, inverted priorities, 10^5 pages, 64 cores."""

import numpy as np
import pytest

from sos_gym import Tape, evaluate, workload
from sos_gym.leaderboard.grid import groups
from sos_gym.resource import NONE, Op
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import PRESETS

MS = 1_000_000
EXTREME = "inversion(urgent_weight=88761, light_weight=15)"


# -- thrashing

DEGREES = (2, 4, 8, 12, 24, 48)  # 12 pages each: 96 frames hold the pages of 8
TEXTBOOK = "guard(room=1, stay=2e+07)"


def throughputs(policy: str) -> np.ndarray:
    """Cores' worth of service by degree, mean of two tapes."""
    runs = [evaluate("sos/System-v0", policy, f"thrashing(degree={n})", seed=0, episodes=2) for n in DEGREES]
    return np.array([np.mean([run["service_ns"] / run["elapsed_ns"] for run in pair]) for pair in runs])


def test_throughput_rises_with_the_degree_and_collapses():
    """Denning's curve: one peak, near where the frames are all in use; half of it, or less, is left at the end."""
    found = throughputs("turns + lru")
    peak = int(found.argmax())
    assert DEGREES[peak] in (8, 12)
    assert (np.diff(found[: peak + 1]) > 0).all() and (np.diff(found[peak:]) < 0).all()
    assert found[-1] < found.max() / 2


@pytest.mark.parametrize(("guard", "kept"), [(TEXTBOOK, 0.9), ("guard(room=1)", 0.7)])
def test_load_control_keeps_throughput_up(guard, kept):
    """`room=1`: the working sets of those inside fit. A longer stay pays for bringing them in."""
    found = throughputs(guard)
    assert found[-1] > kept * found.max()
    assert found[-1] > 2 * throughputs("turns + lru")[-1]


def test_processes_use_all_of_their_working_set_and_no_other():
    tape = workload("thrashing", degree=3, working_set=5)
    assert len(tape.threads) == 3 and len(tape.pages) == 15 and tape.pages["private"].all()
    for thread in tape.threads:
        ops = tape.ops[thread["first"] : thread["last"]]
        touched = ops["arg"][np.isin(ops["op"], (Op.READ, Op.WRITE))]
        assert (np.bincount(touched - touched.min()) > len(touched) / 10).all()  # all alike: a fifth each


# -- inverted priorities


def test_urgent_and_light_threads_share_a_lock_and_hogs_have_none():
    tape = workload("inversion", groups=3, hogs=2, periods=4)
    weights = [9_548] * 3 + [110] * 3 + [1024] * 2
    assert tape.threads["weight"].tolist() == weights and tape.locks == 3
    for t, thread in enumerate(tape.threads):
        ops = tape.ops[thread["first"] : thread["last"]]
        locks = ops["arg"][ops["op"] == Op.LOCK].tolist()
        assert set(locks) == ({t % 3} if t < 6 else set())
        assert thread["deadline_ns"] == (10 * MS if t < 3 else NONE)
    urgent = tape.ops[: tape.threads["last"][0]]
    assert (np.diff(urgent["arg"][urgent["op"] == Op.SLEEP_UNTIL]) == 10 * MS).all()


def test_inheritance_bounds_what_urgent_threads_lose():
    """They wait for what is left of critical sections, and not for hogs."""
    of = {}
    for name in ("priority", "inheritance"):
        runs = evaluate("sos/CPU-v0", name, EXTREME, seed=0, episodes=3, detail=True)
        waits = [t["lock_wait_ns"] for run in runs for t in run["threads"] if t["name"].startswith("urgent")]
        of[name] = sum(waits), np.mean([run["weighted_stall_ns"] for run in runs])
    starts = 3 * 4 * 40  # episodes, urgent threads, periods
    assert (
        of["inheritance"][0] / starts < 0.5 * MS < of["priority"][0] / starts
    )  # a section is 1 ms, held half the time
    assert of["inheritance"][1] < of["priority"][1] / 3


# -- the boards

BREAKING = {("sos/CPU-v0", "inversion"), ("sos/System-v0", "thrashing")}
LARGE = {(env, preset.large.workload) for env, preset in PRESETS.items()}


def drawn(**keywords) -> set[tuple[str, str]]:
    return {(group.env, group.workload) for group in groups(None, None, "test", **keywords)}


def test_quick_boards_have_neither_and_only_who_asks_gets_real_size():
    quick = drawn(recordings=False)
    assert quick == {(env, preset.workload) for env, preset in PRESETS.items()}
    assert drawn() > quick | BREAKING and not drawn() & LARGE
    assert drawn(large=True) == drawn() | LARGE and len(LARGE) == len(PRESETS)


SHRUNK = {
    "sos/Memory-v0": ({"threads": 2, "pages": 60, "working_set": 40, "references": 800}, {"frames": 60}),
    "sos/CPU-v0": ({"threads": 96, "bursts": 2}, {}),
    "sos/System-v0": (
        {"threads": 80, "pages": 20, "working_set": 10, "bursts": 2, "burst_references": 20},
        {"frames": 900},
    ),
    "sos/Tier-v0": ({"threads": 2, "pages": 60, "references": 800}, {"frames": (30, 200)}),
}


@pytest.mark.parametrize("env", PRESETS)
def test_groups_of_real_size_are_accepted_and_run_when_shrunk(env):
    group = next(group for group in groups([env], None, "test", large=True) if (group.env, group.workload) in LARGE)
    scenario = Scenario.of(env, group.workload, group.split, **group.settings)
    cores, frames = sum(scenario.settings.cores_by_node), sum(scenario.settings.frames_by_node)
    assert (cores, frames) in {(0, 50_000), (64, 0), (64, 50_000), (0, 208_192)}
    parameters, settings = SHRUNK[env]
    tape = workload(group.workload, seed=1, split="test", **parameters)
    assert isinstance(tape, Tape)
    run = evaluate(env, "lru", tape, **{**group.settings, **settings})[0]
    assert run["decisions"] > 0 and run["service_ns"] > 0
