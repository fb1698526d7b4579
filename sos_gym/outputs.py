"""Files that appear whole or not at all, and the question, asked before any work, whether they can be written."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PREFIX = ".sos_gym."  # of a file that is not whole yet


def write_whole(path: str | os.PathLike, content: bytes) -> Path:
    """Put `content` in the place of `path`, which keeps what it had until all is written.

    A link stays a link; what is no regular file, such as /dev/stdout, is written to.

    Raises:
        OSError: it cannot be written; names `path`.
    """
    with whole_file(path) as file:
        file.write(content)
    return Path(path)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write to, as `write_whole` does, for what is not at hand at once; with an error `path` is untouched.

    Raises:
        OSError: it cannot be written; names `path`.
    """
    path = Path(path)
    with failures_name(path):
        target = path.resolve()
        if target.exists() and not target.is_file():
            with open(target, "wb") as file:
                yield file
        else:
            with _replacing(target) as file:
                yield file


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=PREFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def check_writable(path: str | os.PathLike) -> None:
    """Refuse now what `write_whole(path, …)` would refuse after the work.

    Raises:
        OSError: its folder is missing or cannot be written, or it is a folder itself; names `path`.
    """
    path = Path(path)
    with failures_name(path):
        target = path.resolve()
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with contextlib.suppress(FileNotFoundError):
            target.lstat()  # refuses a name that is too long
        if target.is_file() or not target.exists():
            with tempfile.TemporaryFile(dir=target.parent, prefix=PREFIX):
                pass


@contextlib.contextmanager
def failures_name(path: str | os.PathLike) -> Iterator[None]:
    """An OSError within names `path`, as the caller knows it, and no temporary file."""
    try:
        yield
    except OSError as error:
        code, said = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(code, said, os.fspath(path)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
