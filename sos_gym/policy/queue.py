"""A doubly linked queue of entities in the first `2 + 2 * entities` ints; ids are stored plus one, so zero is none."""

from ..kernel import kernel

HEAD, TAIL, FIRST_LINK = 0, 1, 2  # then next and previous of every entity


@kernel
def _next(e):
    return FIRST_LINK + 2 * e


@kernel
def _previous(e):
    return FIRST_LINK + 2 * e + 1


@kernel
def head_of(my):
    """The entity at the head, or NONE."""
    return my.ints[HEAD] - 1


@kernel
def next_of(my, e):
    """The entity behind `e`, or NONE."""
    return my.ints[_next(e)] - 1


@kernel
def append(my, e):
    """Put `e` at the tail."""
    ints = my.ints
    tail = ints[TAIL]
    ints[_next(e)], ints[_previous(e)] = 0, tail
    if tail:
        ints[_next(tail - 1)] = e + 1
    else:
        ints[HEAD] = e + 1
    ints[TAIL] = e + 1


@kernel
def remove(my, e):
    """Take `e` out, wherever it is."""
    ints = my.ints
    behind, before = ints[_next(e)], ints[_previous(e)]
    if before:
        ints[_next(before - 1)] = behind
    else:
        ints[HEAD] = behind
    if behind:
        ints[_previous(behind - 1)] = before
    else:
        ints[TAIL] = before
