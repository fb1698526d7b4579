"""One memory, seen as items of another type."""

import operator

from numba import types
from numba.core import cgutils
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic

from sos_gym.kernel import Table


@infer_global(operator.getitem)
class _TypeOfItemByName(AbstractTemplate):
    """A member of an IntEnum is an index, too: `sim.instances[Resource.CPU]`."""

    def generic(self, args, keywords):  # type: ignore[no-untyped-def]
        if isinstance(args[0], Table) and isinstance(args[1], types.IntEnumMember):
            return templates.signature(args[0].dtype, args[0], types.intp)
        return None


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
