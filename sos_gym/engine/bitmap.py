"""A set of numbers 0..n-1 that names its greatest member below a bound: a bit each, and a bit per word that is not 0.

`words` holds the bits, then the bits that summarize these words, and so on up to one word: n/8 bytes and 1/64 more.
A member enters or leaves, and is found, in one step per level; n of a million make four levels.
"""

import numpy as np

from sos_gym.kernel import bit_length, kernel
from sos_gym.resource import NONE

WORD_BITS, IN_WORD = 6, 63  # 64 bits to a word


def empty(n: int) -> np.ndarray:  # int64 (words,)
    """The empty set of numbers below `n`."""
    words, level = 0, n
    while level > 1 or not words:
        level = max(level + IN_WORD >> WORD_BITS, 1)
        words += level
    return np.zeros(words, np.int64)


@kernel
def enter(words, n, member):
    """`member` is one from now on."""
    base, size, at = 0, n, member
    while size > 1 or base == 0:
        size = max(size + IN_WORD >> WORD_BITS, 1)
        word = words[base + (at >> WORD_BITS)]
        words[base + (at >> WORD_BITS)] = word | 1 << (at & IN_WORD)
        if word != 0:
            return
        base, at = base + size, at >> WORD_BITS


@kernel
def leave(words, n, member):
    """`member` is none from now on."""
    base, size, at = 0, n, member
    while size > 1 or base == 0:
        size = max(size + IN_WORD >> WORD_BITS, 1)
        word = words[base + (at >> WORD_BITS)] & ~(1 << (at & IN_WORD))
        words[base + (at >> WORD_BITS)] = word
        if word != 0:
            return
        base, at = base + size, at >> WORD_BITS


@kernel
def greatest_below(words, n, bound):
    """The greatest member below `bound`, which is at most `n`; or NONE."""
    base, size, at, level = 0, max(n + IN_WORD >> WORD_BITS, 1), bound, 0
    while True:
        found = 0
        if at >> WORD_BITS < size:
            found = words[base + (at >> WORD_BITS)] & ((1 << (at & IN_WORD)) - 1)
        if found != 0:
            break
        if size == 1:
            return NONE
        base, size, at, level = base + size, max(size + IN_WORD >> WORD_BITS, 1), at >> WORD_BITS, level + 1
    at = (at >> WORD_BITS << WORD_BITS) + bit_length(found) - 1
    while level > 0:
        level -= 1
        base -= _size(n, level)
        at = (at << WORD_BITS) + bit_length(words[base + at]) - 1
    return at


@kernel
def _size(n, level):
    """Words of a level."""
    size = n
    for _ in range(level + 1):
        size = max(size + IN_WORD >> WORD_BITS, 1)
    return size
