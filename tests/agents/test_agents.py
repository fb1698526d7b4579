"""The learners in agents/: what they compute is what they say, and everything follows from the seed."""

from pathlib import Path

import configuration
import numpy as np
import ppo
import pytest
import report
import search
import torch
from set_policy import SetActorCritic

from sos_gym import COLUMNS, CONTEXT, LearnedClaim, SettingError
from sos_gym.envs.env import SosEnv

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = {"generations": 2, "population": 6, "elite": 2, "episodes": 1, "workers": 2}
SHORT = {"steps": 512, "check": 100_000, "environments": 4, "n_steps": 64, "batch_size": 64, "width": 8}


def test_the_search_finds_the_bottom_of_a_bowl():
    rng, target = np.random.default_rng(0), np.array([3.0, -1.0, 0.5])
    mean, spread = np.zeros(3), np.ones(3)
    for generation in range(60):
        drawn = mean + spread * rng.normal(size=(40, 3))
        noise = 0.3 * (1 - (generation + 1) / 60)
        mean, spread = search.improve(mean, spread, ((drawn - target) ** 2).sum(axis=1), drawn, 8, noise)
    assert mean == pytest.approx(target, abs=0.01)


def test_the_search_follows_its_seed_and_stays_on_the_train_split(monkeypatch):
    splits = set()
    evaluate = report.evaluate
    monkeypatch.setattr(
        report, "evaluate", lambda *args, **words: splits.add(words["split"]) or evaluate(*args, **words)
    )
    found = [search.search(search.Search(**TINY, seed=seed))[0].weights for seed in (1, 1, 2)]
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    assert splits == {"train"}


def test_training_follows_its_seed():
    found = [ppo.train(ppo.Training(**SHORT, seed=seed)).model.policy.claim("x").weights for seed in (1, 1, 2)]
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])


def test_the_best_claim_is_kept():
    keep = ppo.train(ppo.Training(**SHORT | {"check": 1}))
    assert len(keep.curve) > 2
    episodes = "val", ppo.CHECK_SEED, ppo.CHECK_EPISODES, 2
    again = (report.stalls("sos/Memory-v0", keep.best, *episodes) / keep.base).mean()
    assert again == pytest.approx(min(keep.curve))


@pytest.mark.parametrize("env_id", ["sos/Memory-v0", "sos/System-v0"])
def test_the_exported_claim_chooses_what_the_torch_policy_chooses(env_id):
    torch.manual_seed(0)
    network = SetActorCritic(16, 8)
    torch.nn.init.normal_(network.pair_costs)
    linear = [module for module in network.actor if isinstance(module, torch.nn.Linear)]
    layers = [(module.weight.detach().numpy().T, module.bias.detach().numpy()) for module in linear]
    claim = LearnedClaim(layers, network.pair_costs.detach().numpy())
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


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_can_be_read(path):
    given = configuration.read(ppo.Training if path.stem.startswith("ppo") else search.Search, path)
    assert given.name == path.stem


@pytest.mark.parametrize("text, name", [("sed: 1", "did you mean 'seed'"), ("seed: x", "of type int")])
def test_a_wrong_configuration_is_named(tmp_path, text, name):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SettingError, match=name):
        configuration.read(search.Search, tmp_path / "a.yaml")
