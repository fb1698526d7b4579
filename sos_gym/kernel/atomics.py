"""Threads that tell each other something: int64 fields of records, in one order for all."""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


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
