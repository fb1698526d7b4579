"""The native vector environment against single ones, in lockstep."""

import gc
import multiprocessing
import threading
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from sos_gym import ActionError, SettingError, StuckError, Tape
from sos_gym.resource import Op
from sos_gym.settings.presets import PRESETS

IDS = tuple(PRESETS)
N, STEPS = 5, 400
SHORT = {"horizon_ns": 3_000_000}


def own(infos, i):
    """What a vector's infos say of environment i, as a single environment would say it."""
    found = {}
    for name, value in infos.items():
        if name[0] == "_" or name.startswith("final") or not infos[f"_{name}"][i]:
            continue
        found[name] = own(value, i) if isinstance(value, dict) else value[i].tolist()
    return found


def said(info):
    """A single environment's info with lists for arrays."""
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in info.items()}


def same(observation, i, single):
    return all(observation[key][i].tobytes() == single[key].tobytes() for key in single)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("env_id", IDS)
def test_each_environment_does_what_a_single_one_does(env_id, mode):
    compare_with_singles(env_id, mode)


@pytest.mark.parametrize("sight", ["sampled", "scanned"])
@pytest.mark.parametrize("env_id", ["sos/Memory-v0", "sos/System-v0"])
def test_each_environment_sees_what_a_single_one_sees(env_id, sight):
    compare_with_singles(env_id, AutoresetMode.SAME_STEP, sight=sight, look_ns=20, harvest_ns=50_000)


def compare_with_singles(env_id, mode, **more):
    settings = {"advisors": ("lru", "gap"), **SHORT, **more}
    vector = gym.make_vec(env_id, num_envs=N, autoreset_mode=mode, threads=2, **settings)
    singles = [gym.make(env_id, **settings).unwrapped for _ in range(N)]
    rng = np.random.default_rng(0)
    observation, infos = vector.reset(seed=7)
    over, ends = [False] * N, 0
    for i, single in enumerate(singles):
        first, info = single.reset(seed=7 + i)
        assert same(observation, i, first) and own(infos, i) == said(info)
    for _ in range(STEPS):
        actions = rng.integers(16, size=N)  # many are masked out
        observation, rewards, terminated, truncated, infos = vector.step(actions)
        for i, single in enumerate(singles):
            if over[i] and mode == AutoresetMode.NEXT_STEP:
                (first, info), over[i] = single.reset(), False
                assert same(observation, i, first) and own(infos, i) == said(info)
                assert (rewards[i], terminated[i], truncated[i]) == (0.0, False, False)
                continue
            found, reward, end, cut, info = single.step(actions[i])
            assert (rewards[i], terminated[i], truncated[i]) == (reward, end, cut)
            over[i] = end or cut
            ends += over[i]
            if over[i] and mode == AutoresetMode.SAME_STEP:
                final = infos["final_obs"][i]
                assert all(final[key].tobytes() == found[key].tobytes() for key in found)
                assert own(infos["final_info"], i) == said(info)
                found, info = single.reset()
            assert own(infos, i) == said(info)
            assert same(observation, i, found)
            assert vector.action_masks()[i].tolist() == single.action_masks().tolist()
    assert ends >= N


def run(vector, steps=60, seed=0):
    """Everything that a vector returns under random actions, as bytes."""
    rng, (observation, _) = np.random.default_rng(1), vector.reset(seed=seed)
    told = [observation["candidates"].tobytes()]
    for _ in range(steps):
        observation, rewards, terminated, truncated, _ = vector.step(rng.integers(16, size=vector.num_envs))
        told.append((observation["candidates"].tobytes(), rewards.tobytes(), terminated.tolist(), truncated.tolist()))
    return told


def make(num_envs=4, env_id="sos/Memory-v0", **keywords):
    return gym.make_vec(env_id, num_envs=num_envs, **keywords)


def test_it_is_the_default_and_says_how_it_resets():
    vector = make(3)
    assert type(vector.unwrapped).__name__ == "SosVectorEnv"
    assert vector.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert vector.observation_space.contains(vector.reset(seed=1)[0])


def test_the_number_of_threads_changes_nothing():
    assert run(make(threads=1)) == run(make(threads=3))


def test_threads_that_fell_asleep_are_woken():
    """A thread waits for its part in memory for a while, then sleeps; pauses of all lengths around that are tried."""
    pauses = np.random.default_rng(0).exponential(150e-6, 400)
    eager, slow = make(24, threads=1), make(24, threads=4)
    begun = [vector.reset(seed=0) for vector in (eager, slow)]
    masks = begun[0][0]["action_mask"]
    for pause in pauses:
        actions = masks.argmax(axis=1)
        found = [vector.step(actions) for vector in (eager, slow)]
        assert found[0][0]["candidates"].tobytes() == found[1][0]["candidates"].tobytes()
        masks = found[0][0]["action_mask"]
        time.sleep(pause)


def crew():
    return [thread for thread in threading.enumerate() if thread.name.startswith("sos_gym")]


def test_threads_end_with_their_environments():
    gc.collect()
    time.sleep(0.1)  # those of other tests
    before = len(crew())
    closed, dropped = make(4, threads=3), make(4, threads=2)
    closed.reset(seed=0)
    assert len(crew()) == before + 3
    closed.close()
    for use in (closed.reset, lambda: closed.step(np.zeros(4, int))):
        with pytest.raises(gym.error.ClosedEnvironmentError, match="make them again"):
            use()
    del dropped
    gc.collect()
    for _ in range(200):
        if len(crew()) <= before:
            break
        time.sleep(0.01)
    assert len(crew()) <= before


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_threads_are_hired_anew_after_a_fork():
    vector = make(4, threads=2)
    vector.reset(seed=0)
    child = multiprocessing.get_context("fork").Process(target=vector.step, args=(np.zeros(4, int),))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_the_seed_decides():
    assert run(make(), seed=3) == run(make(), seed=3)
    assert run(make(), seed=3) != run(make(), seed=4)


def test_returned_arrays_are_never_written_again():
    vector = make(SHORT_EPISODES := 3, horizon_ns=1_000_000, autoreset_mode="SameStep")
    kept = []
    for step in range(200):
        found = vector.reset(seed=0) if step == 0 else vector.step(np.zeros(SHORT_EPISODES, int))
        arrays = [*found[0].values(), *(array for array in found[1:-1] if isinstance(array, np.ndarray))]
        arrays += [value for value in found[-1].get("cost", {}).values()]
        kept += [(array, array.tobytes()) for array in arrays]
    assert all(array.tobytes() == before for array, before in kept)
    assert len({before for _, before in kept}) > 400


def test_a_group_shares_its_tapes_episode_by_episode():
    vector = make(6, tape_group=3, horizon_ns=300_000, cost_scale=(0.5, 2.0)).unwrapped
    hashes = [[] for _ in range(6)]
    vector.reset(seed=5)
    rng = np.random.default_rng(0)
    for _ in range(300):
        for i, env in enumerate(vector.episodes):
            if env.tape.hash() not in hashes[i][-1:]:
                hashes[i].append(env.tape.hash())
        vector.step(rng.integers(16, size=6))
    shared = min(map(len, hashes))
    assert shared > 2
    assert len({tuple(one[:shared]) for one in hashes[:3]}) == len({tuple(one[:shared]) for one in hashes[3:]}) == 1
    assert not set(hashes[0]) & set(hashes[3])


def test_a_group_shares_a_tape_without_a_seed():
    vector = make(4, tape_group=2).unwrapped
    vector.reset()
    tapes = [env.tape.hash() for env in vector.episodes]
    assert tapes[0] == tapes[1] != tapes[2] == tapes[3]


def test_environments_may_differ_in_workload_and_settings():
    each = {"workload": ["loop", "zipf"], "frames": range(40, 44)}
    vector = make(4, each=each)
    observation, _ = vector.reset(seed=9)
    for i in range(4):
        single = gym.make("sos/Memory-v0", workload=each["workload"][i % 2], frames=40 + i)
        assert same(observation, i, single.reset(seed=9 + i)[0])


def test_options_reach_every_environment():
    tape = Tape.from_references(np.arange(200) % 90)
    vector = make(2).unwrapped
    vector.reset(seed=0, options={"workload": tape})
    assert [env.tape.hash() for env in vector.episodes] == [tape.hash()] * 2


def test_a_masked_reset_leaves_the_others_alone():
    vector, other = make(3, autoreset_mode="Disabled"), make(3, autoreset_mode="Disabled")
    for one in (vector, other):
        one.reset(seed=0)
        one.step(np.zeros(3, int))
    observation, _ = vector.reset(seed=[None, 8, None], options={"reset_mask": np.array([False, True, False])})
    fresh, _ = gym.make("sos/Memory-v0").reset(seed=8)
    assert same(observation, 1, fresh)
    found, expected = vector.step(np.zeros(3, int)), other.step(np.zeros(3, int))
    for i in (0, 2):
        assert same(found[0], i, {key: array[i] for key, array in expected[0].items()})
        assert found[1][i] == expected[1][i]


def test_a_masked_reset_cannot_be_the_first():
    with pytest.raises(gym.error.ResetNeeded, match="without it first"):
        make(2).reset(options={"reset_mask": np.array([True, False])})


def test_a_reset_leaves_earlier_infos_alone():
    vector = make(2, horizon_ns=1000, workload="loop")
    vector.reset(seed=0)
    infos = {}
    elapsed = np.zeros(2)
    while not elapsed.any():
        *_, infos = vector.step(np.zeros(2, int))
        elapsed = infos["metrics"]["elapsed_ns"]
    before = elapsed.tolist()
    vector.reset(seed=0)
    assert elapsed.tolist() == before


def test_an_end_needs_a_reset_when_autoreset_is_disabled():
    vector = make(2, autoreset_mode="Disabled", horizon_ns=1000, workload="loop")
    vector.reset(seed=0)
    with pytest.raises(gym.error.ResetNeeded, match=r"environments \[0"):
        for _ in range(50):
            vector.step(np.zeros(2, int))


def test_before_the_first_reset_nothing_is_stepped():
    with pytest.raises(gym.error.ResetNeeded, match="need a reset"):
        make(2).step(np.zeros(2, int))


@pytest.mark.parametrize(
    "keywords, name",
    [
        ({"num_envs": 0}, "num_envs"),
        ({"tape_group": 3}, "tape_group"),
        ({"autoreset_mode": "soon"}, "autoreset_mode"),
        ({"threads": 0}, "threads"),
        ({"render_mode": "ansi"}, "render_mode"),
        ({"each": {"frames": []}}, "frames"),
        ({"each": {"rows": [16, 32]}}, "rows"),
        ({"each": {"frames": [40]}, "frames": 50}, "frames"),
        ({"each": {"frame": [40]}}, "frame"),
    ],
)
def test_bad_keywords_are_named(keywords, name):
    with pytest.raises(SettingError, match=name):
        make(**keywords)


@pytest.mark.parametrize("actions", [[0, 0, 0], [0.5, 0, 0, 0], [0, 0, 16, 0], [0, -1, 0, 0]])
def test_bad_actions_change_nothing(actions):
    vector, other = make(), make()
    for one in (vector, other):
        one.reset(seed=0)
    with pytest.raises(ActionError, match="action"):
        vector.step(np.array(actions))
    assert vector.step(np.ones(4, int))[1].tolist() == other.step(np.ones(4, int))[1].tolist()


def test_strict_refuses_a_masked_row_and_names_the_environment():
    vector = make(2, strict=True, workload=Tape.from_references(np.arange(50) % 9), frames=4, scan_ns=None)
    vector.reset(seed=0)
    with pytest.raises(ActionError, match=r"actions\[1\]=15 .* choose one of the rows"):
        vector.step(np.array([0, 15]))


def test_a_tape_that_is_stuck_is_said_to_be():
    programs = [[(Op.WAIT, 0), (Op.SIGNAL, 1)], [(Op.WAIT, 0)], [(Op.SIGNAL, 0), (Op.WAIT, 1), (Op.SIGNAL, 0)]]
    tape = Tape.build(programs, arrival_ns=[1_000_000, 0, 2_000_000], thread_names=("anna", "ben", "carl"))
    vector = make(3, each={"workload": ["loop", "loop", tape]})
    with pytest.raises(StuckError, match="anna"):
        vector.reset(seed=0)
        vector.step(np.zeros(3, int))


@pytest.mark.parametrize("env_id", IDS)
def test_a_horde_agrees_with_its_first_members(env_id):
    few, many = make(3, env_id), make(130, env_id, threads=2)
    rng = np.random.default_rng(0)
    few.reset(seed=0), many.reset(seed=0)
    for _ in range(30):
        actions = rng.integers(16, size=130)
        a, b = few.step(actions[:3]), many.step(actions)
        assert a[0]["candidates"].tobytes() == b[0]["candidates"][:3].tobytes()
        assert a[1].tolist() == b[1][:3].tolist()
