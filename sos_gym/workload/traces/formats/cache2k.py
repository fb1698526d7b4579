"""Traces of cache2k: nothing but 32-bit numbers."""

import numpy as np

from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces.formats.registry import Limit, format_of
from sos_gym.workload.traces.references import References
from sos_gym.workload.traces.source import Source

NUMBER = np.dtype(">i4")  # as Java's DataOutputStream.writeInt
HIGHEST = 1 << 28  # no trace of cache2k has that many objects, and numbers of another byte order are above


def _are_numbers(start: bytes) -> bool:
    return len(start) >= NUMBER.itemsize and _plausible(np.frombuffer(start, NUMBER, len(start) // NUMBER.itemsize))


def _plausible(numbers: np.ndarray) -> bool:
    return bool(((numbers >= 0) & (numbers < HIGHEST)).all())


@format_of(
    "cache2k",
    side="memory",
    extensions=(".cache2k", ".trace"),
    what="requests to a cache: object numbers of 32 bits, big-endian",
    source="cache2k/cache2k-benchmark, traces; ben-manes/caffeine, simulator: parser/cache2k",
    sample="i4 number of the object, big-endian",
    distinct=False,
    records=_are_numbers,
)
def cache2k(source: Source, *, limit: Limit = None) -> Tape:
    """One READ per number."""
    references = References(source, limit)
    rest = b""
    for chunk in source.chunks():
        data = rest + chunk
        numbers = np.frombuffer(data, NUMBER, len(data) // NUMBER.itemsize)
        rest = data[numbers.nbytes :]
        if not _plausible(numbers):
            wrong = int(numbers[np.argmax((numbers < 0) | (numbers >= HIGHEST))])
            raise TapeError(f"{source.path} holds {wrong} as an object; allowed: 0 to {HIGHEST - 1}; is it cache2k's?")
        references.add(numbers.astype(np.int64))
        if references.full:
            break
    if rest and not references.full:
        raise TapeError(
            f"{source.path} is cut short: {len(rest)} bytes follow number {references.count}; fetch it anew"
        )
    return references.tape(kept="one READ per number", dropped="nothing; objects are pages of one size")
