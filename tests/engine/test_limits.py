"""Times that would not fit int64: refused where they enter, or summed exactly."""

import numpy as np
import pytest

from sos_gym import Tape, TapeError
from sos_gym.engine.simulation import Simulation
from sos_gym.metrics import exact_sum, metrics
from sos_gym.policy import policy_named
from sos_gym.resource import Op
from sos_gym.settings.environment import build_settings
from sos_gym.settings.ranges import SettingError
from sos_gym.workload.tables import LONGEST_NS, MOST_LINES, MOST_TOKENS, OPS

TOUCHES = [(Op.READ, 0)] * 4


@pytest.mark.parametrize(
    "keywords",
    [
        {"programs": [TOUCHES], "think_ns": LONGEST_NS // 4 + (1 << 20)},
        {"programs": [TOUCHES, [(Op.COMPUTE, 1)]], "think_ns": [LONGEST_NS // 4 + (1 << 20), 0]},
        {"programs": [[(Op.COMPUTE, 1 << 20)]], "arrival_ns": LONGEST_NS},
        {"programs": [[(Op.COMPUTE, LONGEST_NS // 2)]], "arrival_ns": LONGEST_NS // 2 + (1 << 20)},
        {"programs": [[(Op.SLEEP_UNTIL, LONGEST_NS)], TOUCHES], "think_ns": 1 << 55},
    ],
)
def test_times_of_a_tape_are_bounded_together(keywords):
    with pytest.raises(TapeError, match="add up to over"):
        Tape.build(**keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {"programs": [TOUCHES], "think_ns": LONGEST_NS // 4},
        # the thread that thinks long touches nothing
        {"programs": [TOUCHES, [(Op.COMPUTE, 1)]], "think_ns": [1, LONGEST_NS]},
        {"programs": [[(Op.COMPUTE, LONGEST_NS // 2)]], "arrival_ns": LONGEST_NS // 2},
    ],
)
def test_what_stays_within_the_bound_is_accepted(keywords):
    Tape.build(**keywords)


def test_a_channel_that_a_signal_would_make_negative_is_refused():
    with pytest.raises(TapeError, match="channels"):
        Tape.build([[(Op.SIGNAL, 0)]], channels=[2**63 - 1])
    Tape.build([[(Op.SIGNAL, 0)]], channels=[MOST_TOKENS])


@pytest.mark.parametrize("lines_ns", ["local_line_ns", "remote_line_ns"])
def test_accesses_that_would_never_end_are_refused(lines_ns):
    tape = Tape.build([[(Op.READ, 0, MOST_LINES)]])
    settings = {"nodes": 1, "local_line_ns": 1, lines_ns: 1 << 50}
    with pytest.raises(SettingError, match="line_ns"):
        Simulation(tape, build_settings(settings))
    Simulation(Tape.build([[(Op.READ, 0, 1)]]), build_settings(settings))


@pytest.mark.parametrize("scale", [(1e14, 1e14), (1e300, 1e300)])
def test_costs_that_are_scaled_out_of_their_range_are_refused(scale):
    with pytest.raises(SettingError, match="cost_scale"):
        Simulation(Tape.from_references([0]), build_settings({"cost_scale": scale}))


def test_most_lines_is_what_the_record_holds():
    assert np.iinfo(OPS["lines"]).max == MOST_LINES


def test_sums_are_exact_beyond_int64():
    for numbers in ([2**62] * 5, [-(2**62)] * 5 + [7], [2**63 - 1, 2**63 - 1, -1], [], [3, 2**32, 2**31, -(2**33) - 1]):
        assert exact_sum(np.array(numbers, np.int64)) == sum(numbers)


def test_64_threads_that_wait_for_half_a_year_each():
    """One core, first come first served: thread i waits for i bursts; 2016 bursts are more than 2^63 ns."""
    burst_ns, threads = 1 << 54, 64
    tape = Tape.from_jobs([0] * threads, [burst_ns] * threads)
    settings = build_settings({"nodes": 1, "cores": 1, "tick_ns": None, "switch_ns": 0, "move_ns": 0})
    simulation = Simulation(tape, settings, [policy_named("fifo").host()], driver=0)
    simulation.advance()
    found = metrics(simulation)
    assert found["elapsed_ns"] == threads * burst_ns
    assert found["stall_ns"] == found["cpu_wait_ns"] == threads * (threads - 1) // 2 * burst_ns > 2**63
    assert found["weighted_stall_ns"] == pytest.approx(found["stall_ns"])
    assert found["service_ns"] == threads * burst_ns
