"""Learned claims: one result whichever way they are run, and claims whose rule is known."""

from itertools import pairwise

import numpy as np
import pytest

import sos_gym
from sos_gym import COLUMNS, CONTEXT, LearnedClaim, SettingError, evaluate, learned
from sos_gym.learned import INPUTS, PAIR
from sos_gym.settings.presets import PRESETS
from sos_gym.view.columns import OBSERVATION


def network(seed: int, hidden=(8, 5)) -> LearnedClaim:
    rng, sizes = np.random.default_rng(seed), (len(INPUTS), *hidden, 1)
    layers = [(rng.normal(size=pair), rng.normal(size=pair[1])) for pair in pairwise(sizes)]
    return LearnedClaim(layers, rng.normal(size=2), f"network {seed}")


def plain(claim: LearnedClaim, observation, info) -> int:
    """The definition, in NumPy: the legal row with the greatest logit."""
    legal, admit = np.flatnonzero(observation["action_mask"]), info["decision"]["kind"] == "admit"
    logits = [logit(claim, observation["candidates"][i], observation["context"], admit) for i in legal]
    return int(legal[int(np.argmax(logits))])


def logit(claim: LearnedClaim, row, context, admit: bool) -> float:
    """Of one row, in NumPy."""
    named = dict(zip((*COLUMNS, *CONTEXT), (*row.astype(float), *context.astype(float)), strict=True))
    values = np.array([named[name] for name in INPUTS])
    for n, (weights, biases) in enumerate(claim.layers):
        values = values @ weights.astype(float) + biases
        values = values if n == len(claim.layers) - 1 else np.maximum(values, 0)
    return (1 if admit else -1) * values[0] - claim.pair_costs @ np.array([named[name] for name in PAIR])


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


@pytest.mark.parametrize("hidden", [(), (3,), (20, 5)], ids=str)
@pytest.mark.parametrize("rows", [1, 5, 16, 17, 40])
def test_logits_are_those_of_the_definition_whatever_the_number_of_rows(rows, hidden):
    """They are made for several rows at a time; each row's are the same as alone."""
    claim, rng = network(2, hidden), np.random.default_rng(rows)
    given = claim.sizes, claim.weights, claim.pair_costs
    candidates = rng.normal(size=(rows, len(COLUMNS))).astype(np.float32)
    context, logits, alone = rng.normal(size=len(CONTEXT)).astype(np.float32), *np.zeros((2, rows), np.float32)
    for admit in (0.0, 1.0):
        context[CONTEXT.index("admit")] = admit
        learned.logits_of(candidates, context, *given, logits)
        for i in range(rows):
            learned.logits_of(candidates[i : i + 1], context, *given, alone[i : i + 1])
            told = logit(claim, candidates[i], context, admit=bool(admit))
            assert logits[i] == pytest.approx(told, rel=1e-4, abs=1e-3)
        assert np.array_equal(alone, logits)


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


def changed(claim: LearnedClaim, path, *without: str, **arrays):
    """The file of a claim with some arrays changed, or left out."""
    claim.save(path)
    with np.load(path) as file:
        found = {name: file[name] for name in file if name not in without}
    np.savez(path, **(found | arrays))
    return path


def test_a_file_says_what_it_was_trained_for(tmp_path):
    with np.load(network(7).save(tmp_path / "claim.npz")) as file:
        assert tuple(file["inputs"]) == INPUTS and tuple(file["pair"]) == PAIR
        assert file["observation"] == OBSERVATION and file["version"] == sos_gym.__version__


def test_columns_in_another_order_are_put_in_place(tmp_path):
    claim, order = network(7), np.random.default_rng(0).permutation(len(INPUTS))
    moved = {"inputs": np.array(INPUTS)[order], "w0": claim.layers[0][0][order]}
    moved |= {"pair": PAIR[::-1], "pair_costs": claim.pair_costs[::-1]}
    again = LearnedClaim.load(changed(claim, tmp_path / "claim.npz", **moved))
    assert again.weights.tobytes() == claim.weights.tobytes()
    assert again.pair_costs.tolist() == claim.pair_costs.tolist()


def test_a_column_that_is_new_weighs_nothing(tmp_path):
    claim, at = network(7), INPUTS.index("payoff")
    known = {"inputs": np.delete(INPUTS, at), "w0": np.delete(claim.layers[0][0], at, axis=0)}
    known |= {"pair": PAIR[:1], "pair_costs": claim.pair_costs[:1]}
    again = LearnedClaim.load(changed(claim, tmp_path / "claim.npz", **known))
    expected = claim.layers[0][0].copy()
    expected[at] = 0
    assert again.layers[0][0].tolist() == expected.tolist()
    assert again.pair_costs.tolist() == [claim.pair_costs[0], 0]


def test_a_column_that_is_gone_is_refused(tmp_path):
    path = changed(network(7), tmp_path / "claim.npz", inputs=["age", *INPUTS[1:]], version="0.0.7")
    with pytest.raises(SettingError, match=r"sos_gym 0\.0\.7, for \['age'\]: train it again"):
        LearnedClaim.load(path)
    with pytest.raises(SettingError, match=r"for \['nearness'\]"):
        LearnedClaim.load(changed(network(7), path, pair=["nearness", PAIR[1]]))


def test_another_version_of_the_observation_is_refused(tmp_path):
    path = changed(network(7), tmp_path / "claim.npz", observation=OBSERVATION + 1, version="9.0")
    with pytest.raises(SettingError, match=rf"version {OBSERVATION} .*not {OBSERVATION + 1}; .*sos_gym 9\.0"):
        LearnedClaim.load(path)


def test_a_file_from_before_versions_is_of_version_1(tmp_path, monkeypatch):
    path = changed(network(7), tmp_path / "claim.npz", "observation", "version")
    monkeypatch.setattr(learned, "OBSERVATION", 1)
    assert LearnedClaim.load(path).weights.tobytes() == network(7).weights.tobytes()
    monkeypatch.setattr(learned, "OBSERVATION", 2)
    with pytest.raises(SettingError, match=r"not 1; .*unknown version"):
        LearnedClaim.load(path)


def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
    path = tmp_path / "claim.npz"
    short = changed(network(7), path, w0=np.zeros((3, 8)))
    with pytest.raises(SettingError, match=r"LearnedClaim\.save.*names of 3 inputs"):
        LearnedClaim.load(short)
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


def test_a_saved_claim_says_whether_it_was_told_of_the_future(tmp_path):
    for privileged in (False, True):
        claim = LearnedClaim([(np.zeros((len(INPUTS), 1)), [0.0])], privileged=privileged)
        again = LearnedClaim.load(claim.save(tmp_path / "claim.npz"))
        assert again.privileged is privileged
        assert evaluate("sos/Memory-v0", again, horizon_ns=1000)[0]["privileged"] is privileged
