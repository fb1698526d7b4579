"""The Gymnasium side: checkers, seeds, actions, rewards, the end, state and restore."""

import math
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from invariants import invariants
from strategies import COSTS

import sos_gym
from sos_gym import ActionError, StuckError, Tape
from sos_gym.envs.env import SosEnv
from sos_gym.resource import Op
from sos_gym.settings.presets import PRESETS
from sos_gym.view.columns import COLUMNS, CONTEXT

IDS = tuple(PRESETS)
MS = 1_000_000


def follow(env, rng, steps=10**9, seed=None):
    """Random legal steps: (observation, reward, terminated, truncated, info) each; the reset first when seeded."""
    if seed is not None:
        observation, info = env.reset(seed=seed)
        yield observation, 0.0, False, False, info
    for _ in range(steps):
        found = env.step(int(rng.choice(np.flatnonzero(env.unwrapped.action_masks()))))
        yield found
        if found[2] or found[3]:
            return


def alike(a, b) -> bool:
    """Two steps, bit for bit."""
    arrays = zip((*a[0].values(), a[4]["action_mask"]), (*b[0].values(), b[4]["action_mask"]), strict=True)
    same = all(x.tobytes() == y.tobytes() and x.dtype == y.dtype for x, y in arrays)
    return same and a[1:4] == b[1:4] and without_mask(a[4]) == without_mask(b[4])


def without_mask(info) -> dict:
    return {name: value for name, value in info.items() if name != "action_mask"}


# -- the checkers


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_gymnasiums_checker_has_nothing_to_say(env_id, render_mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, render_mode=render_mode).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines_checker_has_nothing_to_say(env_id):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # candidates are a matrix on purpose: a set policy reads it row by row, an MLP has it flattened by SB3 itself
        warnings.filterwarnings("ignore", "Your observation candidates has an unconventional shape")
        checker.check_env(gym.make(env_id).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_specs_survive_json(env_id):
    made = gym.make(env_id, rows=20, advisors=("lru",))
    spec = gym.envs.registration.EnvSpec.from_json(made.spec.to_json())
    again = gym.make(spec)
    assert again.observation_space == made.observation_space and again.action_space.n == 20
    assert again.unwrapped.settings == made.unwrapped.settings and tuple(again.unwrapped.advisors) == ("lru",)
    assert alike(*((observation, 0, 0, 0, info) for observation, info in (env.reset(seed=1) for env in (made, again))))


# -- seeds


@pytest.mark.parametrize("env_id", IDS)
def test_the_seed_decides_the_episode(env_id):
    one, two = SosEnv(env_id), SosEnv(env_id)
    ways = zip(*(follow(env, np.random.default_rng(1), 300, seed=9) for env in (one, two)), strict=True)
    assert all(alike(a, b) for a, b in ways)
    again, other = (list(follow(one, np.random.default_rng(1), 300, seed=seed)) for seed in (9, 10))
    assert not all(map(alike, again, other))
    assert all(map(alike, again, follow(two, np.random.default_rng(1), 300, seed=9)))


@pytest.mark.parametrize("env_id", IDS)
def test_without_a_seed_episodes_go_on_from_the_last_one(env_id):
    one, two = SosEnv(env_id), SosEnv(env_id)
    tapes = []
    for env in (one, two):
        env.reset(seed=4)
        hashes = [env.tape.hash()]
        for _ in range(2):
            env.reset()
            hashes.append(env.tape.hash())
        tapes.append(hashes)
    assert tapes[0] == tapes[1] and len(set(tapes[0])) == 3


def test_what_is_handed_out_is_never_handed_out_again():
    """SB3 keeps the last observation: a buffer that is used again would make it learn nothing."""
    env = SosEnv("sos/System-v0", advisors=("lru",))
    kept = []
    for observation, _, _, _, info in follow(env, np.random.default_rng(0), 20, seed=0):
        kept.append(([*observation.values(), info, info["advice"]], [x.copy() for x in observation.values()]))
    parts = [part for objects, _ in kept for part in objects]
    assert len({id(part) for part in parts}) == len(parts)
    for objects, copies in kept:
        assert all((a == b).all() for a, b in zip(objects, copies, strict=False))
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    assert not any(np.shares_memory(a, env._mask) for a in arrays)


# -- actions


def test_an_action_before_reset_or_after_the_end_is_refused():
    env = SosEnv("sos/CPU-v0", workload=Tape.from_jobs([0], [5]))
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    for call in (env.state, lambda: env.restore({})):
        with pytest.raises(gym.error.ResetNeeded):
            call()
    env.reset(seed=0)
    assert env.step(0)[2]
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    assert env.step(0)[2]


@pytest.mark.parametrize("env_id", IDS)
def test_a_masked_out_action_is_replaced_by_a_legal_row(env_id):
    loose, strict = SosEnv(env_id, rows=200), SosEnv(env_id, rows=200, strict=True)
    for env in (loose, strict):
        env.reset(seed=0)
    legal = np.flatnonzero(loose.action_masks())
    masked = int(np.flatnonzero(~loose.action_masks())[-1])
    with pytest.raises(ActionError, match=rf"action={masked} .*masked out.*rows \[{legal[0]}"):
        strict.step(masked)
    taken = loose.step(masked)
    row = taken[4]["fallback_row"]
    taken[4]["fallback_row"] = -1
    assert row in legal and alike(taken, strict.step(row))
    assert loose.step(int(np.flatnonzero(loose.action_masks())[0]))[4]["fallback_row"] == -1


WRONG_ACTIONS = [-1, 16, 10**12, 1.5, math.nan, math.inf, None, "1", (1, 2), np.array([0, 1]), np.float32("nan")]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("action", WRONG_ACTIONS, ids=repr)
def test_an_action_that_is_no_row_is_refused(action, strict):
    env = SosEnv("sos/Memory-v0", strict=strict)
    env.reset(seed=0)
    before = env.simulation.record.copy()
    with pytest.raises(ActionError, match=r"action=.* is not allowed.*0, 15\]"):
        env.step(action)
    assert before == env.simulation.record
    env.step(int(np.argmax(env.action_masks())))  # the episode goes on


@pytest.mark.parametrize("kind", [int, np.int64, np.int8, np.uint32, np.array])
def test_rows_of_every_integer_type_are_accepted(kind):
    env = SosEnv("sos/Memory-v0")
    env.reset(seed=0)
    row = int(np.argmax(env.action_masks()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert env.step(kind(row))[4]["fallback_row"] == -1


# -- the end


def test_a_tape_without_a_decision_gives_one_legal_row_whose_step_ends_it():
    for env_id, tape in (
        ("sos/CPU-v0", Tape.from_jobs([3], [7])),
        ("sos/Memory-v0", Tape.from_references([1, 2])),
        ("sos/Memory-v0", Tape.build([[(Op.EXIT,)]])),
    ):
        env = SosEnv(env_id, workload=tape)
        observation, info = env.reset(seed=0)
        assert not info["decision"]["open"]
        assert observation["action_mask"].tolist() == [1] + [0] * 15 and not observation["candidates"].any()
        observation, reward, terminated, truncated, info = env.step(0)
        assert terminated and not truncated and math.isfinite(reward)
        assert observation["action_mask"].sum() == 1
        assert info["metrics"]["elapsed_ns"] == info["dt_ns"] and info["metrics"]["decisions"] == 0
        invariants(env.simulation)


@pytest.mark.parametrize("env_id", IDS)
def test_an_episode_is_truncated_at_its_horizon(env_id):
    horizon = 1_500_001
    env = SosEnv(env_id, horizon_ns=horizon)
    steps = list(follow(env, np.random.default_rng(0), seed=0))
    _, _, terminated, truncated, info = steps[-1]
    assert truncated and not terminated
    assert info["metrics"]["elapsed_ns"] == horizon == sum(step[4]["dt_ns"] for step in steps[1:])
    invariants(env.simulation)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)


@pytest.mark.parametrize("env_id", IDS)
def test_a_horizon_behind_the_end_changes_nothing(env_id):
    runs = [sos_gym.evaluate(env_id, "lru", horizon_ns=ns) for ns in (None, 1 << 50)]
    assert runs[0] == runs[1]


def test_who_waits_for_ever_is_named():
    """The tape can finish, and does not when thread b takes the token first."""
    programs = [[(Op.WAIT, 0), (Op.SIGNAL, 1)], [(Op.WAIT, 0)], [(Op.SIGNAL, 0), (Op.WAIT, 1), (Op.SIGNAL, 0)]]
    names = ("anna", "ben", "carl")
    tape = Tape.build(programs, arrival_ns=[MS, 0, 2 * MS], thread_names=names)
    for env_id in IDS:
        with pytest.raises(StuckError, match=r"stuck at .*anna \(blocked\), carl \(blocked\)"):
            env = SosEnv(env_id, workload=tape)
            env.reset(seed=0)
            env.step(0)
        with pytest.raises(StuckError, match="anna"):
            sos_gym.evaluate(env_id, "lru", workload=tape)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
@pytest.mark.parametrize("policy", ["random", "lru", "fifo", "lfu", "clock", "belady", "cfs"])
@pytest.mark.parametrize("cores", [None, 1, 3])
def test_six_threads_on_few_frames_finish(frames, policy, cores):
    """Progress: a faulting op is executed by the arrival of its page, so that no page is stolen for ever."""
    rng = np.random.default_rng(frames)
    programs = [[(Op(int(rng.integers(3, 5))), int(p)) for p in rng.integers(0, 12, 66)] for _ in range(6)]
    keywords = {"workload": Tape.build(programs), "nodes": 1, "frames": frames, "cores": cores, "scan_ns": None}
    run = sos_gym.evaluate("sos/Memory-v0", policy, **keywords)[0]
    assert run["references"] == 6 * 66
    assert run["decisions"] < 6 * 66 * (1 if cores is None else 5)


# -- rewards


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("horizon_ns", [None, 3 * MS])
def test_the_return_is_a_constant_of_the_tape_minus_its_stall(env_id, horizon_ns):
    rho, scale = 0.7, 250_000
    numbers = {"stall_per_service": rho, "reward_scale_ns": scale, "horizon_ns": horizon_ns}
    returns = {}
    for reward in ("progress", "stall"):
        env = SosEnv(env_id, reward=reward, **numbers)
        steps = list(follow(env, np.random.default_rng(5), seed=2))[1:]
        returns[reward] = math.fsum(step[1] for step in steps)
        found = steps[-1][4]["metrics"]
        assert sum(step[4]["dt_ns"] for step in steps) == found["elapsed_ns"]
        assert sum(step[4]["work_ns"] for step in steps) == found["service_ns"]
        costs = [step[4]["cost"] for step in steps]
        assert math.fsum(cost["weighted_stall_ns"] for cost in costs) == pytest.approx(found["weighted_stall_ns"], 1e-9)
    assert returns["progress"] == pytest.approx((rho * found["service_ns"] - found["weighted_stall_ns"]) / scale, 1e-9)
    assert returns["stall"] == pytest.approx(-found["weighted_stall_ns"] / scale, 1e-9)
    assert found["stall_ns"] > 0


def test_the_rewards_worked_number():
    """2 ms of service and 3 ms of stall at rho .5 and scale 1 ms pay .5 * 2 - 3 = -2."""
    env = SosEnv("sos/CPU-v0", nodes=1, cores=1, switch_ns=0, tick_ns=None, horizon_ns=2 * MS, stall_per_service=0.5)
    env.reset(seed=0, options={"workload": Tape.from_jobs([0, MS // 2, MS // 2], [9 * MS] * 3)})
    paid = [env.step(int(np.flatnonzero(env.action_masks())[0]))]
    while not paid[-1][3]:
        paid.append(env.step(int(np.flatnonzero(env.action_masks())[0])))
    assert sum(step[1] for step in paid) == pytest.approx(-2)


def test_weights_of_threads_weigh_their_stall():
    """Two wait 4 and 6 ms; weights 1 : 3 : 2 of mean 2."""
    tape = Tape.from_jobs([0, 0, 0], [4 * MS, 2 * MS, MS], weight=[1024, 3072, 2048])
    env = SosEnv(
        "sos/CPU-v0", workload=tape, nodes=1, cores=1, switch_ns=0, tick_ns=None, reward="stall", advisors=("fcfs",)
    )
    _, info = env.reset(seed=0)
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, _, info = env.step(info["advice"].get("fcfs", 0))
        total += reward
    assert total == pytest.approx(-(4 * 1.5 + 6 * 1))


@pytest.mark.parametrize("env_id", IDS)
def test_foresight_is_flagged_and_knows_the_best(env_id):
    env = SosEnv(env_id, reward="foresight", advisors=("belady",))
    _, info = env.reset(seed=0)
    best = []
    for _ in range(200):
        future = env.simulation.arrays["entities"]["future"]
        rows = [(int(future[e]), e) for e in env.candidates if e >= 0]
        kind, number = info["decision"]["kind"], len(rows)
        row = info["advice"]["belady"]
        chosen = env.candidates[row]
        if chosen >= 0 and number > 1:
            assert future[chosen] == (max(rows)[0] if kind == "evict" else min(rows)[0])
        _, reward, terminated, truncated, info = env.step(row)
        assert info["privileged"] is True
        assert -1 <= reward <= 0 if kind == "evict" else 0 <= reward <= 1
        best.append(reward)
        if terminated or truncated:
            break
    assert len(set(best)) > 10
    for reward in ("progress", "stall"):
        other = SosEnv(env_id, reward=reward)
        assert not any(step[4]["privileged"] for step in follow(other, np.random.default_rng(0), 5, seed=0))


@pytest.mark.parametrize("env_id", IDS)
def test_info_says_what_passed(env_id):
    env = SosEnv(env_id, discount_ns=2 * MS)
    for _, _, _, _, info in list(follow(env, np.random.default_rng(0), 50, seed=0))[1:]:
        assert info["discount"] == pytest.approx(math.exp(-info["dt_ns"] / (2 * MS)))
        assert info["cost"]["service_ns"] == info["work_ns"] >= 0
        assert info["decision"]["kind"] in ("evict", "admit") and info["decision"]["contenders"] > 1


# -- state and restore


@pytest.mark.parametrize("env_id", IDS)
def test_a_restored_episode_goes_on_as_it_did(env_id):
    env = SosEnv(env_id, advisors=("lru", "clock", "lottery", "cfs", "lfu"))
    list(follow(env, np.random.default_rng(0), 150, seed=3))
    state = env.state()
    first = list(follow(env, np.random.default_rng(1), 400))
    list(follow(env, np.random.default_rng(2), 400))  # elsewhere
    env.restore(state)
    second = list(follow(env, np.random.default_rng(1), 400))
    assert len(first) == len(second) and all(alike(a, b) for a, b in zip(first, second, strict=True))
    env.restore(state)  # the state itself has not changed meanwhile
    third = list(follow(env, np.random.default_rng(1)))
    assert all(alike(a, b) for a, b in zip(first, third, strict=False)) and third[-1][2]
    invariants(env.simulation)
    env.restore(state)  # from the end as well
    assert alike(next(follow(env, np.random.default_rng(1), 1)), first[0])


def test_a_state_fits_another_environment_of_the_same_episode():
    one, two = SosEnv("sos/System-v0", advisors=("lru",)), SosEnv("sos/System-v0", advisors=("lru",))
    list(follow(one, np.random.default_rng(0), 200, seed=3))
    two.reset(seed=3)
    two.restore(one.state())
    ways = zip(*(follow(env, np.random.default_rng(1), 300) for env in (one, two)), strict=True)
    assert all(alike(a, b) for a, b in ways)
    one.reset()
    two.reset()
    assert one.tape == two.tape  # the stream of episodes came along


# -- anything may be done


@pytest.mark.parametrize("env_id", IDS)
def test_a_hundred_thousand_random_steps_break_nothing(env_id):
    rng, env, steps, seed, over = np.random.default_rng(1), SosEnv(env_id), 0, 0, True
    low, high = (-4.0, 4.0)
    while steps < 100_000:
        if over:
            observation, _ = env.reset(seed=seed)
            seed += 1
        mask = observation["action_mask"]
        observation, reward, terminated, truncated, _ = env.step(int(rng.choice(np.flatnonzero(mask))))
        steps, over = steps + 1, terminated or truncated
        if over or steps % 500 == 0:
            invariants(env.simulation)
            assert math.isfinite(reward) and observation["action_mask"].any()
            assert observation in env.observation_space
            assert low <= observation["candidates"].min() and observation["candidates"].max() <= high
    assert seed > 3


@pytest.mark.parametrize("env_id", IDS)
def test_random_numbers_for_every_cost(env_id):
    """Costs of nothing up to ms, drawn anew for each of some short episodes."""
    rng = np.random.default_rng(7)
    for seed in range(6):
        costs = {name: int(10 ** rng.uniform(0, 4)) - 1 for name in COSTS}
        costs["tick_ns"] = costs["switch_ns"] + 300_000
        env = SosEnv(env_id, scan_ns=2_000_000 if "CPU" not in env_id else None, remote_line_ns=20_000, **costs)
        for step in follow(env, rng, 600, seed=seed):
            assert step[0] in env.observation_space
        invariants(env.simulation)


def test_names_of_columns_match_the_space():
    space = SosEnv("sos/CPU-v0", rows=5).observation_space
    assert space["candidates"].shape == (5, len(COLUMNS)) and space["context"].shape == (len(CONTEXT),)
    assert len(set(COLUMNS)) == len(COLUMNS) and len(set(CONTEXT)) == len(CONTEXT)
