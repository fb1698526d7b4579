"""Calls that may fail: what the callee raised is given to the caller, and becomes an exception in Python."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import numba as nb
from llvmlite import ir as llvm
from numba import types
from numba.core import serialize
from numba.extending import intrinsic


def attempt_at(signature: nb.core.typing.templates.Signature) -> Callable:
    """A kernel's way to call what may fail: attempt(address, *arguments) -> (code, error, what it returned).

    `code` is 0 when it did not fail, else RAISED, with the address of its `error` (see `raised_at`), or what the
    callee says. A function that returns nothing gives a 0.
    """
    returned = types.int64 if signature.return_type == types.void else signature.return_type
    result = types.Tuple((types.int64, types.int64, returned))

    @intrinsic
    def attempt(typing_context, address, first, second):  # type: ignore[no-untyped-def]
        def codegen(context, builder, _, arguments):  # type: ignore[no-untyped-def]
            word, convention = llvm.IntType(64), context.call_conv
            kind = convention.get_function_type(signature.return_type, signature.args).as_pointer()
            callee = builder.inttoptr(arguments[0], kind)
            status, value = convention.call_function(
                builder, callee, signature.return_type, signature.args, arguments[1:]
            )
            code = builder.select(status.is_error, builder.sext(status.code, word), word(0))
            error = builder.select(status.is_error, builder.ptrtoint(status.excinfoptr, word), word(0))
            value = word(0) if signature.return_type == types.void else value
            return context.make_tuple(builder, result, [code, error, value])

        return result(types.int64, *signature.args), codegen

    return attempt


RAISED = 1  # the code of an exception of compiled code, numba.core.callconv.RETCODE_USEREXC


class _Raised(ctypes.Structure):
    """numba.core.callconv.excinfo_t."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_int32),
        ("given", ctypes.c_void_p),
        ("unwrap", ctypes.c_void_p),
        ("many", ctypes.c_int32),
    )


def raised_at(address: int) -> tuple[Exception, str]:
    """The exception that a kernel of this process raised, without values that were known only then; and where."""
    found = _Raised.from_address(address)
    kind, arguments, place = serialize.loads(ctypes.string_at(found.data, found.size))
    where = f" ({Path(place[1]).name}:{place[2]})" if place else ""
    return kind(*(argument for argument in arguments if not isinstance(argument, llvm.Value))), where
