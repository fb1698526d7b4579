"""Distillation: each case has its best teacher, lessons are what it would choose, and all follows from the seed."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import configuration
import distill
import numpy as np
import pytest
from cases import Case, cases_of

from sos_gym import COLUMNS, LearnedClaim, SettingError, evaluate
from sos_gym.shipped import SHIPPED

MEMORY = "sos/Memory-v0"
TINY = {"algorithm": "distill", "name": "tiny", "envs": [MEMORY], "workloads": ["zipf(references=1000)"]}
TINY |= {
    "baselines": ["lru"],
    "look_episodes": 1,
    "val_episodes": 2,
    "width": 8,
    "depth": 1,
    "lessons": 300,
    "epochs": 12,
    "episodes": 1,
    "choosing_episodes": 2,
}
OLDEST = LearnedClaim.linear({"since_use": -1.0}, "oldest")  # the longest unused goes


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def first(tmp_path):
    return str(OLDEST.save(tmp_path / "oldest.npz"))


def pupil_of(pool, first, **changed) -> distill.Pupil:
    return distill.Pupil(
        configuration.checked(distill.Training, TINY | {"first": first, "teachers": [first]} | changed, "a test"), pool
    )


def test_the_teacher_of_a_case_is_the_best_there(pool, first):
    assert pupil_of(pool, first, teachers=["mru", "frequency"]).teachers == ["frequency"]
    teacher = pupil_of(pool, first, teachers=["mru", first], workloads=["phases(references=1500)"]).teachers[0]
    assert np.array_equal(teacher.weights, OLDEST.weights)


def test_a_learned_policy_teaches_each_id_by_its_own_claim(pool, first):
    ids = [MEMORY, "sos/CPU-v0"]
    pupil = pupil_of(pool, first, teachers=["learned"], envs=ids, workloads=[*TINY["workloads"], "schbench"])
    assert [case.env for case in pupil.cases] == ids
    for env, teacher in zip(ids, pupil.teachers, strict=True):
        assert np.array_equal(teacher.weights, SHIPPED["learned"].on(env).weights)


def test_who_knows_the_future_teaches_nobody(pool, first, tmp_path):
    told = LearnedClaim(OLDEST.layers, OLDEST.pair_costs, "told", privileged=True).save(tmp_path / "told.npz")
    for teacher in ("clairvoyant", str(told)):
        with pytest.raises(SettingError, match="do not know the future"):
            pupil_of(pool, first, teachers=[teacher])


@pytest.mark.parametrize("teacher", [OLDEST, "lru"], ids=["a claim", "a policy"])
def test_lessons_are_what_the_teacher_would_choose(teacher):
    """Of the oldest and of LRU they are the same: the legal row that was used longest ago."""
    case = cases_of([MEMORY], TINY["workloads"], "train")[0]
    found, decisions = distill.lessons_of(case, teacher, OLDEST, 5, most=50)
    assert len(found) == 50 < decisions == evaluate(MEMORY, OLDEST, case.workload, 5, split="train")[0]["decisions"]
    for candidates, context, mask, row in zip(*(part.numpy() for part in found.parts()), strict=True):
        assert mask[row] and mask.sum() > 1
        seen = {"candidates": candidates, "context": context, "action_mask": mask}
        best = OLDEST(seen, {})
        column = candidates[:, COLUMNS.index("since_use")]
        assert column[row] == pytest.approx(column[best], abs=1e-6)


def test_families_teach_as_much_as_recordings_and_ids_as_each_other():
    def case(env, name, recorded):
        return Case(env, name, "train", recorded)

    memory = [case(MEMORY, name, recorded=False) for name in "abc"] + [case(MEMORY, "d", recorded=True)]
    assert distill.shares_of(memory) == pytest.approx([1 / 6] * 3 + [1 / 2])
    # the only one of its id teaches as much as all of Memory together
    assert distill.shares_of([*memory, case("sos/CPU-v0", "e", recorded=False)]) == pytest.approx(
        [1 / 12] * 3 + [1 / 4, 1 / 2]
    )


def test_a_case_has_so_many_lessons_as_its_share(pool, first):
    """Over all episodes: 300 of the one case there is, from three."""
    pupil = pupil_of(pool, first, episodes=3)
    told = pupil.update()
    assert len(pupil.lessons[0]) == told["lessons"] == 300
    again = pupil.update()
    assert again["lessons"] == 600 and again["decisions"] > told["decisions"] > 600


def test_the_rate_falls_to_that_of_the_last_round(pool, first):
    pupil, rates = pupil_of(pool, first, rounds=4, learning_rate=0.004), []
    for _ in range(4):
        pupil.update()
        rates.append(pupil.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.004, 0.003, 0.002, 0.001])


def test_a_pupil_comes_to_agree_and_follows_its_seed(pool, first):
    def learnt(seed: int, rounds: int) -> tuple[distill.Pupil, list[float]]:
        pupil = pupil_of(pool, first, seed=seed)
        return pupil, [pupil.update()["agreed"] for _ in range(rounds)]

    one, agreed = learnt(0, 6)
    assert agreed[-1] > 0.5 > agreed[0]
    assert np.array_equal(one.claim().weights, learnt(0, 6)[0].claim().weights)
    assert not np.array_equal(one.claim().weights, learnt(1, 6)[0].claim().weights)


def test_it_may_begin_at_a_claim_of_its_layers(pool, first, tmp_path):
    one = pupil_of(pool, first, seed=3)
    one.update()
    learnt = str(one.claim().save(tmp_path / "learnt.npz"))
    assert np.array_equal(pupil_of(pool, first, start=learnt).claim().weights, one.claim().weights)
    with pytest.raises(SettingError, match=r"a claim of \[47, 9, 1\]"):
        pupil_of(pool, first, start=learnt, width=9)


def test_it_goes_on_from_its_state(pool, first):
    whole = pupil_of(pool, first)
    whole.update()
    kept = pickle.dumps(whole.state())
    whole.update()
    again = pupil_of(pool, first)
    again.restore(pickle.loads(kept))
    again.update()
    assert again.done == 2 and np.array_equal(again.claim().weights, whole.claim().weights)
