"""Which files a kernel depends on: an edit of any of them compiles it anew."""

import importlib
import os
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

import sos_gym
from sos_gym.kernel.sources import imports_of, sources_of

KERNEL = "from sos_gym.kernel import kernel\n"
HELPER = KERNEL + "FACTOR = {factor}\n\n\n@kernel\ndef double(x):\n    return {two} * x\n"
POLICY = f"""{KERNEL}from rooms import helper
from rooms.helper import FACTOR


@kernel
def answer(x):
    return helper.double(x) * FACTOR


print(answer(3), sum(answer.stats.cache_hits.values()))
"""


def run(folder) -> str:
    """What a user's policy prints, in a process of its own with its own kernel cache."""
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": path}
    done = subprocess.run([sys.executable, folder / "policy.py"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_edit_of_a_users_own_module_is_noticed(tmp_path):
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms/__init__.py").touch()
    helper = tmp_path / "rooms/helper.py"
    (tmp_path / "policy.py").write_text(POLICY)
    helper.write_text(HELPER.format(factor=1, two=2))
    assert run(tmp_path) == "6 0"
    assert run(tmp_path) == "6 1"  # from the disk
    helper.write_text(HELPER.format(factor=5, two=2))
    assert run(tmp_path) == "30 0"
    helper.write_text(HELPER.format(factor=5, two=3))
    assert run(tmp_path) == "45 0"


def modules() -> list[ModuleType]:
    """All of the package."""
    found = pkgutil.walk_packages(sos_gym.__path__, "sos_gym.")
    return [importlib.import_module(one.name) for one in found if not one.name.endswith("__main__")]


def used_by(function) -> set[str]:
    """The modules of the kernels that a kernel names, and those that it names as modules."""
    names = [function.__globals__.get(name) for name in function.__code__.co_names]
    kernels = {value.py_func.__module__ for value in names if isinstance(value, Dispatcher)}
    return kernels | {value.__name__ for value in names if isinstance(value, ModuleType)}


def test_every_kernel_depends_on_the_modules_that_it_calls():
    seen = 0
    for module in modules():
        sources = set(sources_of(module.__name__))
        for value in vars(module).values():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                used = {name for name in used_by(value.py_func) if name.startswith("sos_gym")}
                assert used <= sources, value
                seen += len(used - {module.__name__})
    assert seen > 100


@pytest.mark.parametrize(
    ("module", "rests_on", "not_on"),
    [
        ("sos_gym.policy.lists.sieve", "sos_gym.policy.books.queue", "sos_gym.policy.lists.arc"),
        ("sos_gym.policy.lists.sieve", "sos_gym.resource", "sos_gym.workload.families.pages"),
        ("sos_gym.engine.loop", "sos_gym.engine.frames", "sos_gym.policy.contract"),
    ],
)
def test_a_kernel_depends_on_what_its_module_imports_and_no_more(module, rests_on, not_on):
    assert rests_on in sources_of(module) and not_on not in sources_of(module)


def test_a_relative_import_without_a_package_is_passed_over(tmp_path):
    """`try: from .helper import x` with another way behind it, in a file that is no part of a package."""
    (tmp_path / "alone.py").write_text("try:\n    from .helper import x\nexcept ImportError:\n    import json\n")
    assert imports_of(tmp_path / "alone.py", "") == ("json",)
