"""Errors travel between processes: one that cannot be read makes a pool of workers wait for ever."""

import copy
import importlib
import multiprocessing
import pickle
import pkgutil

import pytest

import sos_gym
from sos_gym.settings.ranges import SettingError


def errors() -> set[type[Exception]]:
    """All of the package."""
    names = [one.name for one in pkgutil.walk_packages(sos_gym.__path__, "sos_gym.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith(("__main__", "sb3"))]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    return {kind for kind in found if issubclass(kind, Exception) and kind.__module__.startswith("sos_gym")}


def test_every_error_survives_pickling():
    kinds = errors()
    assert {"SettingError", "TapeError", "StuckError", "ActionError"} <= {kind.__name__ for kind in kinds}
    for kind in kinds:
        error = SettingError("frames", lambda: 0, "a number", "do") if kind is SettingError else kind("what went wrong")
        error.more = 7
        for other in (
            *(pickle.loads(pickle.dumps(error, n)) for n in range(6)),
            copy.copy(error),
            copy.deepcopy(error),
        ):
            assert (type(other), str(other), other.args, other.more) == (kind, str(error), error.args, 7)


def refuse(value):
    raise SettingError("frames", value, "at least 1", "add frames")


def test_a_pool_hands_the_error_on():
    with multiprocessing.get_context("fork").Pool(1) as pool, pytest.raises(SettingError, match="add frames"):
        pool.map_async(refuse, [0]).get(60)
