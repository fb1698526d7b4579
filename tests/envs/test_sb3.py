"""The adapter for Stable-Baselines3 against its own vector environment, and its learners on top."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from sos_gym import SettingError
from sos_gym.envs.sb3 import OneThreadRollouts, SosVecEnv
from sos_gym.settings.presets import PRESETS

SHORT = {"horizon_ns": 1_000_000}


@pytest.mark.parametrize("env_id", PRESETS)
def test_it_does_what_their_vector_environment_does(env_id):
    ours = SosVecEnv(env_id, 3, **SHORT)
    theirs = DummyVecEnv([lambda: Monitor(gym.make(env_id, **SHORT)) for _ in range(3)])
    for env in (ours, theirs):
        env.seed(4)
    a, b = ours.reset(), theirs.reset()
    rng, ends = np.random.default_rng(0), 0
    for _ in range(400):
        assert a.keys() == b.keys() and all(a[key].tobytes() == b[key].tobytes() for key in b)
        assert np.array_equal(ours.action_masks(), b["action_mask"])
        actions = rng.integers(16, size=3)
        (a, rewards, over, infos), (b, expected, ended, told) = ours.step(actions), theirs.step(actions)
        assert rewards.tolist() == expected.tolist() and over.tolist() == ended.tolist()
        for i in np.flatnonzero(over):
            ends += 1
            assert infos[i]["TimeLimit.truncated"] == told[i]["TimeLimit.truncated"]
            assert infos[i]["metrics"] == told[i]["metrics"]
            assert infos[i]["episode"]["l"] == told[i]["episode"]["l"]
            assert infos[i]["episode"]["r"] == pytest.approx(told[i]["episode"]["r"], abs=1e-5)  # they round
            assert infos[i]["terminal_observation"].keys() == b.keys()
            for key, array in infos[i]["terminal_observation"].items():
                assert np.array_equal(array, told[i]["terminal_observation"][key])
    assert ends > 3


def test_a_horizon_is_a_truncation_and_an_end_is_not():
    for settings, truncated in ((SHORT, True), ({"workload": "loop"}, False)):
        env = SosVecEnv("sos/Memory-v0", 1, **settings)
        env.seed(0), env.reset()
        over = [False]
        while not over[0]:
            _, _, over, infos = env.step(np.zeros(1, int))
        assert infos[0]["TimeLimit.truncated"] is truncated


def test_torch_has_its_threads_for_updates_only():
    torch.set_num_threads(2)
    told: dict[str, int] = {}

    class Tell(BaseCallback):
        def _on_step(self) -> bool:
            told["step"] = torch.get_num_threads()
            return True

    class Learner(PPO):
        def train(self) -> None:
            told["update"] = torch.get_num_threads()

    learner = Learner("MultiInputPolicy", SosVecEnv("sos/Memory-v0", 2, **SHORT), n_steps=8, batch_size=8)
    learner.learn(16, callback=[OneThreadRollouts(), Tell()])
    assert told == {"step": 1, "update": 2}

    class Stop(BaseCallback):
        def _on_step(self) -> bool:
            return False

    learner.learn(16, callback=[OneThreadRollouts(), Stop()])
    assert torch.get_num_threads() == 2


def test_masks_are_where_maskable_ppo_looks():
    env = SosVecEnv("sos/Memory-v0", 4)
    env.reset()
    assert is_masking_supported(env)
    masks = get_action_masks(env)
    assert np.array_equal(masks, env.action_masks()) and masks.any(axis=1).all()


def test_groups_share_their_seeds():
    env = SosVecEnv("sos/CPU-v0", 4, tape_group=2)
    env.seed(3), env.reset()
    tapes = [one.tape.hash() for one in env.vector.episodes]
    assert tapes[0] == tapes[1] != tapes[2] == tapes[3]


def test_options_of_one_kind_only():
    env = SosVecEnv("sos/Memory-v0", 2)
    env.set_options({"workload": "loop"})
    env.reset()
    env.set_options([{"workload": "loop"}, {"workload": "zipf"}])
    with pytest.raises(SettingError, match="each"):
        env.reset()


def trained(learner, seed=0, **keywords):
    env = SosVecEnv("sos/Memory-v0", 4, **SHORT)
    model = learner("MultiInputPolicy", env, seed=seed, device="cpu", policy_kwargs={"net_arch": [16]}, **keywords)
    model.learn(600)
    return model


@pytest.mark.parametrize(
    "learner, keywords",
    [
        (PPO, {"n_steps": 32, "batch_size": 64}),
        (MaskablePPO, {"n_steps": 32, "batch_size": 64}),
        (A2C, {}),
        (DQN, {"learning_starts": 50, "buffer_size": 1000}),
    ],
)
def test_learners_learn_and_follow_their_seed(learner, keywords):
    models = [trained(learner, seed, **keywords) for seed in (0, 0, 1)]
    weights = [np.concatenate([p.detach().numpy().ravel() for p in model.policy.parameters()]) for model in models]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
    assert len(models[0].ep_info_buffer) > 0 and models[0].ep_info_buffer[0]["l"] > 1


@pytest.mark.parametrize(
    "learner, keywords",
    [
        (PPO, {"n_steps": 16, "batch_size": 16}),
        (MaskablePPO, {"n_steps": 16, "batch_size": 16}),
        (DQN, {"learning_starts": 20, "buffer_size": 200}),
    ],
)
def test_a_model_goes_from_one_vector_to_gym_make_and_back(learner, keywords, tmp_path):
    torch.set_num_threads(1)
    model = learner("MultiInputPolicy", SosVecEnv("sos/CPU-v0", 2, **SHORT), device="cpu", seed=0, **keywords)
    for turn, env in enumerate((gym.make("sos/CPU-v0", **SHORT), SosVecEnv("sos/CPU-v0", 2, **SHORT))):
        model.learn(40).save(tmp_path / f"{turn}.zip")
        observation, info = gym.make("sos/CPU-v0", **SHORT).reset(seed=3)
        masks = {"action_masks": info["action_mask"]} if learner is MaskablePPO else {}
        rows = [one.predict(observation, deterministic=True, **masks)[0] for one in (model,)]
        model = learner.load(tmp_path / f"{turn}.zip", env=env)
        assert model.predict(observation, deterministic=True, **masks)[0] == rows[0]


def test_infos_say_what_single_environments_say():
    ours, theirs = SosVecEnv("sos/System-v0", 2, advisors=("lru",), **SHORT), []
    ours.seed(4), ours.reset()
    for i in range(2):
        single = gym.make("sos/System-v0", advisors=("lru",), **SHORT)
        theirs.append((single, single.reset(seed=4 + i)[1]))
        assert plain(ours.reset_infos[i]) == plain(theirs[i][1], without_metrics=True)
    for _ in range(200):
        *_, over, infos = ours.step(np.full(2, 15))
        for i, (single, _) in enumerate(theirs):
            *_, info = single.step(15)
            assert infos[i].pop("TimeLimit.truncated") == over[i]
            for name in ("terminal_observation", "episode"):
                infos[i].pop(name, None)
            assert plain(infos[i]) == plain(info, without_metrics=not over[i])
            if over[i]:
                single.reset()


def plain(info, without_metrics=False):
    left_out = ("metrics",) if without_metrics else ()
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in info.items()
        if name not in left_out
    }


def test_maskable_ppo_never_chooses_a_masked_row():
    env = SosVecEnv("sos/System-v0", 4, strict=True, **SHORT)
    MaskablePPO("MultiInputPolicy", env, n_steps=64, batch_size=64, device="cpu").learn(600)
