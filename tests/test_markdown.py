"""Tables and numbers as people read them."""

import math

from sos_gym.markdown import number, rounded, table


def test_numbers_are_written_in_threes():
    assert number(60_000) == "60 000"
    assert number((32, 1000)) == "(32, 1 000)"
    assert [number(value) for value in (None, True, 0.5)] == ["None", "True", "0.5"]
    assert [number(1234.56, 1), number(-0.04, 1), number(math.nan)] == ["1 234.6", "0.0", "–"]


def test_three_digits_or_more_are_kept():
    assert [rounded(value) for value in (1.024, 11.27, 149.6, 12_587.2, math.nan)] == [
        "1.02",
        "11.3",
        "150",
        "12 587",
        "–",
    ]


def test_a_table_has_a_line_per_row_and_a_side_per_column():
    assert table(("a", "b"), [(1, "x|y")]).splitlines() == ["| a | b |", "| --- | --- |", "| 1 | x\\|y |"]
    assert table(("a", "b"), [], "lr").splitlines()[1] == "| --- | ---: |"
