"""How claims from several seeds are told apart from policies: worked numbers, intervals, and what is kept."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import controls
import numpy as np
import played
import pytest
import results
from cases import cases_of
from played import Kept, Played, charges, play
from results import log_ratio, ratio, tables

from sos_gym import LearnedClaim, evaluate, policies
from sos_gym.learned import INPUTS

TAPES = 12


def test_a_log_ratio_is_of_sums_over_tapes_and_of_means_over_seeds():
    own = np.array([[[1.0]], [[3.0]]])
    assert log_ratio(own, np.array([[2.0]])) == 0
    two = np.array([[[1.0, 3.0], [8.0, 8.0]]])  # a seed, two cases of two tapes
    assert log_ratio(two, np.array([[1.0, 1.0], [1.0, 1.0]])) == pytest.approx((math.log(2) + math.log(8)) / 2)


def test_where_all_tapes_agree_there_is_nothing_to_doubt():
    base = np.random.default_rng(0).random((3, TAPES)) + 1
    found = ratio(np.stack([base / 2, base / 2]), base)
    assert found.value == found.low == found.high == pytest.approx(0.5)


def test_the_interval_is_that_of_seeds_and_tapes():
    """Two seeds of unlike worth widen it to both; tapes alone make it what the central limit says."""
    rng = np.random.default_rng(1)
    base = np.ones((1, 400))
    noisy = 1 + 0.2 * rng.standard_normal((1, 1, 400))
    lone = ratio(noisy, base)
    assert (lone.high - lone.low) / 2 == pytest.approx(1.96 * 0.2 / 20, rel=0.2)
    both = ratio(np.concatenate([0.5 * noisy, 1.5 * noisy]), base)
    assert both.low < 0.55 and both.high > 1.45 and both.value == pytest.approx(1, abs=0.03)
    assert ratio(noisy, base) == lone


def hand_made() -> Played:
    """The claim is best on the first case, `b` on the second and over all."""
    stall = np.array([[[1.0, 1.0], [6.0, 6.0]], [[2.0, 2.0], [9.0, 9.0]], [[4.0, 4.0], [3.0, 3.0]]])
    others = np.broadcast_to(np.array([0.5, 0.9, 1.0])[:, None, None], stall.shape)
    return Played(["claim", "a", "b"], ["x", "y"], dict(zip(played.MEASURES, (stall, others, others), strict=True)))


def test_tables_say_who_is_best_where_and_alone():
    told = tables(hand_made(), ["claim"], ["a", "b"], [False, True])
    assert told["best single"] == "b" and [case["best"] for case in told["cases"]] == ["a", "b"]
    assert [case["ratio"]["value"] for case in told["cases"]] == pytest.approx([0.5, 2])
    assert told["means"]["all"]["of each case"]["value"] == pytest.approx(1)
    assert told["means"]["all"]["b"]["value"] == pytest.approx(math.sqrt(1 / 4 * 2))
    assert told["means"]["recordings"]["b"]["value"] == pytest.approx(2)
    assert told["others"] == pytest.approx({"a": math.sqrt(3), "b": math.sqrt(2)})
    assert [case["jain"] for case in told["cases"]] == [[0.5, 0.9], [0.5, 1.0]]


def test_what_was_played_is_not_played_again_but_by_another_claim(tmp_path, monkeypatch):
    claims = {"mine": LearnedClaim.linear({"since_use": -1.0}), "lru": "lru"}
    cases, path = cases_of(["sos/Memory-v0"], ["loop(references=300)"], "val"), tmp_path / "played.jsonl"
    with ThreadPoolExecutor(2) as pool:
        first = play(claims, cases, 3, Kept(path), pool)
        path.write_text("\n".join(path.read_text().splitlines()[:4]) + '\n{"of": ["lru"')  # killed as it wrote
        asked = []
        measured = played.measured
        monkeypatch.setattr(played, "measured", lambda *of: asked.append(of) or measured(*of))
        again = play(claims, cases, 3, Kept(path), pool)
        assert len(asked) == 2 and all(np.array_equal(again.values[name], first.values[name]) for name in first.values)
        asked.clear()
        play(claims | {"mine": LearnedClaim.linear({"since_use": 1.0})}, cases, 3, Kept(path), pool)
        assert len(asked) == 3
    assert len({json.dumps(row) for row in map(json.loads, filter(played._whole, path.read_text().splitlines()))}) >= 6


def test_what_a_policy_plays_under_is_what_is_kept(tmp_path):
    """A decision that takes time is waited for; the rows of the two do not pass for each other."""
    cases, price = cases_of(["sos/Memory-v0"], ["loop(references=300)"], "val"), {"decision_ns": 20_000}
    with ThreadPoolExecutor(2) as pool:
        kept = Kept(tmp_path / "played.jsonl")
        free = play({"lru": "lru", "mru": "mru"}, cases, 2, kept, pool)
        paid = play({"lru": "lru", "mru": "mru"}, cases, 2, kept, pool, {"lru": price})
    alone = evaluate("sos/Memory-v0", "lru", "loop(references=300)", 0, split="val", **price)[0]
    assert paid.of(["lru"])[0, 0, 0] == alone["weighted_stall_ns"] > free.of(["lru"])[0, 0, 0]
    assert np.array_equal(paid.of(["mru"]), free.of(["mru"]))


def test_what_is_set_goes_before_what_a_case_says(tmp_path):
    """A recording brings its frames along."""
    case = replace(cases_of(["sos/Memory-v0"], ["zipf(references=1000)"], "val")[0], settings={"frames": 40})
    with ThreadPoolExecutor(1) as pool:
        kept = Kept(tmp_path / "played.jsonl")
        few, many = (play({"lru": "lru"}, [case], 1, kept, pool, own) for own in ({}, {"lru": {"frames": 400}}))
    assert many.of(["lru"]).sum() < few.of(["lru"]).sum()


def test_policies_pay_what_their_cards_say_and_claims_what_is_given():
    found = charges(["learned-0", "eevdf", "lottery"], 2_400)
    assert found["learned-0"] == {"decision_ns": 2_400}
    assert found["eevdf"] == {"decision_ns": policies()["eevdf"].decision_ns} != found["learned-0"]


def test_controls_are_held_against_the_policies_too():
    told = tables(hand_made(), ["claim"], ["b"], [False, True], {"a control": ["a"]})
    assert told["beside"]["a control"]["of each case"]["value"] == pytest.approx(math.sqrt(2 / 4 * 9 / 3))
    assert "a" not in told["others"]
    assert "| a control | 1.225 (1.225 to 1.225) |" in results.markdown_of(told, "val", 2, 1)


def test_a_vote_takes_the_row_of_most():
    vote = controls.Vote(("a", "b", "c", "d"))
    assert vote({}, {"advice": {"a": 3, "b": 1, "c": 1, "d": 2}}) == 1
    assert vote({}, {"advice": {"a": 2, "b": 1, "c": 1, "d": 2}}) == 2
    lone = controls.Vote(("lru",))  # says what its advisor says, and stalls as long
    by_itself, by_vote = (evaluate("sos/Memory-v0", one, "loop(references=300)", 3)[0] for one in ("lru", lone))
    assert by_vote["weighted_stall_ns"] == by_itself["weighted_stall_ns"]


def test_untrained_networks_follow_from_the_seed():
    sizes = (len(INPUTS), 16, 1)
    one, same, other = (controls.untrained(sizes, seed) for seed in (0, 0, 1))
    assert np.array_equal(one.weights, same.weights) and not np.array_equal(one.weights, other.weights)
    assert len(controls.controls_of(sizes)["10 untrained networks"]) == 10


def test_seeds_are_of_one_configuration(tmp_path):
    for seed, name in ((0, "a"), (1, "a"), (2, "b")):
        folder = tmp_path / f"{name}-{seed}"
        LearnedClaim.linear({"since_use": -1.0}).save(folder / "claim.npz")
        (folder / "config.yaml").write_text(f"name: {name}\nseed: {seed}\nworkers: {seed + 1}\nbaselines: [{seed}]\n")
    config, claims = results.runs_of([tmp_path / "a-0", tmp_path / "a-1"])
    assert config["name"] == "a" and [*claims] == ["a-0", "a-1"]
    (tmp_path / "a-1" / "config.yaml").rename(tmp_path / "moved.yaml")  # as a claim that ships, which has a card
    (tmp_path / "a-1" / "card.json").write_text('{"config": {"name": "a", "seed": 1, "workers": 9, "baselines": []}}')
    assert results.runs_of([tmp_path / "a-0", tmp_path / "a-1"])[0] == {"name": "a"}
    for paths in ([tmp_path / "a-0", tmp_path / "b-2"], [tmp_path / "nothing"]):
        with pytest.raises(results.SettingError, match="runs"):
            results.runs_of(paths)


def test_a_page_has_each_section_once_in_its_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Top\n\nWords.\n")
    for heading, text in (("a, val", "one"), ("b, val", "two"), ("a, val", "three")):
        results.put_section(page, heading, text)
    assert page.read_text() == "# Top\n\nWords.\n\n## a, val\n\nthree\n\n## b, val\n\ntwo\n"


def test_a_page_says_what_the_tables_say():
    told = tables(hand_made(), ["claim"], ["a", "b"], [False, True])
    text = results.markdown_of(told, "val", 2, 1)
    assert text.startswith("1 training seed, 2 tapes a case of `val`") and "the best single one" in text
    assert "| x | `a` | 0.500 (0.500 to 0.500) | 0.250 | 0.50 | 0.90 | 0.0 | 0.0 |" in text
    assert text.endswith("Others, relative to the best of each case: `b` 1.414, `a` 1.732.")
