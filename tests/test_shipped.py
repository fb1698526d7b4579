"""Learned policies by name: which claim plays on an id, everywhere where names are taken."""

import json

import numpy as np
import pytest
import ship

import sos_gym
from sos_gym import evaluation, shipped
from sos_gym.leaderboard import grid
from sos_gym.leaderboard.grid import leaderboard, replay
from sos_gym.learned import INPUTS
from sos_gym.loading import found as finding
from sos_gym.settings.presets import PRESETS, short_id

SEARCH = {"envs": ["sos/CPU-v0"], "workloads": ["default", "bimodal"], "cases": 1, "episodes": 2}
SEARCH |= {"baselines": ["lru"], "stages": [{"generations": 3, "population": 10}, {"generations": 5, "population": 20}]}
AGES = {"memory": -1.0, "cpu": 1.0, "system": -0.5, "tier": -2.0}  # claims that differ


def finished_run(folder, name: str, weight: float):
    """The folder of a run that came to its end."""
    run = folder / f"{name}-0"
    sos_gym.LearnedClaim.linear({"since_use": weight}, name).save(run / "claim.npz")
    (run / "config.yaml").write_text(json.dumps({"algorithm": "search", "name": name, "seed": 0} | SEARCH))
    (run / "about.json").write_text('{"command": ["agents/search.py"]}')
    (run / "curve.jsonl").write_text('{"done": 0, "val": 2.0}\n{"done": 9, "val": 0.5}\n')
    (run / "val.json").write_text('[{"case": "x", "ratio": 0.5}]')
    return run


@pytest.fixture
def named(tmp_path, monkeypatch):
    """`learned`, of four claims, one of which is that for threads."""
    for short, weight in AGES.items():
        ship.ship(finished_run(tmp_path / "runs", f"generalist-{short}", weight), tmp_path / "shipped")
    found = shipped.shipped_in(tmp_path / "shipped")
    for module in (evaluation, grid, finding):
        monkeypatch.setattr(module, "SHIPPED", found)
    return found


def test_a_name_is_there_when_all_its_claims_are(named, tmp_path):
    assert [*named] == ["learned", "learned_threads"]
    ship.ship(finished_run(tmp_path / "runs", "generalist-pages", 1.0), tmp_path / "shipped")
    assert [*shipped.shipped_in(tmp_path / "shipped")] == ["learned", "learned_pages", "learned_threads"]


@pytest.mark.parametrize("env_id", PRESETS)
def test_a_name_plays_the_claim_of_the_id(named, env_id):
    weight = AGES[short_id(env_id).lower()]
    by_name = sos_gym.evaluate(env_id, "learned", seed=3, horizon_ns=20_000_000)[0]
    itself = sos_gym.evaluate(
        env_id, sos_gym.LearnedClaim.linear({"since_use": weight}), seed=3, horizon_ns=20_000_000
    )[0]
    assert by_name.pop("policy") == "learned" and itself.pop("policy") == "linear" and by_name == itself
    assert named["learned"].card(env_id)["config"]["name"] == f"generalist-{short_id(env_id).lower()}"


def test_one_claim_for_all_ids_plays_on_each(tmp_path):
    ship.ship(finished_run(tmp_path / "runs", "generalist-all", 1.0), tmp_path / "shipped")
    all_ = shipped.shipped_in(tmp_path / "shipped")["learned_all"]
    assert len({all_.on(env_id).__name__ for env_id in PRESETS}) == 1
    assert np.array_equal(all_.on("sos/CPU-v0").weights, all_.on("sos/Memory-v0").weights)


def test_boards_have_it_and_its_rows_replay(named, tmp_path):
    where = {"envs": ["sos/Memory-v0"], "workloads": ["loop(references=300)"], "episodes": 2}
    rows = leaderboard(policies=["lru", "learned"], **where)
    assert {row["policy"]: row["kind"] for row in rows} == {"recency": "heuristic", "learned": "agent"}
    for row in rows:
        assert replay(json.loads(json.dumps(row))) == row["metrics"]
    assert "learned" in {entry.name for entry in grid.planned(None, None, ["loop"], 0, 1, "val", False).entries}


def test_rows_of_a_claim_that_was_trained_again_are_not_those_of_before(named, tmp_path, monkeypatch):
    """Its name stays; its numbers tell: `resume` does not mix the two, and `replay` says why a row differs."""
    where = {"envs": ["sos/Memory-v0"], "workloads": ["loop(references=300)"], "episodes": 1, "policies": ["learned"]}
    (before,) = leaderboard(**where, keep=tmp_path / "rows.jsonl")
    ship.ship(finished_run(tmp_path / "again", "generalist-memory", 3.0), tmp_path / "shipped")
    shipped._claim.cache_clear()
    (after,) = leaderboard(**where, keep=tmp_path / "rows.jsonl", resume=True)
    assert after["metrics"] != before["metrics"] and after["content"] != before["content"]
    with pytest.raises(grid.ReplayError, match="content was"):
        replay(before)


def test_a_card_tells_of_the_run_and_no_run_is_shipped_half_way(tmp_path):
    run = finished_run(tmp_path, "generalist-cpu", 1.0)
    card = json.loads((ship.ship(run, tmp_path / "shipped") / "card.json").read_text())
    assert card["last"] == {"done": 9, "val": 0.5} and card["config"]["seed"] == 0 and card["val"][0]["ratio"] == 0.5
    assert card["looks"] == 2 and card["weights"] == len(INPUTS) + 1 and card["elapsed_s"] >= 0
    assert card["episodes"] == (3 * 10 + 5 * 20) * 1 * 2
    other = finished_run(tmp_path, "generalist-tier", 1.0)
    (other / "config.yaml").write_text("algorithm: ppo\nname: ppo-cpu\n")
    with pytest.raises(sos_gym.SettingError, match="algorithms search, distill, not ppo"):
        ship.ship(other, tmp_path / "other")
    taught = {
        "algorithm": "distill",
        "name": "taught",
        "first": "a.npz",
        "teachers": ["lru"],
        "rounds": 7,
        "episodes": 3,
    }
    taught |= {"envs": ["sos/CPU-v0"], "workloads": ["default", "bimodal"], "baselines": ["lru"], "seed": 0}
    (other / "config.yaml").write_text(json.dumps(taught))
    assert ship.card_of(other)["episodes"] == 7 * 3 * 2
    (run / "val.json").unlink()
    with pytest.raises(sos_gym.SettingError, match=r"finished run, with val\.json"):
        ship.ship(run, tmp_path / "other")
    assert not (tmp_path / "other").exists()
