"""Learned claims: one result whichever way they are run, and claims whose rule is known."""

from itertools import pairwise

import numpy as np
import pytest

from sos_gym import COLUMNS, CONTEXT, LearnedClaim, SettingError, evaluate
from sos_gym.learned import INPUTS, PAIR
from sos_gym.settings.presets import PRESETS


def network(seed: int, hidden=(8, 5)) -> LearnedClaim:
    rng, sizes = np.random.default_rng(seed), (len(INPUTS), *hidden, 1)
    layers = [(rng.normal(size=pair), rng.normal(size=pair[1])) for pair in pairwise(sizes)]
    return LearnedClaim(layers, rng.normal(size=2), f"network {seed}")


def plain(claim: LearnedClaim, observation, info) -> int:
    """The definition, in NumPy."""
    legal = np.flatnonzero(observation["action_mask"])
    context = dict(zip(CONTEXT, observation["context"].astype(float), strict=True))
    logits = []
    for i in legal:
        row = dict(zip(COLUMNS, observation["candidates"][i].astype(float), strict=True))
        values = np.array([(row | context)[name] for name in INPUTS])
        for n, (weights, biases) in enumerate(claim.layers):
            values = values @ weights.astype(float) + biases
            values = values if n == len(claim.layers) - 1 else np.maximum(values, 0)
        cost = claim.pair_costs @ np.array([row[name] for name in PAIR])
        logits.append((1 if info["decision"]["kind"] == "admit" else -1) * values[0] - cost)
    return int(legal[int(np.argmax(logits))])


@pytest.mark.parametrize("env_id", PRESETS)
def test_inside_the_engine_step_by_step_and_in_numpy_it_is_one_policy(env_id):
    claim = network(3)
    inside = evaluate(env_id, claim, episodes=2, seed=5)
    assert evaluate(env_id, claim, episodes=2, seed=5, through="gym") == inside
    agreed = []

    def compare(observation, info):
        row = claim(observation, info)
        agreed.append(row == plain(claim, observation, info))
        return row

    evaluate(env_id, compare, seed=5)
    assert np.mean(agreed) > 0.995  # two logits may be equal but for the rounding of float32
    assert inside != evaluate(env_id, network(4), episodes=2, seed=5)


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("policy", ["lru", network(1)], ids=["named", "learned"])
def test_the_number_of_workers_changes_nothing(policy, workers):
    runs = evaluate("sos/Memory-v0", policy, episodes=4, seed=9, workers=workers)
    assert runs == evaluate("sos/Memory-v0", policy, episodes=4, seed=9)
    assert [run["seed"] for run in runs] == [9, 10, 11, 12]


def test_to_spare_the_latest_use_is_lru():
    """A page used long ago has a great `since_use`; it should go first. All contenders are rows, and uses differ."""
    lru = LearnedClaim.linear({"since_use": -1.0})
    settings = {"workload": "zipf", "frames": 12, "nodes": 1, "scan_ns": None}
    ours, theirs = (evaluate("sos/Memory-v0", policy, **settings)[0] for policy in (lru, "lru"))
    assert ours.pop("policy") != theirs.pop("policy")
    assert ours == theirs


def test_it_comes_back_from_its_file(tmp_path):
    claim = network(7)
    again = LearnedClaim.load(claim.save(tmp_path / "deep" / "claim.npz"))
    assert again.__name__ == claim.__name__ and again.weights.tobytes() == claim.weights.tobytes()
    assert again.sizes.tolist() == [len(INPUTS), 8, 5, 1] and again.pair_costs.tolist() == claim.pair_costs.tolist()


def test_a_file_for_other_columns_is_refused(tmp_path):
    path = network(7).save(tmp_path / "claim.npz")
    with np.load(path) as file:
        found = dict(file)
    np.savez(path, **(found | {"inputs": ["age", *INPUTS[1:]]}))
    with pytest.raises(SettingError, match=r"trained for others: \['age', 'valid'\]"):
        LearnedClaim.load(path)
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(SettingError, match=r"LearnedClaim\.save"):
        LearnedClaim.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(SettingError, match=r"LearnedClaim\.save"):
        LearnedClaim.load(path)


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: LearnedClaim([]), "layers"),
        (lambda: LearnedClaim([(np.zeros((3, 1)), [0.0])]), r"layers\[0\]"),
        (lambda: LearnedClaim([(np.zeros((len(INPUTS), 2)), [0.0, 0.0])]), "one output"),
        (lambda: LearnedClaim([(np.full((len(INPUTS), 1), np.nan), [0.0])]), "finite"),
        (lambda: LearnedClaim([(np.zeros((len(INPUTS), 1)), [0.0])], [1.0]), "pair_costs"),
        (lambda: LearnedClaim.linear({"age": 1.0}), "age"),
        (lambda: network(0).save("claim.txt"), "npz"),
    ],
)
def test_misfits_are_named(make, name):
    with pytest.raises(SettingError, match=name):
        make()
