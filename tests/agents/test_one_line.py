"""Scripts say in one line what is wrong with what they were given."""

import importlib
import sys

import one_line
import pytest

WRONG = {
    "results": (["no-run", "--out", "x"], "train first"),
    "crossing": (["no-run", "--out", "x"], "train first"),
    "fairness": (["no-run", "--out", "x"], "train first"),
    "cache_peers": (["leanred"], "leanred"),
    "columns": (["no-run"], "train first"),
    "claim_costs": (["no-run"], "train first"),
    "ship": (["no-run"], "train it to its end"),
}


@pytest.mark.parametrize("script", WRONG)
def test_what_is_wrong_is_said_in_one_line(script, tmp_path, monkeypatch, capsys):
    arguments, said = WRONG[script]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{script}.py", *arguments])
    with pytest.raises(SystemExit) as left:
        one_line.run(importlib.import_module(script).main)
    *_, last = capsys.readouterr().err.splitlines()
    assert left.value.code == one_line.USAGE and last.startswith("sos-gym: ") and said in last
