"""Memory seen as other items, members of enums as indices, and names that are exposed late."""

import numba as nb
import numpy as np

from sos_gym.kernel import array_fields, attach, expose, part_of, table_of
from sos_gym.kernel.reinterpret import view_as
from sos_gym.resource import Resource

PAIR = np.dtype([("a", "f4"), ("b", "f4")])


@nb.njit
def _fill(numbers):
    pairs = view_as(table_of(numbers), PAIR)
    for i in range(pairs.size):
        pairs[i].b = i + 1
    return pairs.size, view_as(pairs, np.float32).size, view_as(part_of(pairs, 1, 1), np.float32)[1]


def test_numbers_are_seen_as_records_and_back():
    numbers = np.zeros((3, 2), np.float32)
    assert _fill(numbers) == (3, 6, 2.0)
    assert numbers.tolist() == [[0, 1], [0, 2], [0, 3]]


@nb.njit
def _at(numbers):
    table = table_of(numbers)
    return table[Resource.MEMORY], table[Resource.CPU]


def test_a_member_of_an_enum_is_an_index():
    assert _at(np.array([7, 8])) == (7, 8)


def test_a_table_may_be_exposed_after_something_was_compiled():
    """Numba's own attributes of records are loaded with the first compilation; they refused what came after it."""
    assert nb.njit(lambda x: x)(1) == 1
    expose("late", PAIR)
    owner, pairs = np.zeros(1, array_fields("late")), np.ones(2, PAIR)
    attach(owner, {"late": pairs})

    @nb.njit
    def last(owners):
        return owners[0].late[1].b + owners[0].late.size

    assert last(owner) == 3.0


def test_a_record_may_have_a_number_of_an_exposed_name():
    expose("crowded", PAIR)
    numbers = np.zeros(1, np.dtype([("crowded", "f4")]))

    @nb.njit
    def raised(records):
        records[0].crowded = 2
        return records[0].crowded + 1

    assert raised(numbers) == 3.0
