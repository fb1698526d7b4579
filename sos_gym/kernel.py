"""How records and functions meet compiled code; nothing here knows the model.

A kernel takes records (one pointer each). A record that owns arrays carries `NAME_at` (address) and `NAME_n` (length);
`record.NAME` is then a view without reference counts. Measured on 5 M uses with one hook, one run on two cores: arrays
in a named tuple 8 M/s (each access counts references), the same without counts 22 M/s, records with views 67 M/s.
"""

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.extending import intrinsic, overload_attribute
from numba.np.arrayobj import make_array, populate_array

PACKAGE = Path(__file__).parent
KERNEL_SOURCES = ("kernel.py", "resource.py", "workload/layout.py", "engine/*.py", "policy/*.py", "observation.py")
CACHE_LINE = 64  # bytes
KEPT_CACHES = 4  # folders of earlier sources that stay, so that two checkouts do not fight

# First-class functions are what Numba calls experimental; policies rest on them, and the contract tests on policies.
warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)


def _sources_hash() -> str:
    digest = hashlib.sha256(nb.__version__.encode())
    for path in sorted(path for pattern in KERNEL_SOURCES for path in PACKAGE.glob(pattern)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> str:
    """A folder named by the sources: Numba's cache does not see edits in kernels imported from other files."""
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sos_gym"
    try:
        folder = root / _sources_hash()
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        old = sorted(root.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_CACHES:]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        return str(folder)
    except OSError:  # a read-only home: compile once per machine start
        return str(Path(tempfile.gettempdir()) / f"sos_gym-{os.getuid()}-{_sources_hash()}")


nb.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]

kernel = nb.njit(cache=True)


def _without_padding(dtype: np.dtype) -> np.dtype:
    """Numba takes no void fields; offsets and size stay."""
    names = [name for name in dtype.names or () if dtype[name].kind != "V"]
    if not names:
        return dtype
    formats, offsets = [dtype[name] for name in names], [dtype.fields[name][1] for name in names]  # type: ignore[index]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize})


def expose(name: str, dtype: np.dtype | str) -> types.Array:
    """Let kernels write `record.NAME` for the array that `NAME_at` and `NAME_n` of the record describe."""
    array_type = types.Array(nb.from_dtype(_without_padding(np.dtype(dtype))), 1, "C")

    @intrinsic
    def view(typing_context, record):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            def field(suffix: str):  # type: ignore[no-untyped-def]
                word = context.get_data_type(types.int64)
                pointer = cgutils.get_record_member(builder, arguments[0], record.offset(name + suffix), word)
                return context.unpack_value(builder, types.int64, pointer)

            array = make_array(array_type)(context, builder)
            size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array_type.dtype)))
            data = builder.inttoptr(field("_at"), array.data.type)
            populate_array(array, data=data, shape=[field("_n")], strides=[size], itemsize=size, meminfo=None)
            return array._getvalue()

        return array_type(record), codegen

    @overload_attribute(types.Record, name)
    def attribute(record):  # type: ignore[no-untyped-def]
        return (lambda record: view(record)) if name + "_at" in record.fields else None

    return array_type


@intrinsic
def prefetch(typing_context, records, index):  # type: ignore[no-untyped-def]
    """Ask the processor to fetch the first two cache lines of `records[index]`; any index is harmless."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = make_array(records)(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        offset = builder.mul(arguments[1], array.itemsize)
        base = builder.ptrtoint(array.data, offset.type)
        integer, flag = ir.IntType(64), ir.IntType(32)
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]))
        for line in range(2):
            address = builder.add(builder.add(base, offset), integer(64 * line))
            builder.call(fetch, [builder.inttoptr(address, byte), flag(1), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.none(records, types.int64), codegen


def array_fields(*names: str) -> list[tuple[str, str]]:
    """The two fields per array that `expose` reads."""
    return [(name + suffix, "i8") for name in names for suffix in ("_at", "_n")]


def aligned_zeros(count: int, dtype: np.dtype) -> np.ndarray:
    """Zeros whose first record begins a cache line."""
    room = np.zeros(count * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + count * dtype.itemsize].view(dtype)


def attach(record: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Write addresses and lengths of `arrays` into a record array; the caller keeps the arrays alive."""
    for name, array in arrays.items():
        record[name + "_at"] = array.ctypes.data
        record[name + "_n"] = array.size


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


def address_of(function: Callable, signature: nb.core.typing.templates.Signature) -> int:
    """Compile `function` for `signature` (or load it from the disk cache); 0 for None."""
    if function is None:
        return 0
    function.compile(signature)  # type: ignore[attr-defined]  # with the return type, else a constant's type is kept
    compiled = function.get_compile_result(signature)  # type: ignore[attr-defined]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
