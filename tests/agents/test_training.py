"""Runs: what they leave behind, when they end, and that a kill changes nothing."""

import json
import os
import random
import signal
import sys
from dataclasses import dataclass

import configuration
import numpy as np
import pytest
import torch
import training
import yaml
from run_folder import RunFolder

from sos_gym import LearnedClaim, SettingError
from sos_gym.learned import INPUTS


@dataclass(frozen=True, kw_only=True)
class Counting(configuration.Configuration):
    total: int = 10


class Counter:
    """A learner whose claim is what a generator drew last."""

    def __init__(self, given):
        self.total, self.done, self.drawn, self.random = given.total, 0, 0.0, random.Random(given.seed)

    def update(self):
        self.done, self.drawn = self.done + 1, self.random.random()
        return {"drawn": self.drawn}

    def claim(self):
        return LearnedClaim.linear({INPUTS[0]: self.drawn})

    def state(self):
        return self.done, self.drawn, self.random.getstate()

    def restore(self, state):
        self.done, self.drawn, own = state
        self.random.setstate(own)


def weight(claim):
    return float(claim.weights[0])


def counted(tmp_path, judge=weight, resume=False, **changed):
    given = Counting(algorithm="counter", name="counter", **changed)
    learner, folder = Counter(given), RunFolder(tmp_path, given, resume)
    return training.train(learner, judge, given, folder), learner, folder


def test_the_best_on_val_is_kept_and_the_first_of_equals(tmp_path):
    scores = iter([3.0, 2.0, 1.5, 1.5, 4.0, 1.6])
    best, _, folder = counted(tmp_path, lambda claim: next(scores), total=5)
    drawn = random.Random(0)
    second = [drawn.random() for _ in range(5)][1]
    assert best.score == 1.5 and weight(best.claim) == pytest.approx(second)
    assert np.array_equal(LearnedClaim.load(folder.path / "claim.npz").weights, best.claim.weights)
    assert [row["val"] for row in folder.rows] == [3.0, 2.0, 1.5, 1.5, 4.0, 1.6]
    assert [row["best"] for row in folder.rows] == [3.0, 2.0, 1.5, 1.5, 1.5, 1.5]


def test_it_looks_at_the_start_after_each_check_and_at_the_end(tmp_path):
    _, _, folder = counted(tmp_path, total=10, check=4)
    assert [row["done"] for row in folder.rows] == [0, 4, 8, 10]


@pytest.mark.parametrize("patience, looks", [(0, 11), (3, 5)])
def test_it_ends_when_nothing_better_was_found_for_some_looks(tmp_path, patience, looks):
    scores = iter([2.0, 1.0, *[1.0] * 9])
    _, _, folder = counted(tmp_path, lambda claim: next(scores), patience=patience)
    assert len(folder.rows) == looks


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_run_that_broke_off_goes_on_as_if_it_had_not(tmp_path, after):
    whole, _, expected = counted(tmp_path / "whole", check=2)
    looks = []

    def judge(claim):
        looks.append(claim)
        if len(looks) == after:
            raise Killed
        return weight(claim)

    with pytest.raises(Killed):
        counted(tmp_path / "broken", judge, check=2)
    best, _, folder = counted(tmp_path / "broken", check=2, resume=True)
    assert folder.rows == expected.rows and weight(best.claim) == weight(whole.claim)
    assert (folder.path / "curve.jsonl").read_text() == (expected.path / "curve.jsonl").read_text()
    assert (folder.path / "claim.npz").exists()


def test_a_finished_run_does_nothing_when_resumed(tmp_path):
    best, _, folder = counted(tmp_path)
    again, learner, kept = counted(tmp_path, lambda claim: 1 / 0, resume=True)
    assert (again.score, kept.rows, learner.done) == (best.score, folder.rows, 10)
    assert len(json.loads((folder.path / "about.json").read_text())) == 2  # starts


def test_ctrl_c_leaves_a_checkpoint_between_two_looks(tmp_path):
    class Pressing(Counter):
        def update(self):
            if self.done == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().update()

    given, before = Counting(algorithm="counter", name="counter", check=5), signal.getsignal(signal.SIGINT)
    with pytest.raises(training.Interrupted, match="at 3 of 10"):
        training.train(Pressing(given), weight, given, RunFolder(tmp_path / "a", given))
    _, learner, folder = counted(tmp_path / "a", check=5, resume=True)
    assert learner.drawn == counted(tmp_path / "b", check=5)[1].drawn
    assert [row["done"] for row in folder.rows] == [0, 5, 10]
    assert signal.getsignal(signal.SIGINT) == before  # in the background of a shell it is ignored


def test_the_folder_says_what_was_run(tmp_path):
    _, _, folder = counted(tmp_path, seed=7)
    assert folder.path == tmp_path / "counter-7"
    assert yaml.safe_load((folder.path / "config.yaml").read_text())["seed"] == 7
    (about,) = json.loads((folder.path / "about.json").read_text())
    assert about["command"] == sys.argv and about["versions"]["torch"] == torch.__version__
    assert about["versions"]["numpy"] == np.__version__
    assert about["commit"] is None or len(about["commit"].rstrip("+")) == 40


def test_a_folder_is_neither_overwritten_nor_mixed(tmp_path):
    counted(tmp_path)
    with pytest.raises(SettingError, match="pass --resume"):
        counted(tmp_path)
    with pytest.raises(SettingError, match=r"total=12 is not allowed: it must be 10"):
        counted(tmp_path, total=12, resume=True)
