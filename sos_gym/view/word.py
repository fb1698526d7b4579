"""A number that reads as its word: what a member of an enumeration is in `info`."""

from enum import IntEnum

import numpy as np


class Word(np.int64):
    """The number of a member, equal to its name: Word(Kind.EVICT) == "evict" == str(Word(Kind.EVICT)), and == 0.

    Vectors of environments, tensors and files of trajectories keep numbers and refuse texts; people read texts.
    """

    _said: str
    _member: IntEnum

    def __new__(cls, member: IntEnum) -> "Word":
        word = super().__new__(cls, member.value)
        word._said, word._member = member.name.lower(), member
        return word

    def __str__(self) -> str:
        return self._said

    def __repr__(self) -> str:
        return repr(self._said)

    def __format__(self, how: str) -> str:
        return format(self._said, how)

    def __eq__(self, other: object) -> bool:
        return self._said == other if isinstance(other, str) else bool(super().__eq__(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = np.int64.__hash__

    def __reduce__(self) -> tuple:
        return Word, (self._member,)


def words_of(kind: type[IntEnum]) -> tuple[Word | None, ...]:
    """The words of an enumeration by number; None where it has no member."""
    named = {member.value: Word(member) for member in kind}
    return tuple(named.get(number) for number in range(max(named) + 1))
