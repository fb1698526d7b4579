"""What was learned on one id, scored on all: cells are what `evaluate` says, whoever is compared."""

import json
from concurrent.futures import ThreadPoolExecutor

import crossing
import numpy as np
import pytest
from cases import Case
from results import Kept

from sos_gym import LearnedClaim, SettingError, evaluate, policies
from sos_gym.baseline import RANDOM_ROW
from sos_gym.settings.presets import PRESETS

SHORT = "loop(references=300)", "bimodal(requests=60)", "working_sets(bursts=1)", "loop(references=300)"
EASY = dict(zip(PRESETS, SHORT, strict=True))
ONLINE = ("turns", "recency")


@pytest.fixture
def few(monkeypatch):
    """A short workload for each id, and two policies."""
    monkeypatch.setattr(crossing, "cases_of", lambda envs, words, split: [Case(envs[0], EASY[envs[0]], split)])
    monkeypatch.setattr(crossing, "policies", lambda: {name: policies()[name] for name in (*ONLINE, "clairvoyant")})


def stall(env: str, policy) -> float:
    return sum(run["weighted_stall_ns"] for run in evaluate(env, policy, EASY[env], 0, 3, split="val"))


def test_a_cell_is_the_stall_beside_the_best_online_policy(few, tmp_path):
    claims = {"young-0": LearnedClaim.linear({"since_use": -1.0}), "old-0": LearnedClaim.linear({"held": 1.0})}
    with ThreadPoolExecutor(2) as pool:
        cells = crossing.crossed(claims, "val", 3, Kept(tmp_path / "played.jsonl"), pool)
    assert [*cells] == ["young-0", "old-0", crossing.SINGLE, RANDOM_ROW]
    for env in PRESETS:
        best = min(stall(env, name) for name in ONLINE)
        for name, policy in {**claims, RANDOM_ROW: RANDOM_ROW}.items():
            assert cells[name][env].value == pytest.approx(stall(env, policy) / best)
        assert cells[crossing.SINGLE][env].value == pytest.approx(1)
    assert len({row[env].value for row in cells.values() for env in PRESETS}) > 8
    crossing.draw(cells, tmp_path / "cells.png")
    assert (tmp_path / "cells.png").stat().st_size > 5_000
    assert crossing.markdown_of(cells).count("\n") == 5


def test_it_is_run_from_the_command_line_and_refuses_what_is_no_run(few, tmp_path, monkeypatch):
    run = tmp_path / "runs" / "young-0"
    LearnedClaim.linear({"since_use": -1.0}).save(run / "claim.npz")
    words = ["crossing", str(run), "--episodes", "2", "--out", str(tmp_path / "out")]
    words += ["--page", str(tmp_path / "page.md")]
    monkeypatch.setattr("sys.argv", words)
    crossing.main()
    told = json.loads((tmp_path / "out/val.json").read_text())
    assert {*told} == {"young-0", crossing.SINGLE, RANDOM_ROW} and {*told["young-0"]} == {*PRESETS}
    assert all(np.isfinite(cell["value"]) for row in told.values() for cell in row.values())
    page = (tmp_path / "page.md").read_text()
    assert (
        page.startswith("## The crossing, val\n\n2 tapes") and "(page-crossing.png)" in page and "| young-0 |" in page
    )
    assert (tmp_path / "page-crossing.png").exists()
    with pytest.raises(SettingError, match="that have a claim"):
        crossing.claim_of(tmp_path)
