"""Records that own arrays, as kernels see them.

A kernel takes records (one pointer each). A record that owns arrays carries `NAME_at` (address) and `NAME_n` (length);
`record.NAME` is then a `Table`. Arrays in a named tuple were tried first: every access counts references, and a hook
cost several times as much.
"""

import operator
import os
from collections.abc import Mapping
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import RequireLiteralValue, TypingError
from numba.core.imputils import lower_builtin, lower_cast, lower_getattr
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global
from numba.extending import intrinsic, make_attribute_wrapper, models, register_model
from numba.np.arrayobj import record_getattr

CACHE_LINE = 64  # bytes
CHECKED = bool(os.environ.get("SOS_GYM_BOUNDSCHECK"))  # an index out of a table stops the process


def _without_padding(dtype: np.dtype) -> np.dtype:
    """Numba takes no void fields; offsets and size stay."""
    names = [name for name in dtype.names or () if dtype[name].base.kind != "V" or dtype[name].base.names]
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
        if isinstance(args[0], Table) and isinstance(args[1], (types.Integer, types.IntEnumMember)):
            return templates.signature(args[0].dtype, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _TypeOfStore(AbstractTemplate):
    def generic(self, args, keywords):  # type: ignore[no-untyped-def]
        if isinstance(args[0], Table) and isinstance(args[1], (types.Integer, types.IntEnumMember)):
            return templates.signature(types.none, args[0], types.intp, args[0].dtype)
        return None


def address_in(context, builder, table_type, table, index):  # type: ignore[no-untyped-def]
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
    return address_in(context, builder, table_type, table, index)


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


# -- records and their tables


@lower_cast(types.Record, types.Record)
def _narrowed(context, builder, wide, narrow, pointer):  # type: ignore[no-untyped-def]
    """An extended record where its base is expected; Numba allows no other cast of records."""
    return builder.bitcast(pointer, context.get_value_type(narrow))


_EXPOSED: dict[str, Table] = {}  # what `record.NAME` is wherever the record has the two fields
ROOMS = 8  # tables that an extended record can have beside those of its base


@infer_getattr
class _TablesOfRecord(AttributeTemplate):
    """`record.NAME`."""

    key = types.Record
    # asked before Numba's own attributes of records, which refuse what is no field, whenever those were registered
    metadata = {"target": "cpu"}  # noqa: RUF012

    def generic_resolve(self, record, name):  # type: ignore[no-untyped-def]
        kind = _seen(record, name)[1]
        if kind is None and name not in record.fields:
            fields = [field.partition(":")[0] for field in record.fields if not field.endswith(("_at", "_n"))]
            raise TypingError(f"a record has no field {name!r}; it has {', '.join(fields)}")
        return kind


def _seen(record: types.Record, name: str) -> tuple[str, types.Type | None]:
    """Where the address of `record.NAME` lies, and what it is: a Table, one record, or None for neither."""
    if name in _EXPOSED and name + "_at" in record.fields:
        return name, _EXPOSED[name]
    for field, described in record.fields.items():
        if field.startswith(name + ":"):
            marker: Any = described.type
            item, alone = marker.dtype, len(marker.shape) == 2
            return f"room{field.partition(':')[2]}", item if alone else Table(item)
    return name, None


def _lower(name: str) -> None:
    """Tell Numba how to read `record.NAME`; once per name."""

    @lower_getattr(types.Record, name)
    def _(context, builder, record, pointer):  # type: ignore[no-untyped-def]
        place, kind = _seen(record, name)
        if kind is None:  # a field of that name, in a record that has no such table
            return record_getattr(context, builder, record, pointer, name)

        def field(suffix: str):  # type: ignore[no-untyped-def]
            word = context.get_data_type(types.int64)
            at = cgutils.get_record_member(builder, pointer, record.offset(place + suffix), word)
            return context.unpack_value(builder, types.int64, at)

        if not isinstance(kind, Table):
            return builder.inttoptr(field("_at"), context.get_value_type(kind))
        table = cgutils.create_struct_proxy(kind)(context, builder)
        table.data = builder.inttoptr(field("_at"), table.data.type)
        table.size = field("_n")
        return table._getvalue()


_lowered: set[str] = set()


def _name(name: str) -> None:
    if name not in _lowered:
        _lowered.add(name)
        _lower(name)


def expose(name: str, dtype: np.dtype | str) -> None:
    """Let kernels write `record.NAME` for the table that `NAME_at` and `NAME_n` of any record describe."""
    _EXPOSED[name] = Table(record_type(dtype))
    _name(name)


def record_type(dtype: np.dtype | str) -> Any:
    """What Numba calls a NumPy dtype."""
    return nb.from_dtype(_without_padding(np.dtype(dtype)))


def extended(base: np.dtype, alone: Mapping[str, np.dtype], tables: Mapping[str, np.dtype]) -> Any:
    """The type of a `base` record, which has ROOMS rooms, with names of its own for what lies in them.

    `record.NAME` is one record for the names of `alone`, a Table of them for those of `tables`; rooms are given in that
    order. Fields without a size tell the types; where the base is expected, the extended record does.
    """
    kinds = [
        *((name, dtype, (0, 0)) for name, dtype in alone.items()),
        *((name, dtype, (0,)) for name, dtype in tables.items()),
    ]
    names, formats = list(base.names or ()), [base[name] for name in base.names or ()]
    offsets = [base.fields[name][1] for name in names]  # type: ignore[index]
    for room, (name, dtype, shape) in enumerate(kinds):
        _name(name)
        names.append(f"{name}:{room}")
        formats.append(np.dtype((_without_padding(dtype), shape)))
        offsets.append(base.itemsize)
    return nb.from_dtype(np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": base.itemsize}))


PROTECTED: set[Any] = set()  # types of records that their owner alone writes to, which no checked kernel is


def protect(record: Any) -> None:
    """Let checked kernels (checked.py) read records of this type only."""
    PROTECTED.add(record)


HIDDEN: dict[str, str] = {}  # names of tables that checked kernels do not see, and what to use instead


def hide(name: str, instead: str) -> None:
    """Refuse checked kernels that read `record.NAME`; what is called by an address may."""
    HIDDEN[name] = instead


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
        part.data = address_in(context, builder, table, arguments[0], arguments[1])
        part.size = arguments[2]
        return part._getvalue()

    return table(table, types.intp, types.intp), codegen


@intrinsic
def view_as(typing_context, table, dtype):  # type: ignore[no-untyped-def]
    """The items of a Table as those of another type, as `array.view(dtype)` of NumPy does."""
    seen_as = Table(dtype.dtype if isinstance(dtype, types.DType) else dtype.instance_type)

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        given = cgutils.create_struct_proxy(table)(context, builder, arguments[0])
        seen = cgutils.create_struct_proxy(seen_as)(context, builder)
        old, new = (context.get_abi_sizeof(context.get_data_type(kind.dtype)) for kind in (table, seen_as))
        seen.data = given.data
        seen.size = builder.udiv(builder.mul(given.size, given.size.type(old)), given.size.type(new))
        return seen._getvalue()

    return seen_as(table, dtype), codegen


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


# -- laying them out


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
