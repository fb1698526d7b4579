"""Episodes that are kept for learners: what is kept is what happened, and chance is a softmax."""

from itertools import pairwise

import numpy as np
import pytest

import sos_gym
from sos_gym import LearnedClaim, SettingError, experience
from sos_gym.engine.chance import uniform
from sos_gym.envs.env import SosEnv
from sos_gym.experience import DRAWN_CHOICE, drawn_row
from sos_gym.learned import ADMIT_COLUMN, INPUTS, OWN_COLUMNS, PAIR_COLUMNS
from sos_gym.scenario import Scenario

SHORT = {"sos/Memory-v0": "phases(references=300)", "sos/CPU-v0": "hyperexponential(bursts=10)"}
ADVISORS = ("clairvoyant", "lru")


def network(seed: int) -> LearnedClaim:
    rng, sizes = np.random.default_rng(seed), (len(INPUTS), 4, 1)
    return LearnedClaim([(rng.normal(size=pair), rng.normal(size=pair[1])) for pair in pairwise(sizes)], (0.5, 0.25))


def logits_of(claim: LearnedClaim, candidates, context) -> np.ndarray:  # float (K,)
    """The definition, in NumPy."""
    values = np.concatenate([candidates[:, OWN_COLUMNS], np.tile(context, (len(candidates), 1))], axis=1).astype(float)
    for n, (weights, biases) in enumerate(claim.layers):
        values = np.maximum(values @ weights + biases, -np.inf if n == len(claim.layers) - 1 else 0)
    return (1 if context[ADMIT_COLUMN] == 1 else -1) * values[:, 0] - candidates[:, PAIR_COLUMNS] @ claim.pair_costs


def drawn(logits, mask, temperature: float, chance: float) -> tuple[int, float]:
    """A row, and its log probability: the definition, in NumPy."""
    shares = np.where(mask == 1, np.exp((logits - logits[mask == 1].max()) / temperature), 0)
    shares /= shares.sum()
    row = int(np.searchsorted(np.cumsum(shares), chance, side="right"))
    return row, float(np.log(shares[row]))


def played(env_id: str, claim: LearnedClaim, temperature: float = 1.0, seed: int = 3, advisors=ADVISORS):
    scenario = Scenario.of(env_id, SHORT[env_id], "train", advisors)
    return experience.experience(scenario.episode(8), claim, temperature, seed)


@pytest.mark.parametrize("env_id", SHORT)
def test_what_is_kept_is_what_an_environment_shows_and_pays_step_by_step(env_id):
    claim, temperature, seed = network(1), 2.0, 3
    kept = played(env_id, claim, temperature, seed)
    env, n = SosEnv(env_id, SHORT[env_id], "train", ADVISORS), 0
    observation, info = env.reset(seed=8)
    while info["decision"]["open"]:
        for name in ("candidates", "context"):
            assert np.array_equal(getattr(kept, name)[n], observation[name])
        assert np.array_equal(kept.mask[n], observation["action_mask"])
        assert kept.advised[n].tolist() == [info["advice"][name] for name in ADVISORS]
        logits = logits_of(claim, observation["candidates"], observation["context"])
        chance = uniform(seed, info["decision"]["number"], DRAWN_CHOICE)
        row, log_probability = drawn(logits, observation["action_mask"], temperature, chance)
        taken = kept.taken[n]
        assert taken["row"] == row and taken["log_probability"] == pytest.approx(log_probability, abs=1e-4)
        observation, reward, _, _, info = env.step(row)
        assert taken["reward"] == reward
        for name in ("dt_ns", "work_ns", "service_discount"):
            assert taken[name] == info[name]
        n += 1
    assert len(kept) == n > 100
    assert kept.taken["weighted_stall_ns"].sum() == pytest.approx(info["metrics"]["weighted_stall_ns"])


def test_at_temperature_zero_it_is_what_evaluate_plays():
    kept = played("sos/Memory-v0", network(2), temperature=0.0, advisors=())
    run = sos_gym.evaluate("sos/Memory-v0", network(2), SHORT["sos/Memory-v0"], seed=8, split="train")[0]
    assert len(kept) == run["decisions"]
    assert kept.taken["weighted_stall_ns"].sum() == pytest.approx(run["weighted_stall_ns"])
    assert kept.taken["work_ns"].sum() == run["service_ns"]


def test_where_a_stretch_ends_leaves_no_trace(monkeypatch):
    whole = played("sos/CPU-v0", network(1), advisors=())
    monkeypatch.setattr(experience, "DECISIONS", len(whole) // 2)  # room for so many; the kernel takes what there is
    parts = played("sos/CPU-v0", network(1), advisors=())
    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in ("candidates", "mask", "taken"))


def test_draws_follow_their_seed_alone():
    first, again, other = (played("sos/Memory-v0", network(1), seed=seed).taken for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first["row"][:50], other["row"][:50])


def test_rows_come_as_often_as_softmax_says():
    """Logits 2, 1, - and 0 at temperature 2: 1, e^-.5 and e^-1 of their sum."""
    claim = LearnedClaim.linear({"weight": -1.0})
    candidates, context = np.zeros((4, len(sos_gym.COLUMNS)), np.float32), np.zeros(len(sos_gym.CONTEXT), np.float32)
    candidates[:, sos_gym.COLUMNS.index("weight")] = 2, 1, 5, 0
    mask = np.array([1, 1, 0, 1], np.int8)
    given = candidates, context, mask, claim.sizes, claim.weights, claim.pair_costs, 2.0
    rows = [drawn_row(*given, uniform(0, n, DRAWN_CHOICE))[0] for n in range(20_000)]
    shares = np.exp([0.0, -0.5, -np.inf, -1.0])
    assert np.bincount(rows, minlength=4) / 20_000 == pytest.approx(shares / shares.sum(), abs=0.012)


def test_a_temperature_below_zero_is_refused():
    with pytest.raises(SettingError, match="temperature"):
        played("sos/Memory-v0", network(1), temperature=-1.0)
