"""Beside learned caches: the same references, counted in the same way."""

import sys
import threading

import cache_peers
import numpy as np
import pytest
from cache_peers import MEMORY, faults_of, misses_of, peers, references_of, tapes_of

from sos_gym import Tape

lc = pytest.importorskip("libcachesim")


@pytest.fixture(scope="module")
def looped() -> Tape:
    """12 pages round and round."""
    return Tape.from_references(np.arange(1200) % 12)


def test_a_fault_is_a_miss_of_the_same_references(looped):
    assert references_of(looped).tolist()[:13] == [*range(12), 0]
    for frames in (4, 12):
        theirs = misses_of(lc.LRU(cache_size=frames, hashpower=16), references_of(looped))
        assert faults_of("lru", looped, frames) == theirs == (1200 if frames < 12 else 12)


def test_caches_that_learn_are_asked_with_room_for_as_many_pages(looped):
    found = {name: misses_of(make(), references_of(looped)) for name, make in peers(12, 1200).items()}
    assert set(found) == {"LRB", "GL-Cache", "3L-Cache"} and all(count >= 12 for count in found.values())
    assert found["LRB"] == 12


def test_tapes_are_of_one_thread_and_of_the_split():
    names = set(tapes_of("val"))
    assert {f"Memory {name}" for name in ("zipf", "loop", "grep", "matrix")} <= names
    assert not any("phases" in name or "gzip" in name for name in names)


def test_the_table_is_relative_to_what_cannot_be_beaten(tmp_path, monkeypatch, looped):
    monkeypatch.setattr(cache_peers, "tapes_of", lambda split: {"a loop": looped})
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["cache_peers.py", "mru", "--page", str(page)])
    cache_peers.main()
    text = page.read_text()
    assert "## Beside learned caches, val" in text and MEMORY not in text
    cells = next(line for line in text.splitlines() if line.startswith("| a loop")).split(" | ")
    least = faults_of("clairvoyant", looped, 3)
    assert cells[1:3] == ["3", str(least)] and float(cells[3]) == round(faults_of("mru", looped, 3) / least, 3)


def test_an_error_leaves_no_thread_behind(monkeypatch):
    """As long as the error is held, so is the loop; its bar would go on, and stop whoever draws the next one."""

    def fail(*_):
        raise OSError("full")

    monkeypatch.setattr(cache_peers, "tapes_of", lambda split: {"a": None, "b": None})
    monkeypatch.setattr(cache_peers, "compared", fail)
    monkeypatch.setattr(sys, "argv", ["cache_peers.py", "lru"])
    before = set(threading.enumerate())
    with pytest.raises(OSError, match="full") as held:
        cache_peers.main()
    assert held.tb and set(threading.enumerate()) <= before
