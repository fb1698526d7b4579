"""How sure a board is: worked numbers, what chance may do, and who is ranked among whom."""

import dataclasses

import numpy as np
import pytest

from sos_gym.leaderboard import markdown, standings
from sos_gym.leaderboard.certainty import certainties

TAPES = 200


def rows_of(stalls_ns, kinds=None, workload="phases", **facts):
    return [
        {
            "env": "sos/Memory-v0",
            "workload": workload,
            "split": "test",
            "policy": policy,
            "kind": (kinds or {}).get(policy, "heuristic"),
            "seed": seed,
            "settings": {},
            "tape": f"tape {seed}",
            "version": "0",
            "metrics": {"weighted_stall_ns": stall, "stall_ns": stall},
            **facts,
        }
        for policy, stalls in stalls_ns.items()
        for seed, stall in enumerate(stalls)
    ]


def of(rows):
    return certainties(rows, standings(rows))


def test_where_all_tapes_agree_nothing_is_in_doubt():
    tapes = np.random.default_rng(0).uniform(1e6, 9e6, 6)
    found = of(rows_of({"a": tapes, "b": 2 * tapes, "c": 3 * tapes}))
    for policy, ratio, place in (("a", 1, 1), ("b", 2, 2), ("c", 3, 3)):
        one = found[policy]
        assert (one.low, one.high) == (pytest.approx(ratio), pytest.approx(ratio)) and one.first == one.last == place


def test_the_interval_is_as_wide_as_the_central_limit_says():
    """Independent tapes of a base 1 and a spread of .2: 1.96 * .2 / sqrt(200) to either side."""
    rng = np.random.default_rng(1)
    base, noisy = np.full(TAPES, 1e6), 1e6 * (1.5 + 0.2 * rng.standard_normal(TAPES))
    one = of(rows_of({"base": base, "noisy": noisy}))["noisy"]
    assert one.low < noisy.mean() / 1e6 < one.high
    assert (one.high - one.low) / 2 == pytest.approx(1.96 * 0.2 / np.sqrt(TAPES), rel=0.15)


def test_two_that_chance_tells_apart_share_their_places():
    rng = np.random.default_rng(2)
    near, nearer, far = (1e6 * (mean + 0.2 * rng.random(TAPES)) for mean in (1.0, 1.0, 2.0))
    found = of(rows_of({"near": near, "nearer": nearer, "far": far}))
    assert [(found[name].first, found[name].last) for name in ("near", "nearer", "far")] == [(1, 2), (1, 2), (3, 3)]


def test_what_is_paired_is_told_apart_where_tapes_differ_more_than_policies():
    """A tape's own stall varies tenfold; one policy has always 2 % less."""
    tapes = np.random.default_rng(3).uniform(1e6, 1e7, 20)
    jitter = 1 + 0.01 * np.random.default_rng(4).standard_normal(20)
    found = of(rows_of({"worse": tapes, "better": 0.98 * tapes * jitter}))
    assert found["better"].last == 1 and found["worse"].first == 2 and found["better"].high < 1.001


def test_groups_weigh_alike():
    two = rows_of({"a": [1e6] * 3, "b": [2e6] * 3}) + rows_of({"a": [8e9] * 3, "b": [1e9] * 3}, workload="loop")
    found = of(two)
    assert found["a"].low == pytest.approx(np.sqrt(1 * 8)) and found["b"].high == pytest.approx(np.sqrt(2 * 1))
    assert (found["b"].first, found["a"].first) == (1, 2)


def test_places_are_among_those_of_a_track():
    kinds = {"future": "clairvoyant", "vote": "ensemble", "agent": "agent"}
    stalls = {"future": [1e6] * 4, "vote": [2e6] * 4, "agent": [3e6] * 4, "lru": [4e6] * 4}
    found = of(rows_of(stalls, kinds))
    assert {name: (one.first, one.last) for name, one in found.items()} == {
        "future": (1, 1),
        "vote": (1, 1),
        "agent": (1, 1),
        "lru": (2, 2),
    }
    assert found["agent"].low == pytest.approx(0.75)  # to the best online heuristic, not to who knows the future


def test_nothing_is_said_of_one_tape_or_of_half_a_board():
    assert of(rows_of({"a": [1e6], "b": [2e6]})) == {}
    rows = rows_of({"a": [1e6, 2e6], "b": [2e6, 3e6]}) + rows_of({"a": [1e6, 2e6]}, workload="loop")
    assert [*of(rows)] == ["a"]


def test_it_follows_from_the_rows_alone():
    rng = np.random.default_rng(5)
    rows = rows_of({name: 1e6 * (1 + rng.random(7)) for name in "abc"})
    first, again = of(rows), of(rows[::-1])
    assert first == again
    assert first != of([row | {"metrics": {"weighted_stall_ns": row["metrics"]["stall_ns"] + 1e5}} for row in rows])


def test_tables_say_how_sure_they_are():
    tapes = np.array([2e6, 5e6, 3e6])
    text = markdown(rows_of({"a": tapes, "b": 2 * tapes}))
    assert "| policy | stall ratio | 95 % | place | worst family |" in text
    assert "| b | 2.00 | 2.00 to 2.00 | 2 | Memory phases 2.00 |" in text
    assert "95 %" not in markdown(rows_of({"a": tapes[:1], "b": tapes[:1]}))


def test_a_place_is_written_as_an_interval():
    from sos_gym.leaderboard.certainty import Certainty
    from sos_gym.leaderboard.report import sure_cells

    one = Certainty(0.5, 1.25, 3, 7)
    assert sure_cells(one) == ("0.50 to 1.25", "3–7")
    assert sure_cells(dataclasses.replace(one, last=3)) == ("0.50 to 1.25", "3") and sure_cells(None) == ("–", "–")
