"""Instructions that Python has no word for: prefetch, bit counts."""

from llvmlite import ir
from numba import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from sos_gym.kernel.table import CACHE_LINE, address_in


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
        _fetch(builder, address_in(context, builder, table, *arguments), 1 if size <= CACHE_LINE else 2)
        return context.get_dummy_value()

    return types.none(table, types.int64), codegen


@intrinsic
def prefetch_lines(typing_context, table, index, lines):  # type: ignore[no-untyped-def]
    """Likewise `lines` (a constant) cache lines from `table[index]` on."""
    if not isinstance(lines, types.IntegerLiteral):
        raise RequireLiteralValue("the number of lines must be a constant")

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        _fetch(builder, address_in(context, builder, table, *arguments[:2]), lines.literal_value)
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
