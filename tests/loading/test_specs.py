"""What is written to name policies: lists, pairs, files with whatever is in their paths."""

import pytest

import sos_gym
from sos_gym.loading.spec import InFile, halves_of, in_file, specs_in


@pytest.mark.parametrize(
    "text, specs",
    [
        ("lru,cfs", ["lru", "cfs"]),
        (" lru , , fifo ", ["lru", "fifo"]),
        ("lruk(history=0, k=2),arc", ["lruk(history=0, k=2)", "arc"]),
        ("eevdf + sieve,lru", ["eevdf + sieve", "lru"]),
        ("lru+s3fifo(small=0.2, ghost=1),arc", ["lru + s3fifo(small=0.2, ghost=1)", "arc"]),
        ("mine.py:LRU,a/mine.py:fast(half=0.5, k=1),x.npz", ["mine.py:LRU", "a/mine.py:fast(half=0.5, k=1)", "x.npz"]),
        ("mine.py:CPU + sieve, lru + mine.py", ["mine.py:CPU + sieve", "lru + mine.py"]),
    ],
)
def test_lists(text, specs):
    assert specs_in(text) == specs


@pytest.mark.parametrize("folder", ["a,b", "c++", "my (1)", "half(open", "x + y", "mine.py (old)", "[red]", "ünï"])
def test_a_file_that_exists_may_have_any_path(folder, tmp_path):
    (tmp_path / folder).mkdir()
    path = tmp_path / folder / "mine.py"
    path.touch()
    specs = [f"{path}:LRU", f"lru + {path}:LRU", f"{path}:fast(half=0.5, k=1)", "sieve"]
    assert specs_in(", ".join(specs)) == specs
    assert halves_of(specs[1]) == ["lru", specs[0]]
    assert in_file(specs[2]) == InFile(str(path), "fast", "(half=0.5, k=1)")


def test_the_parts_of_a_spec():
    assert in_file("nowhere/mine.py") == InFile("nowhere/mine.py", "", "")
    assert in_file("model.zip : PPO") == InFile("model.zip", "PPO", "")
    assert in_file("~/claim.npz").kind == ".npz"
    assert in_file("lru") is in_file("s3fifo(small=0.2)") is in_file("mine.python:LRU") is None
    with pytest.raises(sos_gym.SettingError, match="FILE:NAME"):
        in_file("mine.py:LRU(half=1")
