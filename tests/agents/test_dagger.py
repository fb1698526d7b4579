"""Imitation: lessons are the advisor's on the learner's own states, and one temperature is fitted."""

from concurrent.futures import ThreadPoolExecutor

import configuration
import dagger
import numpy as np
import pytest
import torch

from sos_gym.envs.env import SosEnv

SHORT = "phases(references=200)"
TINY = {"algorithm": "dagger", "name": "tiny", "env": "sos/Memory-v0", "workload": SHORT, "baselines": ["lru"]}
TINY |= {"rounds": 3, "episodes": 2, "epochs": 3, "width": 8}


def imitator(rounds: int = 3, **changed) -> dagger.Imitator:
    given = configuration.checked(dagger.Training, TINY | changed, "a test")
    with ThreadPoolExecutor(given.threads) as pool:
        learner = dagger.Imitator(given, pool)
        for _ in range(rounds):
            learner.update()
    return learner


def test_lessons_are_the_advisors_on_the_learners_own_states():
    learner = imitator(1, advisor="lru", episodes=1)
    seed = int(dagger.stream(0, "tapes of round 0").integers(dagger.SEEDS, size=1)[0])
    env, claim, rows = SosEnv("sos/Memory-v0", SHORT, "train", ("lru",)), learner.played[0], []
    observation, info = env.reset(seed=seed)
    while info["decision"]["open"]:
        rows += [info["advice"]["lru"]] if observation["action_mask"].sum() > 1 else []
        observation, _, _, _, info = env.step(claim(observation, info))
    assert learner.lessons[0].rows.tolist() == rows and len(rows) > 50


def test_it_comes_to_choose_what_the_advisor_does():
    learner = imitator(2, advisor="lru", epochs=10, learning_rate=1e-2, batch_size=128)
    lessons = learner.lessons[-1]
    with torch.no_grad():
        agreed = [
            (net.log_shares(lessons.candidates, lessons.context, lessons.mask).argmax(1) == lessons.rows).float().mean()
            for net in (imitator(0).network, learner.network)
        ]
    assert agreed[0] < 0.5 < 0.8 < agreed[1]


@pytest.mark.parametrize("advisor, told", [("clairvoyant", True), ("lru", False)])
def test_who_learnt_from_the_future_is_marked(advisor, told):
    assert imitator(0, advisor=advisor).claim().privileged is told


def test_draws_have_the_entropy_that_was_asked_for():
    learner = imitator(2, entropy_nats=0.7)
    entropy = learner._entropy_of(learner.lessons[-1])
    assert entropy(learner.temperature) == pytest.approx(0.7, abs=1e-3)
    scaled, plain = learner.claim(), learner.network.claim("x")
    assert scaled.layers[-1][0] * learner.temperature == pytest.approx(plain.layers[-1][0], rel=1e-5)


def test_a_temperature_that_there_is_not_ends_at_the_edge():
    assert dagger.temperature_for(5.0, lambda temperature: 1.0) == pytest.approx(dagger.HOTTEST)
    assert dagger.temperature_for(2.0, lambda temperature: temperature) == pytest.approx(2.0)


def test_it_follows_its_seed_whatever_the_workers():
    torch.set_num_threads(1)
    one, two, other = (imitator(2, seed=seed, workers=workers) for seed, workers in ((1, 1), (1, 3), (2, 2)))
    weights = [learner.claim().weights for learner in (one, two, other)]
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])
