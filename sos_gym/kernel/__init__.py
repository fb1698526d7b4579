"""How records and functions meet compiled code; nothing here knows the model.

A kernel takes records (one pointer each). A record that owns arrays carries `NAME_at` (address) and `NAME_n` (length);
`record.NAME` is then a `Table`. Arrays in a named tuple were tried first: every access counts references, and a hook
cost several times as much.
"""

import hashlib
import operator
import os
import platform
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaExperimentalFeatureWarning, RequireLiteralValue, TypingError
from numba.core.imputils import lower_builtin, lower_getattr
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global
from numba.extending import intrinsic, make_attribute_wrapper, models, register_model

PACKAGE = Path(__file__).parents[1]
ENGINE_SOURCES = ("kernel/*.py", "resource.py", "settings/*.py", "workload/tables.py", "engine/*.py")
POLICY_SOURCES = (*ENGINE_SOURCES, "policy/**/*.py")  # the engine calls policies by address and does not depend on them
AGENT_SOURCES = (*ENGINE_SOURCES, "view/*.py", "envs/batch.py", "learned.py")
CACHE_LINE = 64  # bytes
CHECKED = bool(os.environ.get("SOS_GYM_BOUNDSCHECK"))  # an index out of a table stops the process
KEPT_CACHES = 8  # folders of earlier sources that stay, so that two checkouts do not fight

# First-class functions are what Numba calls experimental; policies rest on them, and the contract tests on policies.
warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)


def _sources_hash(sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256(f"{nb.__version__} {CHECKED}".encode())
    for path in sorted(path for pattern in sources for path in PACKAGE.glob(pattern)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _cache_folder(sources: tuple[str, ...]) -> str:
    """A folder named by the sources: Numba's cache does not see edits in kernels imported from other files."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "sos_gym" / "kernels"
    try:
        folder = root / _sources_hash(sources)
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        ours = [path for path in root.iterdir() if re.fullmatch("[0-9a-f]{16}", path.name)]
        for path in sorted(ours, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_CACHES:]:
            shutil.rmtree(path, ignore_errors=True)
        return str(folder)
    except OSError:  # a read-only home: compile once per machine start
        return str(Path(tempfile.gettempdir()) / f"sos_gym-{os.getuid()}-{_sources_hash(sources)}")


def kernel(function: Callable, inline: bool = False) -> Callable:
    """Compile `function` when it is first called, or load it from the disk cache. It runs without the GIL."""
    part = function.__module__.removeprefix(f"{__package__}.").split(".")[0]
    sources = {"engine": ENGINE_SOURCES, "policy": POLICY_SOURCES}.get(part, AGENT_SOURCES)
    nb.config.CACHE_DIR = _cache_folder(sources)  # type: ignore[attr-defined]
    return nb.njit(cache=True, error_model="numpy", forceinline=inline, nogil=True)(function)


def inlined(function: Callable) -> Callable:
    """A kernel that becomes part of its callers: a call costs some 30 instructions, which is too much per reference."""
    return kernel(function, inline=True)


def _without_padding(dtype: np.dtype) -> np.dtype:
    """Numba takes no void fields; offsets and size stay."""
    names = [name for name in dtype.names or () if dtype[name].kind != "V"]
    if not names:
        return dtype
    formats, offsets = [dtype[name] for name in names], [dtype.fields[name][1] for name in names]  # type: ignore[index]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize})


class Table(types.Type):
    """Records or numbers in a row, as kernels see them: an address and a length, no strides, no reference counts.

    An index is not checked and counts from 0 only: an array's handling of negative indices costs four instructions.
    """

    def __init__(self, dtype: types.Type):
        self.dtype = dtype
        super().__init__(name=f"Table({dtype})")


@register_model(Table)
class _TableModel(models.StructModel):
    def __init__(self, dmm, table):  # type: ignore[no-untyped-def]
        super().__init__(dmm, table, [("data", types.voidptr), ("size", types.intp)])


make_attribute_wrapper(Table, "size", "size")


@infer_global(operator.getitem)
class _TypeOfItem(AbstractTemplate):
    def generic(self, args, keywords):  # type: ignore[no-untyped-def]
        if isinstance(args[0], Table) and isinstance(args[1], types.Integer):
            return templates.signature(args[0].dtype, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _TypeOfStore(AbstractTemplate):
    def generic(self, args, keywords):  # type: ignore[no-untyped-def]
        if isinstance(args[0], Table) and isinstance(args[1], types.Integer):
            return templates.signature(types.none, args[0], types.intp, args[0].dtype)
        return None


def _address(context, builder, table_type, table, index):  # type: ignore[no-untyped-def]
    """Of item `index`, as a byte pointer."""
    data = cgutils.create_struct_proxy(table_type)(context, builder, table).data
    size = context.get_abi_sizeof(context.get_data_type(table_type.dtype))
    return builder.gep(data, [builder.mul(index, index.type(size))])


def _checked_address(context, builder, table_type, table, index):  # type: ignore[no-untyped-def]
    if CHECKED:
        length = cgutils.create_struct_proxy(table_type)(context, builder, table).size
        with builder.if_then(builder.icmp_unsigned(">=", index, length), likely=False):
            trap = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, trap, "llvm.trap"), [])
    return _address(context, builder, table_type, table, index)


@lower_builtin(operator.getitem, Table, types.Integer)
def _get_item(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
    table_type = signature.args[0]
    address = _checked_address(context, builder, table_type, *arguments)
    if isinstance(table_type.dtype, types.Record):
        return builder.bitcast(address, context.get_value_type(table_type.dtype))
    pointer = builder.bitcast(address, context.get_data_type(table_type.dtype).as_pointer())
    return context.unpack_value(builder, table_type.dtype, pointer)


@lower_builtin(operator.setitem, Table, types.Integer, types.Any)
def _set_item(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
    table_type = signature.args[0]
    table, index, value = arguments
    address = _checked_address(context, builder, table_type, table, index)
    pointer = builder.bitcast(address, context.get_data_type(table_type.dtype).as_pointer())
    context.pack_value(builder, table_type.dtype, value, pointer)
    return context.get_dummy_value()


_EXPOSED: dict[str, Table] = {}  # what `record.NAME` is wherever the record has the two fields


@infer_getattr
class _TablesOfRecord(AttributeTemplate):
    """`record.NAME`."""

    key = types.Record
    # asked before Numba's own attributes of records, which refuse what is no field, whenever those were registered
    metadata = {"target": "cpu"}  # noqa: RUF012

    def generic_resolve(self, record, name):  # type: ignore[no-untyped-def]
        return _EXPOSED.get(name) if name + "_at" in record.fields else None


def expose(name: str, dtype: np.dtype | str) -> None:
    """Let kernels write `record.NAME` for the table that `NAME_at` and `NAME_n` of any record describe."""
    if name not in _EXPOSED:
        _lower(name)
    _EXPOSED[name] = Table(nb.from_dtype(_without_padding(np.dtype(dtype))))


def _lower(name: str) -> None:
    """Tell Numba how to read `record.NAME`; a record without the two fields may have a number of that name."""

    @lower_getattr(types.Record, name)
    def _(context, builder, record, pointer):  # type: ignore[no-untyped-def]
        def field(name: str, kind: types.Type):  # type: ignore[no-untyped-def]
            at = cgutils.get_record_member(builder, pointer, record.offset(name), context.get_data_type(kind))
            return context.unpack_value(builder, kind, at)

        if name + "_at" not in record.fields:
            return field(name, record.typeof(name))
        table = cgutils.create_struct_proxy(_EXPOSED[name])(context, builder)
        table.data = builder.inttoptr(field(name + "_at", types.int64), table.data.type)
        table.size = field(name + "_n", types.int64)
        return table._getvalue()


@intrinsic
def table_of(typing_context, array):  # type: ignore[no-untyped-def]
    """All items of a C-contiguous array as a Table: a slice would count references, an atomic operation per call."""
    if array.layout != "C":
        raise TypingError("the array must be C-contiguous")

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        given = context.make_array(array)(context, builder, arguments[0])
        table = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        table.data, table.size = builder.bitcast(given.data, table.data.type), given.nitems
        return table._getvalue()

    return Table(array.dtype)(array), codegen


@intrinsic
def part_of(typing_context, table, first, size):  # type: ignore[no-untyped-def]
    """`size` items of a Table, from item `first` on."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        part = cgutils.create_struct_proxy(table)(context, builder)
        part.data = _address(context, builder, table, arguments[0], arguments[1])
        part.size = arguments[2]
        return part._getvalue()

    return table(table, types.intp, types.intp), codegen


@intrinsic
def on_stack(typing_context, number, count):  # type: ignore[no-untyped-def]
    """A Table of `count` numbers, not set, that lives as long as the call: an array costs an allocation and more.

    `count` is a constant; what is not used costs nothing.
    """
    if not isinstance(count, types.IntegerLiteral):
        raise RequireLiteralValue("the count must be a constant")

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        table = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        kind, length = context.get_data_type(signature.return_type.dtype), ir.IntType(64)(count.literal_value)
        table.data = builder.bitcast(cgutils.alloca_once(builder, kind, size=length), table.data.type)
        table.size = length
        return table._getvalue()

    return Table(number.dtype)(number, count), codegen


def _fetch(builder, address, lines):  # type: ignore[no-untyped-def]
    flag = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
    for line in range(lines):
        next_line = builder.gep(address, [ir.IntType(64)(CACHE_LINE * line)])
        builder.call(fetch, [next_line, flag(1), flag(3), flag(1)])  # to write, to keep, data


@intrinsic
def prefetch(typing_context, table, index):  # type: ignore[no-untyped-def]
    """Ask the processor to fetch the first cache lines of `table[index]`, at most two; any index is harmless."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        size = context.get_abi_sizeof(context.get_data_type(table.dtype))
        _fetch(builder, _address(context, builder, table, *arguments), 1 if size <= CACHE_LINE else 2)
        return context.get_dummy_value()

    return types.none(table, types.int64), codegen


@intrinsic
def prefetch_lines(typing_context, table, index, lines):  # type: ignore[no-untyped-def]
    """Likewise `lines` (a constant) cache lines from `table[index]` on."""
    if not isinstance(lines, types.IntegerLiteral):
        raise RequireLiteralValue("the number of lines must be a constant")

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        _fetch(builder, _address(context, builder, table, *arguments[:2]), lines.literal_value)
        return context.get_dummy_value()

    return types.none(table, types.int64, lines), codegen


@intrinsic
def bit_length(typing_context, number):  # type: ignore[no-untyped-def]
    """Of a non-negative int64: bit_length(5) = 3."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        zeros = builder.ctlz(arguments[0], ir.IntType(1)(0))
        return builder.sub(ir.IntType(64)(64), zeros)

    return types.int64(types.int64), codegen


@intrinsic
def bit_count(typing_context, word):  # type: ignore[no-untyped-def]
    """Of a uint64: bit_count(5) = 2."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


# -- threads that tell each other something: int64 fields of records, in one order for all


def _field(context, builder, record, name, pointer):  # type: ignore[no-untyped-def]
    word = context.get_data_type(types.int64)
    return cgutils.get_record_member(builder, pointer, record.offset(name.literal_value), word)


@intrinsic(prefer_literal=True)
def load_now(typing_context, record, name):  # type: ignore[no-untyped-def]
    """The field `name` as others have left it."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.load_atomic(_field(context, builder, record, name, arguments[0]), "seq_cst", 8)

    return types.int64(record, name), codegen


@intrinsic(prefer_literal=True)
def exchange_now(typing_context, record, name, value):  # type: ignore[no-untyped-def]
    """Write the field `name`; what was there."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.atomic_rmw("xchg", _field(context, builder, record, name, arguments[0]), arguments[2], "seq_cst")

    return types.int64(record, name, types.int64), codegen


@intrinsic
def pause(typing_context):  # type: ignore[no-untyped-def]
    """What a loop that waits for another thread should do: it leaves the core's means to its sibling."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        if platform.machine() in ("x86_64", "AMD64"):
            instruction = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, instruction, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.none(), codegen


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


def address_of(function: Callable | None, signature: nb.core.typing.templates.Signature) -> int:
    """Compile `function` for `signature` (or load it from the disk cache); 0 for None."""
    if function is None:
        return 0
    function.compile(signature)  # type: ignore[attr-defined]  # with the return type, else a constant's type is kept
    compiled = function.get_compile_result(signature)  # type: ignore[attr-defined]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
