"""The front between stall and fairness: who is on it, and what the command writes."""

import sys

import fairness
import numpy as np
import pytest
from fairness import Point, front, points
from played import MEASURES, Played

from sos_gym import LearnedClaim, SettingError, evaluate


def test_on_the_front_is_whom_none_beats_in_both():
    found = [
        Point("slow and fair", 3.0, 0.8),
        Point("quick", 1.0, 0.7),
        Point("beaten", 2.0, 0.6),
        Point("twin", 1.0, 0.7),
    ]
    assert [one.name for one in front(found)] == ["quick", "slow and fair"]


def test_a_point_is_a_geometric_mean_of_stall_and_a_mean_of_jain():
    stall, jain = np.array([[[1.0], [8.0]], [[2.0], [4.0]]]), np.array([[[0.5], [0.7]], [[1.0], [0.8]]])
    played = Played(["a", "b"], ["x", "y"], dict(zip(MEASURES, (stall, jain, stall), strict=True)))
    a, b = sorted(points(played, "b"), key=lambda one: one.name)
    assert a.stall == pytest.approx((0.5 * 2) ** 0.5) and a.jain == pytest.approx(0.6)
    assert b == Point("b", 1.0, pytest.approx(0.9))


def run_of(path, workloads="[loop(references=300)]"):
    LearnedClaim.linear({"since_use": -1.0}, path.name).save(path / "claim.npz")
    (path / "config.yaml").write_text(f"envs: [sos/Memory-v0]\nworkloads: {workloads}\n")
    return path


def test_the_command_writes_a_section_with_a_picture(tmp_path, monkeypatch, capsys):
    page, run = tmp_path / "page.md", run_of(tmp_path / "mine-0")
    names = ["lru", "mru"]
    monkeypatch.setattr(fairness, "policies", lambda: {name: type("Card", (), {"privileged": False}) for name in names})
    argv = ["fairness.py", str(run), "--episodes", "2", "--out", str(tmp_path / "out"), "--page", str(page)]
    monkeypatch.setattr(sys, "argv", argv)
    fairness.main()
    text = page.read_text()
    assert "## Stall and fairness, sos/Memory-v0, val" in text and "| `mine-0` |" in text
    assert (tmp_path / "page-fairness.png").read_bytes().startswith(b"\x89PNG")
    jain = np.mean([run["jain"] for run in evaluate("sos/Memory-v0", "lru", "loop(references=300)", 0, 2, "val")])
    assert f"| {jain:.3f} |" in next(line for line in text.splitlines() if line.startswith("| `mine-0`"))  # lru too


def test_runs_that_have_no_common_ground_are_refused(tmp_path):
    runs = [run_of(tmp_path / "a"), run_of(tmp_path / "b", "[default]")]
    with pytest.raises(SettingError, match="the same workloads"):
        fairness.trained_on(runs)
