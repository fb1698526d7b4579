"""The learners in agents/: what they compute is what they say, and everything follows from the seed."""

import importlib
import re
from pathlib import Path

import configuration
import distill
import dqn
import numpy as np
import ppo
import pytest
import report
import torch
from set_policy import SetActorCritic

from sos_gym import COLUMNS, CONTEXT, LearnedClaim, SettingError
from sos_gym.envs.env import SosEnv

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT = {"decisions": 512, "environments": 4, "n_steps": 64, "batch_size": 64, "width": 8, "workers": 2}
ONE = {"algorithm": "ppo", "name": "one", "env": "sos/Memory-v0", "baselines": ["lru", "clairvoyant"]}


def test_training_follows_its_seed():
    found = []
    for seed in (1, 1, 2):  # one after the other: they share the global generators
        learner = ppo.Ppo(ppo.Training(**ONE, **SHORT, seed=seed))
        learner.update()
        found.append(learner.claim().weights)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_the_rate_falls_over_the_budget():
    learner = ppo.Ppo(ppo.Training(**ONE, **SHORT, learning_rate=1e-3, last_learning_rate=1e-4))
    rates = [learner.update()["learning_rate"] for _ in range(2)]
    assert rates == pytest.approx([1e-3, 5.5e-4])


def test_a_claim_is_judged_against_the_best_that_does_not_know_the_future():
    given = ppo.Training(**ONE | {"baselines": ["lru", "fifo", "clairvoyant"]}, look_episodes=2)
    judge = report.AgainstTheBest(given)
    lru, fifo = (report.stalls(given.env, name, "val", report.LOOK_SEED, 2, 1) for name in ("lru", "fifo"))
    oldest = LearnedClaim.linear({"since_use": -1.0})
    own = report.stalls(given.env, oldest, "val", report.LOOK_SEED, 2, 1)
    assert judge(oldest) == pytest.approx((own / min(lru, fifo, key=np.mean)).mean())
    with pytest.raises(SettingError, match="know the future"):
        report.AgainstTheBest(ppo.Training(**ONE | {"baselines": ["clairvoyant"]}))


@pytest.mark.parametrize("env_id", ["sos/Memory-v0", "sos/System-v0"])
def test_the_exported_claim_chooses_what_the_torch_policy_chooses(env_id):
    torch.manual_seed(0)
    network = SetActorCritic(16, 8)
    torch.nn.init.normal_(network.actor.pair_costs)
    claim = network.actor.claim("x")
    env, agreed = SosEnv(env_id), []
    observation, info = env.reset(seed=0)
    for _ in range(500):
        flat = np.concatenate([observation["candidates"].ravel(), observation["context"]])
        logits = network.forward_actor(torch.from_numpy(flat)[None])[0].detach().numpy()
        theirs = int(np.argmax(np.where(observation["action_mask"] == 1, logits, -np.inf)))
        row = claim(observation, info)
        agreed.append(row == theirs)
        observation, _, _, _, info = env.step(row)
    assert np.mean(agreed) > 0.99


def test_the_order_of_rows_and_padding_do_not_matter_to_the_network():
    torch.manual_seed(0)
    network, rng = SetActorCritic(6, 8), np.random.default_rng(0)
    rows = rng.random((6, len(COLUMNS)), np.float32)
    rows[:, 0], rows[4:] = 1.0, 0.0
    context, order = rng.random(len(CONTEXT), np.float32), rng.permutation(6)
    flat = [torch.from_numpy(np.concatenate([r.ravel(), context]))[None] for r in (rows, rows[order])]
    (logits, value), (moved, again) = map(network, flat)
    assert torch.allclose(logits[0, order], moved[0], atol=1e-6) and torch.allclose(value, again, atol=1e-6)


# -- DQN


def masked_dqn(**changed):
    return dqn.Dqn(
        dqn.Training(**ONE | {"algorithm": "dqn"}, environments=4, buffer_size=400, width=8, workers=2, **changed)
    )


def test_dqn_never_takes_a_row_that_is_masked_out():
    learner = masked_dqn(learning_starts=100, batch_size=16, piece=256)
    learner.update()  # 100 decisions by chance, then more and more by its values
    kept = learner.model.replay_buffer
    legal = np.take_along_axis(kept.observations["action_mask"][:64], kept.actions[:64], axis=2)
    assert legal.all() and len(np.unique(kept.actions[:64])) > 5
    assert len({tuple(row) for row in kept.actions[:20, :, 0].tolist()}) > 10  # each environment by itself


def test_dqn_looks_ahead_to_legal_rows_alone():
    network = masked_dqn().model.q_net_target
    seen = {name: torch.ones(1, *box.shape) for name, box in SosEnv("sos/Memory-v0").observation_space.spaces.items()}
    seen["candidates"] = torch.rand(1, 16, len(COLUMNS), generator=torch.Generator().manual_seed(0))
    free = network(seen)
    best = int(free.argmax())
    seen["action_mask"][0, best] = 0
    masked = network(seen)
    assert int(masked.argmax()) != best and masked.max() == free[0, [i for i in range(16) if i != best]].max()
    assert torch.isfinite(masked).all()  # 0 * value at an end must be 0


def test_what_dqn_explores_falls_over_the_budget():
    learner = masked_dqn(exploration=0.8, last_exploration=0.2, exploration_share=0.5, decisions=1000)
    rates = []
    for share in (0.0, 0.25, 0.5, 1.0):
        learner.set_rates(share)
        rates.append(learner.model.exploration_schedule(1.0))
    assert rates == pytest.approx([0.8, 0.5, 0.2, 0.2])


def test_dqn_follows_its_seed():
    found = []
    for seed in (1, 1, 2):
        learner = masked_dqn(learning_starts=100, batch_size=16, piece=256, seed=seed)
        learner.update()
        found.append(learner.claim().weights)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


# -- configurations


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_can_be_read(path):
    kind = importlib.import_module(configuration.written(path)["algorithm"]).Training
    assert configuration.read(kind, path).name == path.stem


@pytest.mark.parametrize(
    "text, said",
    [
        ("sed: 1", "did you mean 'seed'"),
        ("seed: x", "a.yaml: seed='x' is not allowed: it must be a valid integer"),
        ("seed: -1", "greater than or equal to 0"),
        ("workload: [1]", "valid string"),
        ("name: x", "algorithm=None is not allowed: it must be given"),
        ("[1, 2]", "lines of `key: value`"),
        ("a: [", "it must be YAML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path, text, said):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SettingError, match=re.escape(said)):
        configuration.read(ppo.Training, tmp_path / "a.yaml", **{} if text == "name: x" else ONE)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("generalist-*.yaml")), ids=lambda path: path.stem)
def test_all_that_a_generalist_is_taught_by_is_there(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # wherever it is trained
    given = configuration.read(distill.Training, path)
    assert all(distill.teacher_of(name) for name in given.teachers)
    assert LearnedClaim.load(configuration.claim_file(given.first))


def test_a_claim_is_where_it_is_named_before_it_is_in_configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configuration.claim_file("teachers/all.npz") == CONFIGS / "teachers/all.npz"
    assert configuration.claim_file("teachers/none.npz") == Path("teachers/none.npz")
    Path("teachers").mkdir()
    Path("teachers/all.npz").touch()
    assert configuration.claim_file("teachers/all.npz") == Path("teachers/all.npz")


def test_a_configuration_is_found_by_its_name():
    assert configuration.found("ppo-memory") == CONFIGS / "ppo-memory.yaml"
    assert configuration.found("a/b.yaml") == Path("a/b.yaml")
    with pytest.raises(SettingError, match="did you mean 'ppo-memory'"):
        configuration.found("ppo-memry")


def test_keys_are_changed_in_yaml():
    assert configuration.changes_of(["a=1", "b = [x, 2.5]", "c="]) == {"a": 1, "b": ["x", 2.5], "c": None}
    with pytest.raises(SettingError, match="key=value"):
        configuration.changes_of(["check"])
