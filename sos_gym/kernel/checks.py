"""What checked kernels do beside what they were written for: `checked.py` puts these calls between their statements."""

from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from sos_gym.kernel.refusals import RefusedError
from sos_gym.kernel.table import PROTECTED, Table

FIRST = "my"  # the parameter whose record has the fields TURNS, WRONG and SIZE, all int64
TURNS, WRONG, SIZE = "turns", "wrong", "size"  # loop turns that are left; an index that is none, and of how many
TURNS_ALONE = 1 << 20  # of a function without that parameter, at each call


class PlaceError(IndexError):
    """An index that is none."""


class TurnsError(RuntimeError):
    """A loop took too many turns."""


def _nothing(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
    return context.get_dummy_value()


@intrinsic(prefer_literal=True)
def own(typing_context, target, spelled):  # type: ignore[no-untyped-def]
    """Refuse what belongs to the engine."""

    def refuse(*_):  # type: ignore[no-untyped-def]  # not before code is made: until then Numba tries other types
        raise RefusedError(
            f"{spelled.literal_value} is read only: keep what is your own in `own` or `each` of the card"
        )

    others = isinstance(target, types.Record) and (target in PROTECTED or TURNS in target.fields)
    return types.none(target, spelled), refuse if others or isinstance(target, Table) else _nothing


@intrinsic(prefer_literal=True)
def no_list(typing_context, value, at):  # type: ignore[no-untyped-def]
    """Refuse a sequence as a factor."""

    def refuse(*_):  # type: ignore[no-untyped-def]
        raise RefusedError(
            f"a sequence times a number {at.literal_value}: it may be of any size; keep a table in the card"
        )

    sequence = isinstance(value, (types.List, types.ListType, types.UnicodeType, types.Bytes))
    return types.none(value, at), refuse if sequence else _nothing


def _field(context, builder, record, pointer, name):  # type: ignore[no-untyped-def]
    word = context.get_data_type(types.int64)
    return cgutils.get_record_member(builder, pointer, record.offset(name), word)


@intrinsic(prefer_literal=True)
def within(typing_context, counter, table, index, spelled):  # type: ignore[no-untyped-def]
    """Fail unless `index` is one of the table's, or the array's, which may be negative; others check their own."""
    signature = types.none(counter, table, index, spelled)
    array = isinstance(table, types.Array) and table.ndim == 1
    if not (array or isinstance(table, Table)) or not isinstance(index, (types.Integer, types.IntEnumMember)):
        return signature, _nothing

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        if array:
            length = builder.extract_value(context.make_array(table)(context, builder, arguments[1]).shape, 0)
        else:
            length = cgutils.create_struct_proxy(table)(context, builder, arguments[1]).size
        place = context.cast(builder, arguments[2], index, types.intp)
        lowest = builder.neg(length) if array else length.type(0)
        wrong = builder.or_(builder.icmp_signed(">=", place, length), builder.icmp_signed("<", place, lowest))
        with builder.if_then(wrong, likely=False):
            if isinstance(counter, types.Record):
                builder.store(place, _field(context, builder, counter, arguments[0], WRONG))
                builder.store(length, _field(context, builder, counter, arguments[0], SIZE))
            context.call_conv.return_user_exc(builder, PlaceError, (spelled.literal_value,))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def turns_alone(typing_context):  # type: ignore[no-untyped-def]
    """A cell that counts down."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        cell = cgutils.alloca_once(builder, llvm.IntType(64))
        builder.store(llvm.IntType(64)(TURNS_ALONE), cell)
        table = cgutils.create_struct_proxy(signature.return_type)(context, builder)
        table.data, table.size = builder.bitcast(cell, table.data.type), llvm.IntType(64)(1)
        return table._getvalue()

    return Table(types.int64)(), codegen


@intrinsic(prefer_literal=True)
def count_turn(typing_context, counter, at):  # type: ignore[no-untyped-def]
    """Fail when no turn is left."""

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        if not isinstance(counter, Table) and TURNS not in getattr(counter, "fields", ()):
            raise RefusedError(f"a parameter `{FIRST}` {at.literal_value} that is not the policy's: call it otherwise")
        if isinstance(counter, Table):
            data = cgutils.create_struct_proxy(counter)(context, builder, arguments[0]).data
            cell = builder.bitcast(data, llvm.IntType(64).as_pointer())
        else:
            cell = _field(context, builder, counter, arguments[0], TURNS)
        left = builder.sub(builder.load(cell), llvm.IntType(64)(1))
        builder.store(left, cell)
        with builder.if_then(builder.icmp_signed("<", left, left.type(0)), likely=False):
            context.call_conv.return_user_exc(builder, TurnsError, (at.literal_value,))
        return context.get_dummy_value()

    return types.none(counter, at), codegen
