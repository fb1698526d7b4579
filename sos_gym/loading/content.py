"""What a policy is, as a number: two of one name that differ must not pass for each other."""

import dataclasses
import enum
import hashlib
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from sos_gym.kernel.sources import INSTALLED, hash_of
from sos_gym.learned import LearnedClaim
from sos_gym.policy.contract import Policy
from sos_gym.policy.pairing import Pair
from sos_gym.policy.registry import is_of_the_package
from sos_gym.shipped import Shipped

PACKAGE = __name__.partition(".")[0]
PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), enum.Enum, np.dtype)


class UntoldError(TypeError):
    """Something of which nobody can say what it is."""


def content_of(policy: Any) -> str | None:
    """16 hex digits for a policy, pair or learned claim; "": it is code of the package; None: nobody can say.

    Of callables nobody can.

    Told are a card, the code of its kernels or methods, and the numbers and arrays that these read from their module.
    """
    if isinstance(policy, Pair):
        contents = content_of(policy.cores), content_of(policy.frames)
        return None if None in contents else _digest((policy.spec, contents)) if any(contents) else ""
    if isinstance(policy, Shipped):
        return _digest([content_of(policy.on(env)) for env in policy.runs])
    if isinstance(policy, LearnedClaim):
        return _digest((policy.sizes, policy.weights, policy.pair_costs))
    if not isinstance(policy, Policy):
        return None
    try:
        return "" if is_of_the_package(policy) else _digest(policy)
    except (UntoldError, OSError, SyntaxError, RecursionError):
        return None


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    for part in _told(value, set()):
        digest.update(part + b"\0")
    return digest.hexdigest()[:16]


def _told(value: Any, seen: set[int]) -> Iterator[bytes]:
    """The value piece by piece; code that was told before is left out.

    Raises:
        UntoldError: it holds an object whose state is its own.
    """
    if isinstance(value, PLAIN):
        yield repr(value).encode("utf-8", "backslashreplace")
    elif isinstance(value, (np.ndarray, np.generic)):
        yield f"{value.dtype} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        yield from _all_told([part for item in value.items() for part in item], seen)
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from _all_told(sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value, seen)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        where = getattr(value, "origin", "")  # of a card: another folder makes no other policy
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
        yield from _all_told([part for part in parts if not (isinstance(part, str) and part and part == where)], seen)
    else:
        yield from _code_told(value, seen)


def _all_told(values: Any, seen: set[int]) -> Iterator[bytes]:
    yield f"{len(values)}".encode()
    for value in values:
        yield from _told(value, seen)


def _code_told(value: Any, seen: set[int]) -> Iterator[bytes]:
    """A kernel, a function, a class or a module: what runs, and what it reads."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Dispatcher):
        yield repr(sorted(value.targetoptions.items())).encode()
        yield from _told(value.py_func, seen)
    elif isinstance(value, FunctionType) and _is_known(value.__module__) and not value.__closure__:
        yield f"{value.__module__}.{value.__qualname__}".encode()
    elif isinstance(value, FunctionType):
        yield from _all_told(_bytecode(value.__code__), seen)
        yield from _all_told((value.__defaults__, value.__kwdefaults__, *_enclosed(value)), seen)
        yield from _all_told(_read_globals(value), seen)
    elif isinstance(value, type):
        yield value.__qualname__.encode()
        for kind in value.__mro__:
            if not _is_known(kind.__module__):
                yield from _all_told([one for key, one in sorted(vars(kind).items()) if key[:2] != "__"], seen)
    elif isinstance(value, (staticmethod, classmethod)):
        yield from _told(value.__func__, seen)
    elif isinstance(value, property):
        yield from _all_told((value.fget, value.fset), seen)
    elif isinstance(value, ModuleType):
        yield _module_told(value)
    elif _is_known(getattr(value, "__module__", None)):
        yield repr(getattr(value, "__qualname__", type(value).__qualname__)).encode()  # a built-in, an intrinsic
    else:
        raise UntoldError(f"{type(value).__name__}")


def _bytecode(code: CodeType) -> list[Any]:
    """What a code object does, without where it is written."""
    consts = [_bytecode(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return [code.co_code, code.co_names, code.co_varnames, code.co_freevars, consts]


def _enclosed(function: FunctionType) -> list[Any]:
    return [cell.cell_contents for cell in function.__closure__ or ()]


def _read_globals(function: FunctionType) -> list[Any]:
    """What it reads from its module."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    return [function.__globals__[name] for name in sorted(names) if name in function.__globals__]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


def _module_told(module: ModuleType) -> bytes:
    """The sources of one that is not installed, and its numbers; else its name."""
    if _is_known(module.__name__):
        return module.__name__.encode()
    values = [one for one in vars(module).values() if isinstance(one, (int, float, np.ndarray))]
    return f"{hash_of(module.__name__)} {_digest(values)}".encode()


def _is_known(module: str | None) -> bool:
    """Whether it is of this package, of Python, or installed: code whose version does not change with a policy."""
    root = (module or "").partition(".")[0]
    file = getattr(sys.modules.get(root), "__file__", None)
    return root == PACKAGE or root in sys.stdlib_module_names or bool(file and file.startswith(INSTALLED))
