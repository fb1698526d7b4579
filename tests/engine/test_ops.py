"""Every op is handled by its name; a number that nobody handles ends the run with an error that names it."""

import copy

import pytest
from runs import host

from sos_gym import Tape, evaluate
from sos_gym.engine.simulation import Simulation, UnknownOpError
from sos_gym.resource import Op
from sos_gym.settings.environment import build_settings

PLACES = [{"cores": cores, "frames": frames} for cores in (None, 1) for frames in (None, 1)]
PROGRAMS = [[(Op.COMPUTE, 5)], [(Op.READ, 0), (Op.WAIT, 0), (Op.YIELD, 0), (Op.COMPUTE, 1)]]
FORGED = 3  # index of the YIELD


def forged(number: int) -> Tape:
    """A tape that was checked before its YIELD became op `number` of argument 0: no ns, page 0, or a full channel."""
    tape = copy.copy(Tape.build(PROGRAMS, channels=[2]))
    ops = tape.ops.copy()
    ops["op"][FORGED] = number
    object.__setattr__(tape, "ops", ops)
    return tape


def run(number: int, **keywords) -> Simulation:
    settings = build_settings({"nodes": 1, **keywords})
    simulation = Simulation(forged(number), settings, [host("lru")], driver=0)
    simulation.advance()
    return simulation


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("op", Op)
def test_every_op_is_handled(op, where):
    """Who adds a member to Op and no lines to engine/program.py is told here."""
    assert run(op, **where).over


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("number", [len(Op), 255])
def test_a_number_that_is_no_op_is_refused_by_op_thread_and_position(number, where):
    with pytest.raises(UnknownOpError, match=f"op {number} of thread 1 at position 2, counted from 0"):
        run(number, **where)


def test_an_op_that_lost_its_lines_is_named():
    simulation = run(Op.YIELD)
    simulation.record["unknown_op"] = FORGED
    with pytest.raises(UnknownOpError, match=rf"op {Op.YIELD} \(YIELD\) of thread 1"):
        simulation.raise_if_stuck()


def test_evaluation_does_not_swallow_it():
    with pytest.raises(UnknownOpError):
        evaluate("sos/System-v0", "lru", workload=forged(len(Op)))
