"""A policy is found where its card stands; what the page on extending says is true."""

import pytest
from extending import example
from invariants import invariants
from runs import run

from sos_gym import SettingError, Tape, evaluate, policies
from sos_gym.policy import policy_named, registry
from sos_gym.policy.contract import Policy, Records, Sides
from sos_gym.policy.lists import recency
from sos_gym.resource import NONE
from sos_gym.settings.presets import PRESETS

CARD = dict.fromkeys(("summary", "on_cores", "on_frames", "reads", "source"), "a test")


@pytest.fixture
def unused_first(tmp_path, monkeypatch):
    """The policy of the page, as if it stood in a room of the package."""
    text = example("A policy")
    assert len([line for line in text.splitlines() if line.strip()]) <= 35
    (tmp_path / "room").mkdir()
    (tmp_path / "room/__init__.py").touch()
    (tmp_path / "room/unused_first.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (policy,) = registry.discovered([str(tmp_path)], "")
    monkeypatch.setitem(registry._POLICIES, policy.name, policy)
    return policy


def test_the_policy_of_the_page_is_found_and_runs_everywhere(unused_first):
    assert policy_named("unused_first") == unused_first
    for env_id in PRESETS:
        inside, through_gym = (evaluate(env_id, "unused_first", seed=1, through=way) for way in ("engine", "gym"))
        assert inside == through_gym


def test_the_policy_of_the_page_does_what_its_card_says(unused_first):
    """Three frames hold 1, 2, 3 when 4 comes: 1 was used and stays, of the others the older goes."""
    tape = Tape.from_references([1, 2, 1, 3, 4, 1])
    simulation = run(tape, "unused_first", frames=3)
    assert simulation.record["faults"][0] == 4
    assert run(tape, "fifo", frames=3).record["faults"][0] == 5
    invariants(simulation)


def test_every_module_with_a_card_is_in_the_registry():
    assert policies()["sieve"] == policy_named("sieve")
    assert "informed" not in policies() and policy_named("informed").needs_forecast


def test_a_card_with_too_many_tables_is_refused():
    many = {f"table{number}": Records({"x": 0}, fixed=1) for number in range(9)}
    with pytest.raises(SettingError, match="at most 8 records and tables"):
        Policy(name="crowded", **CARD, claim=recency.claim, tables=many).host()


def test_what_a_policy_keeps_starts_as_its_card_says():
    policy = Policy(
        name="keeper", **CARD, claim=recency.claim, own={"hand": NONE}, each={"times": [0.5, 0.0]}, shared={"load": 2}
    )
    rooms = {room.name: room for room in policy.host().rooms}
    assert rooms["own"].laid(5, 3).tolist() == [(NONE,)]
    assert rooms["each"].laid(2, 3)["times"].tolist() == [[0.5, 0.0]] * 2
    assert rooms["shared"].shared and rooms["shared"].laid(5, 3).tolist() == [(2,)]


def test_a_verb_may_serve_one_resource_alone():
    sieve = policy_named("sieve")
    assert isinstance(sieve.cool, Sides) and sieve.cool.cores is None
    memory, cores = sieve.host().parts
    assert sum(map(bool, memory)) == sum(map(bool, cores)) + 1


def test_every_card_says_what_it_becomes_by_accessed_bits():
    """Who needs no uses does not look, and the other way round."""
    unsaid = Policy.sight
    for name, card in policies().items():
        if card.checked:
            continue  # other tests register their own
        assert card.sight != unsaid, f"{name} says nothing of its own"
        assert card.looks != card.sight.startswith("needs no uses"), name
