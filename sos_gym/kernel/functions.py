"""Functions by address: kernels call what they do not know when they are compiled."""

import warnings
from collections.abc import Callable

import numba as nb
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.extending import intrinsic


def function_at(signature: nb.core.typing.templates.Signature) -> Callable:
    """A kernel's way to turn an address (see `address_of`) back into a function of `signature`."""
    function_type = types.FunctionType(signature)

    @intrinsic
    def at(typing_context, address):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            function = cgutils.create_struct_proxy(function_type)(context, builder)
            pointer = builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))
            # jit_addr alone is called; the other two must not be null
            function.jit_addr = function.c_addr = function.py_addr = pointer
            return function._getvalue()

        return function_type(types.int64), codegen

    return at


def address_of(function: Callable | None, signature: nb.core.typing.templates.Signature) -> int:
    """Compile `function` for `signature` (or load it from the disk cache); 0 for None."""
    if function is None:
        return 0
    with warnings.catch_warnings():  # as in compiling.py, also where somebody has set other filters since
        warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)
        function.compile(signature)  # type: ignore[attr-defined]  # with the return type, else a constant's type is kept
    compiled = function.get_compile_result(signature)  # type: ignore[attr-defined]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
