"""Kernels: functions that are compiled when they are first called, and kept on disk until their sources change."""

import contextlib
import os
import shutil
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba as nb
from numba.core.errors import NumbaExperimentalFeatureWarning

from sos_gym.kernel.disk import KernelCache, root
from sos_gym.kernel.sources import PACKAGE, file_of, hash_of
from sos_gym.kernel.table import CHECKED
from sos_gym.settings.ranges import SettingError

if nb.config.DISABLE_JIT:  # type: ignore[attr-defined]
    raise SettingError(
        "NUMBA_DISABLE_JIT",
        1,
        "unset, or 0: the engine runs as machine code alone",
        "to step through a policy in a debugger write it as a sos_gym.PlainPolicy, see docs/write-a-policy.md",
    )

LAYOUTS = f"{PACKAGE}.engine.records"
KEPT = 4  # folders per module: of earlier sources too, so that two checkouts do not fight

# First-class functions and records that extend records are what Numba calls experimental; policies rest on them, and
# the contract tests on policies.
warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)


def kernel(function: Callable, inline: bool = False) -> Callable:
    """Compile `function` when it is first called, or load it from the disk cache. It runs without the GIL."""
    options: Any = {"error_model": "numpy", "forceinline": inline, "nogil": True}
    compiled = nb.njit(**options)(function)
    keep_on_disk(compiled)
    return compiled


def inlined(function: Callable) -> Callable:
    """A kernel that becomes part of its callers: a call costs some 30 instructions, which is too much per reference."""
    return kernel(function, inline=True)


def keep_on_disk(compiled: Any, *words: str) -> None:
    """Let it keep its machine code; `words` tell ways of compiling apart. Nothing is kept of what has no file."""
    function = compiled.py_func
    folder = _cache_folder(function.__module__, *words) if file_of(function.__module__) else None
    if folder is not None:
        compiled._cache = KernelCache(function, folder)  # nb.config.CACHE_DIR is the user's


@cache
def _cache_folder(module: str, *words: str) -> str | None:
    """A folder named by the sources: Numba's cache does not see edits in kernels imported from other files.

    Those of the records are among them for every kernel: one that reads `sim.threads` is typed by `sim` alone, and
    would go on with threads as they were laid out before.
    """
    kernels, name = root(), "-".join([module, *words])
    if kernels is None:
        return None
    ways = (*words, hash_of(f"{__package__}.checked")) if words else ()
    folder = kernels / f"{name}-{hash_of(module, nb.__version__, CHECKED, hash_of(LAYOUTS), *ways)}"
    with contextlib.suppress(OSError):  # a full disk: nothing is kept
        if not folder.exists():
            _forget_old(kernels, name)
            folder.mkdir(exist_ok=True)
        os.utime(folder)
    return str(folder)


def _forget_old(kernels: Path, module: str) -> None:
    """Leave room for one more folder of `module`."""
    ours = sorted(kernels.glob(f"{module}-" + "[0-9a-f]" * 16), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in ours[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
