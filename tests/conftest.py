"""Before a whole run on several workers all kernels are compiled once: each worker would compile them for itself."""

import subprocess
import sys
from pathlib import Path

import pytest

PARTS = ("engine", "policies")  # of warming.py, side by side


def pytest_configure(config):
    whole = config.args_source == config.ArgsSource.TESTPATHS and not config.option.keyword
    if hasattr(config, "workerinput") or not whole or not config.getoption("numprocesses", None):
        return
    print("compiling all kernels that the disk cache lacks (cold: a minute or two)", flush=True)
    script = Path(__file__).with_name("warming.py")
    for process in [subprocess.Popen([sys.executable, script, part]) for part in PARTS]:
        process.wait()  # a failure shows in the tests


@pytest.fixture(scope="module")
def names_given_back():
    """What the tests of a module register is not registered for those of others."""
    from sos_gym.policy import registry

    before = dict(registry._POLICIES)
    yield
    registry._POLICIES.clear()
    registry._POLICIES.update(before)
