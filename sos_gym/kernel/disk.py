"""Compiled kernels on disk: a cache that saves time when it can, and never stops a run.

Numba's own cache raises what the disk raises, and what damaged files raise when they are unpickled. It also looks for
another folder when it cannot write, such as `__pycache__`, where an edit of an imported file would go unnoticed.
"""

import atexit
import inspect
import logging
import os
import pickle
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserProvidedCacheLocator

CHECKSUM = 4  # bytes, in front of what is kept
LOG = logging.getLogger("sos_gym")


class KernelCache(FunctionCache):
    """What Numba asks for compiled code, and gives it: every failure is a kernel that is compiled anew.

    Args:
        function: the kernel's source.
        folder: where files are kept; it changes when the source does.
    """

    def __init__(self, function: Callable, folder: str):
        self._name, self._py_func = repr(function), function
        self._impl = _Kept(function, folder)
        self._cache_path = self._impl.locator.get_cache_path()
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, "")
        self.enable()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is kept for a signature; None: nothing, or nothing that can be read."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # whatever the bytes of a file make pickle and LLVM raise
            LOG.debug("a compiled kernel in %s cannot be read: %r", self._cache_path, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, if the disk allows it."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _say_once(str(Path(self._cache_path).parent.parent), repr(error))


class _Kept(CompileResultCacheImpl):
    """Where a kernel's files lie and what they are called: in our folder, whatever Numba's settings say."""

    def __init__(self, function: Callable, folder: str):
        path = inspect.getfile(function)
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Place(function, path, folder)
        self._filename_base = self.get_filename_base(
            f"{Path(path).stem}.{function.__qualname__}", getattr(sys, "abiflags", "")
        )


class _Place(UserProvidedCacheLocator):
    def __init__(self, function: Callable, path: str, folder: str):
        self._py_file, self._lineno = path, function.__code__.co_firstlineno
        self._cache_path = os.path.join(folder, self.get_suitable_cache_subpath(path))


class _Files(IndexDataCacheFile):
    """An index and data files, of which damaged ones count as absent; the folder's name holds the source's hash."""

    def _load_index(self) -> dict:
        try:
            return super()._load_index()
        except Exception:  # it will be written anew
            return {}

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(zlib.crc32(content).to_bytes(CHECKSUM, "little") + content)

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        if zlib.crc32(content[CHECKSUM:]).to_bytes(CHECKSUM, "little") != content[:CHECKSUM]:
            raise OSError("damaged")  # machine code with a wrong byte would end the process
        return pickle.loads(content[CHECKSUM:])


@cache
def _say_once(folder: str, error: str) -> None:
    """In the log, not as a warning, which some make an error."""
    LOG.warning("compiled kernels cannot be kept in %s (%s): every process compiles them anew", folder, error)


# -- where to keep them


@cache
def root() -> Path | None:
    """The folder of all kernels: in the user's cache, else in the temporary directory; None: nowhere."""
    for place in (_in_the_cache, _in_temporary, _fresh):
        try:
            folder = place()
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
        except (OSError, RuntimeError):  # RuntimeError: no HOME, and no such user
            continue
    return None


def _in_the_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "sos_gym" / "kernels"


def _in_temporary() -> Path:
    """One that lasts from run to run. What lies there is executed: nobody else may have made it, or write to it."""
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"sos_gym-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else, or others may write to it")
    return folder


def _fresh() -> Path:
    """One for this process."""
    folder, owner = Path(tempfile.mkdtemp(prefix="sos_gym-")), os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder
