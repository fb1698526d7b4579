"""Every op is handled by its name; a number that nobody handles ends the run with an error that names it."""

import pytest
from runs import host

from sos_gym import Tape
from sos_gym.engine.simulation import Simulation, UnknownOpError
from sos_gym.resource import Op
from sos_gym.settings.environment import build_settings

PLACES = [{"cores": cores, "frames": frames} for cores in (None, 1) for frames in (None, 1)]
PROGRAMS = [
    [(Op.COMPUTE, 5), (Op.LOCK, 0), (Op.UNLOCK, 0)],
    [(Op.READ, 0), (Op.WAIT, 0), (Op.YIELD, 0), (Op.COMPUTE, 1)],
]
FORGED = 5  # index of the YIELD


def forged(number: int, **keywords) -> Simulation:
    """Once the tape is checked its YIELD becomes op `number` of 0: no ns, page 0, a full channel, a free lock."""
    tape = Tape.build(PROGRAMS, channels=[2])
    simulation = Simulation(tape, build_settings({"nodes": 1, **keywords}), [host("lru")], driver=0)
    tape.ops.flags.writeable = True
    tape.ops["op"][FORGED] = number
    return simulation


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("op", Op)
def test_every_op_is_handled(op, where):
    """Who adds a member to Op and no lines to engine/program.py is told here."""
    simulation = forged(op, **where)
    simulation.advance()
    assert simulation.over


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("number", [len(Op), 255])
def test_a_number_that_is_no_op_is_refused_by_op_thread_and_position(number, where):
    simulation = forged(number, **where)
    with pytest.raises(UnknownOpError, match=f"op {number} of thread 1 at position 2, counted from 0"):
        simulation.advance()
    assert not simulation.over
    with pytest.raises(UnknownOpError):  # it does not go on behind the op
        simulation.advance()


def test_an_op_that_lost_its_lines_is_named():
    simulation = forged(Op.YIELD)
    simulation.record["unknown_op"] = FORGED
    with pytest.raises(UnknownOpError, match=rf"op {Op.YIELD:d} \(YIELD\) of thread 1"):
        simulation.raise_if_stuck()
