"""Kernels: functions that are compiled when they are first called, and kept on disk until their sources change."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba as nb
from numba.core.errors import NumbaExperimentalFeatureWarning

from sos_gym.kernel.sources import file_of, hash_of
from sos_gym.kernel.table import CHECKED

KEPT = 4  # folders per module: of earlier sources too, so that two checkouts do not fight

# First-class functions and records that extend records are what Numba calls experimental; policies rest on them, and
# the contract tests on policies.
warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)


def kernel(function: Callable, inline: bool = False) -> Callable:
    """Compile `function` when it is first called, or load it from the disk cache. It runs without the GIL."""
    options: Any = {"error_model": "numpy", "forceinline": inline, "nogil": True}
    if file_of(function.__module__) is None:  # typed at a prompt
        return nb.njit(**options)(function)
    own = nb.config.CACHE_DIR  # type: ignore[attr-defined]  # read once per function, when it is decorated
    nb.config.CACHE_DIR = _cache_folder(function.__module__)  # type: ignore[attr-defined]
    try:
        return nb.njit(cache=True, **options)(function)
    finally:
        nb.config.CACHE_DIR = own  # type: ignore[attr-defined]


def inlined(function: Callable) -> Callable:
    """A kernel that becomes part of its callers: a call costs some 30 instructions, which is too much per reference."""
    return kernel(function, inline=True)


@cache
def _cache_folder(module: str) -> str:
    """A folder named by the sources: Numba's cache does not see edits in kernels imported from other files."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "sos_gym" / "kernels"
    name = f"{module}-{hash_of(module, nb.__version__, CHECKED)}"
    try:
        if not (root / name).exists():
            _forget_old(root, module)
            (root / name).mkdir(parents=True, exist_ok=True)
        os.utime(root / name)
        return str(root / name)
    except OSError:  # a read-only home: compile once per machine start
        return str(Path(tempfile.gettempdir()) / f"sos_gym-{os.getuid()}" / name)


def _forget_old(root: Path, module: str) -> None:
    """Leave room for one more folder of `module`."""
    ours = sorted(root.glob(f"{module}-" + "[0-9a-f]" * 16), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in ours[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
