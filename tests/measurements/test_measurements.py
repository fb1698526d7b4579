"""Measurements: the recipes of the shipped tapes, what mutants are tested with, how a page says it was made."""

import shutil
import sys
from pathlib import Path

import pytest

from measurements import mutants, page, tapes
from sos_gym.workload import recordings


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
