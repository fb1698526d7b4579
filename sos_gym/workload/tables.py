"""The records a tape is made of.

Page, owner, channel and lock ids are dense from 0; pages in order of first mention (thread order, then op order).
"""

import numpy as np

from sos_gym.resource import Op

OPS = np.dtype(
    [
        ("arg", "<i8"),  # ns, page, channel or lock; 0 where the op has none
        ("lines", "<u2"),  # line accesses of a READ or WRITE, 1 to 65535; else 0
        ("op", "u1"),  # resource.Op
        ("", "V1"),
    ]
)
THREADS = np.dtype(
    [
        ("first", "<i8"),  # its ops are ops[first:last]
        ("last", "<i8"),
        ("arrival_ns", "<i8"),  # >= 0
        ("think_ns", "<i8"),  # >= 0, extra service of every READ and WRITE
        ("deadline_ns", "<i8"),  # >= 0, from the start of each burst; -1 = none
        ("owner", "<i4"),
        ("weight", "<i4"),  # >= 1
        ("affinity", "<i4"),  # bit mask over nodes, -1 = all
        ("", "V4"),
    ]
)
PAGES = np.dtype(
    [
        ("owner", "<i4"),
        ("affinity", "<i4"),  # bit mask over nodes, -1 = all
        ("file", "u1"),  # 1: its first touch is a page-in
        ("pinned", "u1"),  # 1: never evicted
        ("private", "u1"),  # 1: only its owner's threads touch it
        ("", "V1"),
    ]
)
OWNERS = np.dtype([("weight", "<i4")])  # >= 1
CHANNELS = np.dtype("<i8")  # initial counts, 0 to MOST_TOKENS

MEMORYLESS = -1  # in `then`: `value` is what is left, however long it has lasted
GROWING = -2  # in `then`: a heavy tail, the longer it has lasted the more is left: as much again, at least `value`
FORECAST = np.dtype(  # what is known of a page or thread from an op on (forecast.py)
    [
        ("at", "<i8"),  # op; it holds once the op's thread has got so far
        ("value", "<i8"),  # page: references (>= 0), or -1 - op; thread: ns
        ("then", "<i8"),  # thread: MEMORYLESS, GROWING, or ns in all once `value` is passed
        ("entity", "<i4"),  # thread, or threads + page
        ("", "V4"),
    ]
)

TABLES = {"ops": OPS, "threads": THREADS, "pages": PAGES, "owners": OWNERS}  # of a tape; its channels have no columns

# What an op's argument is: every op is in one of TIME_OPS, PAGE_OPS, CHANNEL_OPS, LOCK_OPS, BARE_OPS.
TIME_OPS = (Op.COMPUTE, Op.SLEEP, Op.SLEEP_UNTIL)
TOUCH_OPS = (Op.READ, Op.WRITE)  # the only ones with `lines`
PAGE_OPS = (*TOUCH_OPS, Op.COLD, Op.PAGEOUT, Op.DONTNEED)
CHANNEL_OPS = (Op.WAIT, Op.SIGNAL)
LOCK_OPS = (Op.LOCK, Op.UNLOCK)
BARE_OPS = (Op.YIELD, Op.EXIT)

MOST_TOKENS = 1 << 62  # that a channel starts with: every SIGNAL adds one
MOST_LINES = 65535  # of one touch
DEFAULT_LINES = 64  # a 4096-byte page in 64-byte lines
LONGEST_NS = 1 << 60  # of one op, and of all times of a tape together: 36 years


class TapeError(ValueError):
    """A tape that cannot be run, read or built."""


def op_in(ops: np.ndarray, members: tuple[Op, ...]) -> np.ndarray:  # bool (ops,)
    """Which of some OPS records have one of `members` as their op; np.isin takes longer."""
    wanted = np.zeros(256, bool)
    wanted[list(members)] = True
    return wanted[ops["op"]]


def as_bytes(records: np.ndarray) -> np.ndarray:  # uint8 (records, bytes)
    """A view; records are copied field by field, which takes fifteen times as long."""
    return np.ascontiguousarray(records).view(np.uint8).reshape(len(records), records.dtype.itemsize)


def field_names(dtype: np.dtype) -> list[str]:
    """The fields of a record that mean something (padding does not)."""
    return [name for name in dtype.names or () if dtype[name].kind != "V"]
