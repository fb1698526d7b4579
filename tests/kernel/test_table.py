"""Records that own arrays, as kernels see them."""

import subprocess
import sys

import numba as nb
import numpy as np
import pytest

from sos_gym.kernel import (
    ROOMS,
    address_of,
    aligned_zeros,
    array_fields,
    attach,
    expose,
    extended,
    function_at,
    part_of,
    record_type,
    table_of,
    view_as,
)
from sos_gym.resource import Resource

BASE = np.dtype([("now", "i8"), *array_fields(*(f"room{room}" for room in range(ROOMS)))])
OWN = np.dtype([("hand", "i8"), ("inner", [("size", "i8"), ("times", "f8", (2,))]), ("shelf", "i8")])
ITEM = np.dtype([("count", "i8"), ("share", "f8")])
SIGNATURE = nb.types.float64(record_type(BASE), nb.types.int64)
function = function_at(SIGNATURE)


@nb.njit
def keep(my, i):
    """Writes into all that is its own, by name."""
    my.own.hand += 1
    my.own.inner.size = i
    my.own.inner.times[1] = my.now
    my.own.shelf = 7  # a field that is called like a table of `my`
    my.shelf[i].count += 10
    my.shelf[i].share = my.own.inner.times[1] + my.own.shelf
    return my.shelf[i].share + my.shelf.size


@nb.njit
def call(address, records, i):
    """As the engine does, which knows the base alone."""
    return function(address)(records[0], i)


def kept(my_type):
    """The rooms after one call."""
    own, shelf, record = aligned_zeros(1, OWN), aligned_zeros(3, ITEM), aligned_zeros(1, BASE)
    own["hand"], record["now"] = -1, 5
    attach(record, {"room0": own, "room1": shelf})
    address = address_of(keep, SIGNATURE.return_type(my_type, nb.types.int64))
    return call(address, record, 2), own[0], shelf


def test_a_record_of_its_own_and_a_table_are_read_and_written_by_name():
    answer, own, shelf = kept(extended(BASE, {"own": OWN}, {"shelf": ITEM}))
    assert answer == 5 + 7 + 3
    assert (own["hand"], own["shelf"]) == (0, 7)
    assert own["inner"]["size"] == 2 and own["inner"]["times"].tolist() == [0.0, 5.0]
    assert shelf.tolist() == [(0, 0.0), (0, 0.0), (10, 12.0)]


def test_a_name_that_the_record_does_not_have_is_refused():
    with pytest.raises(nb.core.errors.NumbaError):
        kept(extended(BASE, {"own": OWN}, {"other": ITEM}))


def test_tables_are_found_also_when_numba_has_compiled_before():
    """Numba's own attributes of records raise for what is no field: ours must come first."""
    program = """
import numba, numpy as np
numba.njit(lambda records: records[0].x)(np.zeros(1, [("x", "i8")]))
from sos_gym.kernel import array_fields, attach, expose
numba.njit(lambda records: records[0].x + 1)(np.zeros(1, [("x", "i8")]))
expose("late", "i8")
record, late = np.zeros(1, array_fields("late")), np.arange(3)
attach(record, {"late": late})
print(numba.njit(lambda records: records[0].late[2])(record))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr


# -- what stands in a table

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


def test_a_record_may_have_a_number_of_an_exposed_name():
    expose("crowded", PAIR)
    numbers = np.zeros(1, np.dtype([("crowded", "f4")]))

    @nb.njit
    def raised(records):
        records[0].crowded = 2
        return records[0].crowded + 1

    assert raised(numbers) == 3.0
