"""The compiled engine against the plain one, event by event."""

import pytest
from beside_plain import compare
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import COSTS, settings_of, tapes

from sos_gym.resource import Op
from sos_gym.workload import Tape

PER_NODE = st.tuples(st.integers(1, 2), st.integers(1, 3))
SIDES = {
    "memory": (st.none(), PER_NODE),
    "cpu": (PER_NODE, st.none()),
    "system": (PER_NODE, PER_NODE),
    "any": (None, None),
}


@pytest.mark.parametrize("side", SIDES)
def test_event_by_event(side):
    cores, frames = SIDES[side]

    @settings(max_examples=1000, deadline=None, derandomize=True)
    @given(tapes(), settings_of(cores, frames), st.integers(0, 99))
    def check(tape, keywords, seed):
        assume(tape is not None)
        compare(tape, keywords, seed)

    check()


def test_a_move_is_paid_before_the_next_touch():
    """Found by the property above: the page is moved at its touch, and its next touches are resident and local."""
    tape = Tape.build([[(Op.COMPUTE, 1), (Op.READ, 0, 1)], [(Op.READ, 0, 1)]], owner=[0, 0])
    free = dict.fromkeys((*COSTS, "remote_line_ns"), 0)
    keywords = {**free, "shootdown_ns": 1, "move_ns": (0, 0), "tiers": True, "hint_ns": 1, "tick_ns": None}
    compare(tape, {**keywords, "cores": (1, 1), "frames": (1, 1)}, 0)
