"""Rows: what a claim makes of more or fewer to choose among."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cases import cases_of, drawn, played
from rows import stall_by_rows

from sos_gym import LearnedClaim

MEMORY = "sos/Memory-v0"
NEWEST = LearnedClaim.linear({"since_use": 1.0})


def test_of_all_rows_the_newest_is_mru_and_of_few_it_does_less_harm():
    """MRU's own stall is the oracle; zipf has a few hundred frames, which 1024 rows hold all."""
    cases = cases_of([MEMORY], ["zipf(references=2000)"], "val")
    with ThreadPoolExecutor(2) as pool:
        few, own, all_ = stall_by_rows(NEWEST, cases, [4, 16, 1024], 2, pool)
        sixteen = played([NEWEST], drawn(cases, range(2)), pool).stall_ns.sum()
        mru = played(["mru"], drawn(cases, range(2)), pool).stall_ns.sum()
    assert all_ == pytest.approx(mru / sixteen)
    assert few < own == 1 < all_
