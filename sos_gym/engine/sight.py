"""How uses of pages reach policies and an agent's columns: every one, or what an unmapped page or an accessed bit shows."""

from sos_gym.engine.records import look_at
from sos_gym.kernel import kernel


@kernel
def look(my, e):
    """Read and clear the accessed bit of page `e`: whether it was used since the last look, or harvest.

    If so, that is a use, now: the record of `e` is brought up to date and `use` is told before this returns. Where uses
    are told without a look (sight "exact" or "sampled"), and for threads, it is False and does nothing.
    """
    if my.look_at == 0:
        return False
    return look_at(my.look_at)(my, e) != 0
