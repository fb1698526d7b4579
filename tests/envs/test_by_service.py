"""Buffers that discount by service, against a plain loop over one environment's steps."""

import math

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer
from stable_baselines3 import DQN, PPO

from sos_gym.envs.env import SosEnv, spaces_of
from sos_gym.envs.sb3 import (
    LastStep,
    MaskableServiceRolloutBuffer,
    ServiceReplayBuffer,
    ServiceRolloutBuffer,
    SosVecEnv,
)
from sos_gym.settings.presets import PRESETS

MS = 1_000_000
SEEN, CHOICE = spaces_of(4)
NOTHING = {key: np.zeros((2, *box.shape), box.dtype) for key, box in SEEN.spaces.items()}


class Told:
    """In place of an environment."""

    last: LastStep


@pytest.mark.parametrize("env_id", PRESETS)
def test_info_says_how_much_service_passed(env_id):
    env = SosEnv(env_id)
    env.reset(seed=1)
    tau_ns = PRESETS[env_id].settings.get("discount_service_ns", 3 * MS)
    found = [env.step(0)[-1] for _ in range(60)]
    assert [info["service_discount"] for info in found] == pytest.approx(
        [math.exp(-info["work_ns"] / tau_ns) for info in found]
    )
    assert len({info["service_discount"] for info in found}) > 5


def test_a_vector_tells_of_the_step_that_ended_an_episode():
    env = SosVecEnv("sos/Memory-v0", 3, horizon_ns=2 * MS, discount_service_ns=MS)
    env.seed(0), env.reset()
    ends = 0
    for _ in range(200):
        _, rewards, over, infos = env.step(np.zeros(3, int))
        expected = [math.exp(-info["work_ns"] / MS) for info in infos]
        assert env.last.discounts.tolist() == pytest.approx(expected) == [info["service_discount"] for info in infos]
        assert env.last.rewards.tolist() == rewards.tolist()
        assert env.last.truncated.tolist() == [info["TimeLimit.truncated"] for info in infos]
        ends += sum(discount < 1 for discount, end in zip(expected, over, strict=True) if end)
    assert ends > 1


def advantages_of(steps, last_value, gamma, lam):
    """Of one environment; a step is (reward, discount, value, terminated, truncated, value of the last observation)."""
    found, advantage, then = [], 0.0, last_value
    for reward, discount, value, terminated, truncated, cut_value in reversed(steps):
        if terminated or truncated:
            then, advantage = cut_value if truncated else 0.0, 0.0
        advantage = reward + gamma * discount * (then + lam * advantage) - value
        found.append(advantage)
        then = value
    return found[::-1]


@pytest.mark.parametrize("kind", [ServiceRolloutBuffer, MaskableServiceRolloutBuffer])
@pytest.mark.parametrize("gamma, lam", [(1.0, 1.0), (0.9, 0.7), (1.0, 0.0)])
def test_advantages_are_those_of_a_plain_loop(kind, gamma, lam):
    rng, n = np.random.default_rng(0), 40
    ended, cut = rng.random((n, 2)) < 0.1, rng.random((n, 2)) < 0.1
    cut &= ~ended
    ended[-1], cut[-1] = (True, False), (False, False)
    rewards, values, cut_values = (rng.normal(size=(n, 2)) for _ in range(3))
    discounts, last = rng.random((n, 2)), np.array([5.0, -3.0])
    env = Told()
    buffer = kind(n, SEEN, CHOICE, "cpu", gae_lambda=lam, gamma=gamma, n_envs=2, env=env)
    begins = np.ones(2, bool)
    for k in range(n):
        env.last = LastStep(rewards[k].astype(np.float32), discounts[k], cut[k])
        told = env.last.rewards + gamma * cut_values[k] * cut[k]  # as Stable-Baselines3 does it
        buffer.add(NOTHING, np.zeros(2), told, begins, torch.tensor(values[k]), torch.zeros(2))
        begins = ended[k] | cut[k]
    buffer.compute_returns_and_advantage(torch.tensor(last), begins)
    for i in range(2):
        steps = list(zip(*(a[:, i] for a in (rewards, discounts, values, ended, cut, cut_values)), strict=True))
        assert buffer.advantages[:, i] == pytest.approx(advantages_of(steps, last[i], gamma, lam), abs=1e-5)
    assert buffer.returns == pytest.approx(buffer.advantages + buffer.values)


def test_the_worked_numbers():
    assert advantages_of([(1, 0.9, 2, 0, 0, 0), (1, 0.5, 3, 0, 0, 0)], 4, 1, 1) == pytest.approx([1.7, 0])


def test_with_no_service_it_is_their_own():
    rng, buffers = np.random.default_rng(1), []
    env = Told()
    for kind, more in ((MaskableServiceRolloutBuffer, {"env": env}), (MaskableDictRolloutBuffer, {})):
        buffers.append(kind(9, SEEN, CHOICE, "cpu", gae_lambda=0.8, gamma=0.9, n_envs=2, **more))
    for _ in range(9):
        rewards, begins = rng.normal(size=2).astype(np.float32), rng.random(2) < 0.2
        env.last = LastStep(rewards, np.ones(2), np.zeros(2, bool))
        values = torch.tensor(rng.normal(size=2))
        for buffer in buffers:
            buffer.add(NOTHING, np.zeros(2), rewards, begins, values, torch.zeros(2))
    for buffer in buffers:
        buffer.compute_returns_and_advantage(torch.ones(2), np.array([True, False]))
    assert buffers[0].returns == pytest.approx(buffers[1].returns, abs=1e-6)


def test_a_replay_keeps_a_discount_as_the_share_of_an_end():
    env = Told()
    buffer = ServiceReplayBuffer(4, SEEN, CHOICE, "cpu", n_envs=2, env=env)
    for done, cut in (([False, False], [False, False]), ([True, True], [True, False])):
        env.last = LastStep(np.zeros(2, np.float32), np.array([0.75, 0.5]), np.array(cut))
        buffer.add(NOTHING, NOTHING, np.zeros(2), np.zeros(2), np.array(done), [{}, {}])
    assert buffer.dones.tolist() == [[0.25, 0.5], [0.25, 1.0]] and not buffer.timeouts.any()


@pytest.mark.parametrize(
    "learner, buffer",
    [(PPO, ServiceRolloutBuffer), (MaskablePPO, MaskableServiceRolloutBuffer), (DQN, ServiceReplayBuffer)],
)
def test_learners_take_them(learner, buffer):
    env = SosVecEnv("sos/Memory-v0", 2, horizon_ns=2 * MS)
    which = "replay" if learner is DQN else "rollout"
    given = {f"{which}_buffer_class": buffer, f"{which}_buffer_kwargs": {"env": env}}
    sizes = {"buffer_size": 64, "learning_starts": 10} if learner is DQN else {"n_steps": 32, "batch_size": 32}
    model = learner("MultiInputPolicy", env, gamma=1.0, seed=0, device="cpu", **given, **sizes)
    model.learn(128)
    kept = model.replay_buffer.dones if learner is DQN else model.rollout_buffer.discounts
    assert len(np.unique(kept)) > 10 and 0 < kept.max() <= 1
