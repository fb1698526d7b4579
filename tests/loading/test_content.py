"""The content of a policy: equal for what is equal, different for what is not, none where nobody can say."""

import dataclasses

import numpy as np
import pytest

import sos_gym
from sos_gym.loading.content import content_of
from sos_gym.loading.found import found
from sos_gym.policy import policy_named, policy_of
from sos_gym.policy.words import Policy, kernel

FACTOR = 1.0
ARRAY = np.arange(3.0)
STATE = object()


def card(function, **facts):
    return Policy("content", "a test", "", "", "", "", claim=kernel(function), **facts)


def claim(my, entity):
    return FACTOR * entity.use_seq, 0.0


def reading_an_array(my, entity):
    return ARRAY[0] * entity.use_seq, 0.0


def same_name():
    def claim(my, entity):
        return FACTOR * entity.last_use, 0.0

    return claim


def made(factor):
    def claim(my, entity):
        return factor * entity.use_seq, 0.0

    return claim


def test_the_packages_own_need_none():
    assert content_of(policy_named("lru")) == content_of(policy_named("lruk(k=3)")) == ""
    assert content_of(sos_gym.pair("eevdf", "sieve")) == ""


def test_a_changed_card_of_the_package_is_from_outside():
    assert content_of(dataclasses.replace(policy_named("lruk"), summary="mine"))


def test_equal_policies_have_equal_content():
    assert content_of(card(claim)) == content_of(card(claim)) and len(content_of(card(claim))) == 16
    assert content_of(card(made(2.0))) == content_of(card(made(2.0)))


def test_code_values_and_what_is_read_are_content(monkeypatch):
    seen = [content_of(card(one)) for one in (claim, same_name(), made(1.0), made(2.0), reading_an_array)]
    seen += [content_of(card(claim, own={"hand": 0})), content_of(card(claim, own={"hand": 1}))]
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    seen.append(content_of(card(claim)))
    monkeypatch.setitem(globals(), "ARRAY", ARRAY + 1)
    seen.append(content_of(card(reading_an_array)))
    assert None not in seen and len(set(seen)) == len(seen)


def test_parameters_and_halves_are_content():
    one, other = card(claim), card(same_name())
    pairs = [sos_gym.pair(one, "sieve"), sos_gym.pair("sieve", one), sos_gym.pair(one, other), sos_gym.pair(one, "lru")]
    assert len({content_of(pair) for pair in pairs}) == 4


@pytest.mark.parametrize("given", [lambda observation, info: 0, STATE])
def test_of_callables_nobody_can_say(given):
    assert content_of(given) is None


def test_the_methods_of_plain_policies_are_content():
    class Plain(sos_gym.PlainPolicy):
        sign = 1.0

        def claim(self, my, entity):
            return self.sign * entity.use_seq

    class Other(Plain):
        name = "plain"
        sign = -1.0

    first, other = content_of(policy_of(Plain)), content_of(policy_of(Other))
    assert first == content_of(policy_of(Plain)) != other and None not in (first, other)
    Plain.weights = STATE
    assert content_of(policy_of(Plain)) is None


def test_of_what_holds_an_object_nobody_can_say():
    assert content_of(card(claim, own={"hand": 0}, tables={"x": STATE})) is None


IN_A_FILE = """
import sos_gym
from sos_gym.policy.words import Policy, kernel


class Plain(sos_gym.PlainPolicy):
    def claim(self, my, entity):
        return SIGN * entity.use_seq


@sos_gym.claim("claimed")
def claimed(entity, now):
    return SIGN * entity.use_seq


@kernel
def by_use(my, entity):
    return SIGN * entity.use_seq, 0.0


CARD = Policy("of_kernels", "a test", "", "", "", "", claim=by_use)
SIGN = 1
"""


@pytest.mark.usefixtures("names_given_back")
@pytest.mark.parametrize("name", ["Plain", "claimed", "CARD"])
def test_another_folder_makes_no_other_policy(tmp_path, name):
    contents = []
    for folder, sign in (("a", 1), ("b", 1), ("c", -1)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(IN_A_FILE.replace("SIGN = 1", f"SIGN = {sign}"))
        contents.append(found(f"{tmp_path / folder / 'mine.py'}:{name}").content)
    assert contents[0] == contents[1] != contents[2] and None not in contents
