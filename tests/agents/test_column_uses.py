"""Columns: which vary, which are flags, and what a claim is worth without one."""

import sys
from concurrent.futures import ThreadPoolExecutor

import columns
import numpy as np
import pytest
from cases import cases_of, drawn, played
from columns import Seen, lines, uses, without

from sos_gym import COLUMNS, CONTEXT, LearnedClaim

MEMORY = "sos/Memory-v0"
USED, DEAD = "since_use", "resident_share"
TINY = ["zipf(references=1000)"]


def seen(**values) -> Seen:
    """Two decisions of two legal rows and a masked one; a column is 0 unless given, (2, 2)."""
    candidates, context = np.zeros((2, 3, len(COLUMNS))), np.zeros((2, len(CONTEXT)))
    candidates[:, 2] = np.nan
    for name, given in values.items():
        if name in CONTEXT:
            context[:, CONTEXT.index(name)] = given
        else:
            candidates[:, :2, COLUMNS.index(name)] = given
    return Seen(candidates, context)


def test_a_column_varies_where_legal_rows_differ_in_it():
    found = seen(since_use=[[0.1, 0.4], [0.7, 0.7]], waited=[[0.0, 1.0], [0.0, 1.0]], psi_some=[0.0, 0.5])
    assert found.share_that_varies("since_use") == 0.5 and found.share_at_limits("since_use") == 0.75
    assert found.share_that_varies("waited") == found.share_at_limits("waited") == 1
    assert found.share_that_varies(DEAD) == 0 and np.isnan(found.share_at_limits(DEAD))
    assert found.share_that_varies("psi_some") == 1 and found.share_that_varies("psi_full") == 0


def test_a_column_that_is_held_has_no_say_and_its_mean_stays():
    claim = LearnedClaim.linear({"since_use": -1.0, "uses": 0.5, "distance": 0.3})
    held = without(claim, "since_use", 0.25)
    assert uses(claim, "since_use") and not uses(held, "since_use") and uses(held, "uses")
    assert held.layers[0][1][0] == pytest.approx(-0.25)
    assert not uses(without(claim, "distance", 9.0), "distance") and uses(claim, "distance")


def test_without_its_only_column_it_takes_the_first_row_and_others_change_nothing():
    claim = LearnedClaim.linear({"since_use": 1.0, DEAD: 5.0})  # mru: the oldest stays
    cases = cases_of([MEMORY], TINY, "val")
    with ThreadPoolExecutor(2) as pool:
        told = lines(claim, cases, 2, pool)
        found = drawn(cases, range(2))
        mru, first = played([claim, LearnedClaim.linear({})], found, pool).stall_ns.sum(axis=(1, 2))
    ratios = {name: ratio for name, _, _, ratio in told}
    assert ratios.pop(USED) == pytest.approx(first / mru) != 1
    assert set(ratios.values()) == {1} and {name: varies for name, varies, _, _ in told}[DEAD] == 0


def test_the_command_writes_a_section(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(columns, "FAMILIES", TINY[0])
    monkeypatch.setattr(columns, "RECORDINGS", TINY[0])
    monkeypatch.setattr(sys, "argv", ["columns.py", "learned", "--episodes", "1", "--page", str(page)])
    columns.main()
    text = page.read_text()
    assert f"## Columns, {MEMORY}" in text and f"| `{USED}` |" in text and "| dead |" in text
