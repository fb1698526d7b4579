"""The table of columns: what hangs on it, and that its version says when it changes.

`python tests/view/test_columns.py` writes down what the columns are now.
"""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

import sos_gym
from sos_gym.view import columns
from sos_gym.view.columns import AS_IT_IS, CANDIDATE_COLUMNS, CONTEXT_COLUMNS, OBSERVATION
from sos_gym.view.observation import CONTEXT_SCALES, EMPTY_ROW, ROW_BOUNDS, ROW_SCALES

KEPT = Path(__file__).parents[1] / "golden" / "observation.json"
TABLES = {"candidate": CANDIDATE_COLUMNS, "context": CONTEXT_COLUMNS}
PACKAGE = Path(sos_gym.__file__).parent


def present() -> dict:
    """The version, and a hash for the name, the scale and the meaning of each column."""
    hashes = {
        f"{table} {column.name}": hashlib.sha256(repr(column).encode()).hexdigest()[:12]
        for table, all_of_it in TABLES.items()
        for column in all_of_it
    }
    return {"version": OBSERVATION, "columns": hashes}


def against(before: dict, now: dict) -> str:
    """What is to be done about the difference; empty if there is none."""
    gone = [name for name, known in before["columns"].items() if now["columns"].get(name) != known]
    if gone and now["version"] == before["version"]:
        return f"raise OBSERVATION in view/columns.py, for these are others now: {gone}"
    return "" if now == before else "run python tests/view/test_columns.py, and keep what it writes"


def test_the_version_is_raised_when_a_column_changes():
    assert against(json.loads(KEPT.read_text(encoding="utf-8")), present()) == ""


def test_what_needs_another_version_and_what_does_not():
    now = present()
    added = {**now, "columns": {**now["columns"], "candidate new": "1"}}
    changed = {**now, "columns": {**now["columns"], "candidate payoff": "1"}}
    assert against(now, now) == ""
    assert against(now, added).startswith("run")
    assert against(added, now).startswith("raise")  # one is gone
    assert against(now, changed).startswith("raise")
    assert against(now, {**changed, "version": OBSERVATION + 1}).startswith("run")


def test_the_order_of_columns_needs_no_other_version():
    now = present()
    assert against({**now, "columns": dict(reversed(now["columns"].items()))}, now) == ""


def test_names_are_tuples_and_fields_of_records():
    assert columns.CANDIDATE_RECORD.names == sos_gym.COLUMNS and columns.CONTEXT_RECORD.names == sos_gym.CONTEXT
    assert sos_gym.COLUMNS.index("payoff") == [column.name for column in CANDIDATE_COLUMNS].index("payoff")
    assert columns.CANDIDATE_RECORD.itemsize == 4 * len(sos_gym.COLUMNS)


@pytest.mark.parametrize("name, scale, bound", [("held", np.log(2) / 4, 2), ("uses", 1 / 4, 4), ("holder", 0, 1e9)])
def test_scales_reach_the_logarithms(name, scale, bound):
    k = sos_gym.COLUMNS.index(name)
    assert ROW_SCALES[k] == np.float32(scale) and ROW_BOUNDS[k] == np.float32(bound)
    assert EMPTY_ROW[k] == (scale != 0)  # the logarithm of 1 is 0


def test_a_logarithm_is_said_to_be_one():
    for column in (*CANDIDATE_COLUMNS, *CONTEXT_COLUMNS):
        logged = re.search(r"rlog|clog|ln\(|log2\(", column.meaning)
        assert (column.scale != AS_IT_IS) == bool(logged), column
        if column.scale in (columns.RLOG, columns.CLOG):
            assert ("rlog" in column.meaning) == (column.scale == columns.RLOG), column
    assert len(CONTEXT_SCALES) == len(sos_gym.CONTEXT)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("view/*.py")) + sorted(PACKAGE.glob("envs/*.py")), ids=str)
def test_kernels_write_names(path):
    """No place in a row is a digit; no enum's number has another name."""
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"\b(?:row|context|candidates)\[\d+\] =|\brow\[\d", text)
    assert not re.findall(r"\bint\((?:Kind|Why|State|Status|Op|Resource)\.", text)


if __name__ == "__main__":
    KEPT.write_text(json.dumps(present(), indent=1) + "\n", encoding="utf-8")
