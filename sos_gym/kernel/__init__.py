"""How records and functions meet compiled code; nothing here knows the model."""

from sos_gym.kernel.atomics import exchange_now, load_now, pause
from sos_gym.kernel.compiling import inlined, kernel
from sos_gym.kernel.functions import address_of, function_at
from sos_gym.kernel.intrinsics import bit_count, bit_length, prefetch, prefetch_lines
from sos_gym.kernel.table import (
    CACHE_LINE,
    CHECKED,
    ROOMS,
    Table,
    aligned_zeros,
    array_fields,
    attach,
    expose,
    extended,
    hide,
    on_stack,
    part_of,
    protect,
    record_type,
    table_of,
    view_as,
)

__all__ = [
    "CACHE_LINE",
    "CHECKED",
    "ROOMS",
    "Table",
    "address_of",
    "aligned_zeros",
    "array_fields",
    "attach",
    "bit_count",
    "bit_length",
    "exchange_now",
    "expose",
    "extended",
    "function_at",
    "hide",
    "inlined",
    "kernel",
    "load_now",
    "on_stack",
    "part_of",
    "pause",
    "prefetch",
    "prefetch_lines",
    "protect",
    "record_type",
    "table_of",
    "view_as",
]
