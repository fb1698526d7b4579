"""The kernel cache on disk: whatever happens to it, kernels run, and nobody else's files are executed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sos_gym.kernel import disk

SCRIPT = """
import numba
numba.config.CACHE_DIR = {own!r}
from sos_gym.kernel import kernel

@kernel
def double(x):
    return 2 * x

assert numba.config.CACHE_DIR == {own!r}
print(double(21), sum(double.stats.cache_hits.values()))
"""


def run(folder: Path, before: str = "", **environment) -> str:
    """What a script prints that has one kernel, in a process of its own."""
    script = folder / "script.py"
    script.write_text(before + SCRIPT.format(own=str(folder / "numba")))
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(folder / "cache")}
    given = {name: value for name, value in {**given, **environment}.items() if value is not None}
    done = subprocess.run([sys.executable, script], env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr or "cannot be kept" in done.stderr
    return done.stdout.strip()


def kept(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"cache/sos_gym/kernels/__main__-*/*/*.{suffix}"))


def test_kernels_come_from_the_disk_and_the_users_numba_folder_stays_empty(tmp_path):
    assert [run(tmp_path), run(tmp_path)] == ["42 0", "42 1"]
    assert not (tmp_path / "numba").exists()


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
        lambda content: b"no pickle",
    ],
)
def test_a_damaged_file_is_written_anew(tmp_path, suffix, damage):
    run(tmp_path)
    (path,) = kept(tmp_path, suffix)
    path.write_bytes(damage(path.read_bytes()))
    assert [run(tmp_path), run(tmp_path)] == ["42 0", "42 1"]


def test_a_flipped_bit_of_machine_code_is_found(tmp_path):
    run(tmp_path)
    (path,) = kept(tmp_path, "nbc")
    content = bytearray(path.read_bytes())
    for at in range(len(content) // 4, len(content), 97):
        content[at] ^= 1
    path.write_bytes(content)
    assert [run(tmp_path), run(tmp_path)] == ["42 0", "42 1"]


FULL = """
import errno
import numba.core.caching as caching

def full(self, *given):
    raise OSError(errno.ENOSPC, "No space left on device")

caching.IndexDataCacheFile._open_for_write = full
"""
UNKNOWN = """
import os, pathlib

def unknown(*given):
    raise RuntimeError("Could not determine home directory.")

pathlib.Path.home = unknown
"""


def test_a_full_disk_costs_time_only(tmp_path):
    assert [run(tmp_path, FULL), run(tmp_path, FULL)] == ["42 0", "42 0"]


def test_without_a_home_the_temporary_directory_keeps_them(tmp_path):
    places = {"XDG_CACHE_HOME": None, "HOME": None, "TMPDIR": str(tmp_path)}
    assert [run(tmp_path, UNKNOWN, **places) for _ in range(2)] == ["42 0", "42 1"]
    assert (tmp_path / f"sos_gym-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_a_cache_that_is_a_file_or_nowhere_costs_time_only(tmp_path):
    (tmp_path / "cache").touch()
    assert run(tmp_path, TMPDIR=str(tmp_path)) == "42 0"
    nowhere = "import tempfile\ntempfile.gettempdir = tempfile.mkdtemp = lambda **keywords: open('/nowhere/x')\n"
    assert [run(tmp_path, nowhere) for _ in range(2)] == ["42 0", "42 0"]


# -- the folder in the temporary directory


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """With a cache folder that cannot be made."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    disk.root.cache_clear()
    yield tmp_path
    disk.root.cache_clear()


def test_a_private_folder_is_used_again(temporary):
    folder = disk.root()
    assert folder == temporary / f"sos_gym-{os.getuid()}"
    disk.root.cache_clear()
    assert disk.root() == folder


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o702])
def test_a_folder_that_others_may_enter_is_not_used(temporary, mode):
    prepared = temporary / f"sos_gym-{os.getuid()}"
    prepared.mkdir()
    prepared.chmod(mode)
    found = disk.root()
    assert found != prepared and found.stat().st_mode & 0o777 == 0o700


def test_a_link_to_a_folder_is_not_used(temporary):
    (temporary / "theirs").mkdir(mode=0o700)
    (temporary / f"sos_gym-{os.getuid()}").symlink_to(temporary / "theirs")
    found = disk.root()
    assert found.resolve() != temporary / "theirs" and not list((temporary / "theirs").iterdir())


def test_a_folder_of_another_user_is_not_used(temporary, monkeypatch):
    own = os.getuid()
    (temporary / f"sos_gym-{own + 1}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    assert disk.root().name != f"sos_gym-{own + 1}"
