"""Measurements: the recipes of the shipped tapes, what mutants are tested with, how a page says it was made."""

import shutil
import sys
from pathlib import Path

import pytest

import sos_gym
from measurements import mistakes, mutants, page, tapes
from sos_gym.workload import recordings
from sos_gym.workload.families.diagnosis import ONCE, class_of


def moved(text: str) -> str:
    """With the paths of today."""
    for before, now in tapes.MOVED.items():
        text = text.replace(before, now)
    return text


def test_recipes_are_those_of_the_shipped_tapes():
    cards = recordings.cards()
    assert set(tapes.TAPES) <= set(cards)
    for name, recipe in tapes.TAPES.items():
        card = cards[name]
        assert (recipe.shown, recipe.summary) == (moved(card["command"]), card["summary"]), name
        assert {"system": "joint"}.get(recipe.side, recipe.side) == card["side"], name
        assert card.get("window_pages", recipe.window_pages) == recipe.window_pages, name


def test_programs_that_recipes_run_are_there():
    words = [word for recipe in tapes.TAPES.values() for word in f"{recipe.command} {recipe.before}".split()]
    programs = {word for word in words if word.startswith("measurements/")}
    assert len(programs) >= 7
    assert not [path for path in programs if not (tapes.ROOT / path).exists()]


@pytest.mark.parametrize("name", ["pipeline", "mixed"])
def test_shell_scripts_name_the_shell_that_ran_them(name):
    card = recordings.cards()[name]
    assert card["command"].startswith("sh ") and card["program"].startswith("dash ")


def test_sums_are_written_as_they_are_shipped(tmp_path, monkeypatch):
    shipped = (recordings.FOLDER / "SHA256SUMS").read_bytes()
    for path in recordings.FOLDER.glob("*.npz"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    tapes.write_sums()
    assert (tmp_path / "SHA256SUMS").read_bytes() == shipped


@pytest.mark.parametrize("module", mutants.TESTS)
def test_mutants_are_made_of_files_that_are_there_and_tested_by_such(module):
    assert (mutants.ROOT / mutants.source_of(module)).exists()
    names = mutants.TESTS[module][0].split()
    assert len(mutants.tests_of(module)) == len(names)


def test_a_page_says_what_was_typed(monkeypatch, tmp_path, capsys):
    typed = [str(Path(page.__file__).with_name("defaults.py")), "--episodes", "3"]
    monkeypatch.setattr(sys, "argv", typed)
    assert page.made("numpy").startswith("`python -m measurements.defaults --episodes 3`, sos-gym ")
    assert page.options("", episodes=8).episodes == 3
    page.put("a\n", tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == "a\n" and capsys.readouterr().out.startswith("a\n")


# -- mistakes


def test_when_a_page_of_rounds_is_due_stands_in_its_number():
    due = mistakes.Due(sos_gym.workload("rounds", 3, "val"))
    for number, times in due.times.items():
        kind = class_of(number, 16, 4)
        assert len(times) - 1 == (0 if kind == ONCE else sum((now + kind) % 2**kind == 0 for now in range(1, 64)))
    assert [class_of(page, 16, 4) for page in (0, 15, 16, 63, 64)] == [0, 0, 1, 3, ONCE]
    assert (
        due.touched[:64] == [*range(64)] and due.after(0, 0) == due.times[0][1] and due.after(64, 10**9) == float("inf")
    )


@pytest.mark.parametrize(("policy", "least", "most"), [("clairvoyant", 0.0, 0.0), ("lru", 0.4, 0.6)])
def test_belady_makes_no_mistake_in_rounds_and_lru_makes_them_in_every_second_eviction(policy, least, most):
    run = sos_gym.evaluate("sos/Memory-v0", policy, "rounds", 3, split="val", detail=True)[0]
    found = list(mistakes.evictions(run, mistakes.Due(sos_gym.workload("rounds", 3, "val"))))
    assert len(found) > 700 and least <= sum(wrong for _, wrong in found) / len(found) <= most
