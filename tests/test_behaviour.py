"""Behaviour does not change unaware: what the suite does, against hashes that are kept (`behaviour.py`)."""

import json

import behaviour
import pytest

KEPT = json.loads(
    behaviour.HASHES.read_text(encoding="utf-8")
)  # what is new is not among them, until it is written down
PARTS = behaviour.parts()
REMEDY = "something that is observed has changed; if it was meant to, run python tests/behaviour.py --write and say so"


@pytest.mark.parametrize("name", KEPT)
def test_it_does_what_it_did(name):
    assert name in PARTS, f"{name!r} is gone; {REMEDY}"
    assert PARTS[name]() == KEPT[name], REMEDY
