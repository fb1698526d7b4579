"""Rows: what a claim makes of more or fewer to choose among."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from cases import cases_of
from rows import stall_by_rows

from sos_gym import LearnedClaim

CASES = cases_of(["sos/Memory-v0"], ["zipf(references=2000)"], "val")


@pytest.mark.parametrize(
    "column, sign, ordered",
    [
        # whatever K, the longest unused page is a row: the claim is LRU
        ("since_use", -1.0, lambda few, own, all_: few == own == all_),
        # the most used page goes, which is the worse the more there are to find it among
        ("uses", 1.0, lambda few, own, all_: few < own < all_),
    ],
    ids=["longest unused", "most used"],
)
def test_more_rows_are_as_good_as_what_is_found_among_them(column, sign, ordered):
    with ThreadPoolExecutor(2) as pool:
        few, own, all_ = stall_by_rows(LearnedClaim.linear({column: sign}), CASES, [4, 16, 1024], 2, pool)
    assert own == 1 and ordered(few, own, all_)
