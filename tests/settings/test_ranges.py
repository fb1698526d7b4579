"""One checker of numbers and one did-you-mean: what they take, what they refuse, in which words."""

import math
from fractions import Fraction

import numpy as np
import pytest

from sos_gym.settings.ranges import Parameter, SettingError, did_you_mean, number_in


@pytest.mark.parametrize(
    ("value", "how", "taken"),
    [
        (3, {}, 3),
        (3.0, {}, 3),
        (np.int32(9), {}, 9),
        (np.float32(1.0), {}, 1),
        (9, {"whole": False}, 9.0),
        (np.float32(1.5), {"whole": False}, 1.5),
        (Fraction(3, 2), {"whole": False}, 1.5),
        (np.int64(3), {"exact": True}, 3),
    ],
)
def test_numbers_of_every_kind_become_plain_ones(value, how, taken):
    number = number_in("pages", value, 1, 9, **how)
    assert number == taken and type(number) is type(taken)


@pytest.mark.parametrize(
    ("value", "how", "remedy"),
    [
        ("3", {}, "pass a finite number"),
        (None, {}, "pass a finite number"),
        (True, {}, "pass a finite number"),
        (np.array([3]), {}, "pass a finite number"),
        (3 + 0j, {}, "pass a finite number"),
        (math.nan, {"whole": False}, "pass a finite number"),
        (math.inf, {"whole": False}, "pass a finite number"),
        (3.0, {"exact": True}, "pass a finite number"),
        (2.5, {}, "pass a whole number"),
        (0, {}, "choose a value in that range"),
        (10, {}, "choose a value in that range"),
        (-(10**400), {}, "choose a value in that range"),
        (10**400, {"whole": False}, "choose a value in that range"),
        (9.5, {"whole": False}, "choose a value in that range"),
        (10, {"remedy": "buy memory"}, "buy memory"),
    ],
)
def test_what_is_refused_says_what_would_do(value, how, remedy):
    kind = "a number" if how.get("whole") is False else "a whole number"
    with pytest.raises(SettingError) as refused:
        number_in("size", value, 1, 9, unit="pages", **how)
    assert str(refused.value) == f"size={value!r} is not allowed: it must be {kind} from 1 to 9 pages; {remedy}"


def test_without_an_upper_end_all_finite_numbers_are_allowed():
    assert number_in("seed", 10**30, 0, allowed="an integer >= 0") == 10**30
    with pytest.raises(SettingError, match="seed=inf is not allowed: it must be an integer >= 0; pass a finite number"):
        number_in("seed", math.inf, 0, allowed="an integer >= 0")


def test_a_long_number_keeps_its_last_digit():
    assert number_in("ns", 2**53 + 1, 0, 2**60) == 2**53 + 1


def test_a_parameter_is_of_the_kind_of_its_default():
    whole, ratio = Parameter(3, "pages", 1, 9, "more"), Parameter(0.5, "", 0.0, 1.0, "more")
    assert (whole.accept("p", 4.0), ratio.accept("r", 1)) == (4, 1.0)
    assert type(whole.accept("p", 4.0)) is int and type(ratio.accept("r", 1)) is float
    with pytest.raises(SettingError, match=r"p=4\.5 .* a whole number from 1 to 9 pages; the default is 3"):
        whole.accept("p", 4.5)


def test_the_nearest_known_word_is_meant():
    assert did_you_mean("frmes", ["cores", "frames", "frame_ns"]) == "did you mean 'frames'?"
    assert did_you_mean("xyzzy", ["cores", "frames"]) == did_you_mean("cores", []) == ""
    assert did_you_mean(5, ["cores"]) == ""
    assert did_you_mean("co", ["cores"], likeness=0.5) and not did_you_mean("co", ["cores"], likeness=0.9)


def test_a_word_may_be_shown_in_full():
    full = {"memory": "sos/Memory-v0"}
    assert did_you_mean("memmory", full, shown=full) == "did you mean 'sos/Memory-v0'?"
