"""CFS and EEVDF as Linux has them: shares and lag, and wakeups and ticks on paper."""

from fractions import Fraction

import pytest
from fluid import ideal
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import ALWAYS, MS, run

from sos_gym import Tape
from sos_gym.policy import policies
from sos_gym.resource import DEFAULT_WEIGHT, Op

FREE = {"switch_ns": 0, "move_ns": 0}
WEIGHTS = st.lists(st.sampled_from([335, 820, 1024, 1277, 3121]), min_size=2, max_size=7)  # nice 5, 1, 0, -1, -5


def in_ms(ms):
    return int(ms * MS)


def exits_ms(programs, policy, tick_ms=1, weight=None, arrival_ms=None, cores=1):
    """When each thread leaves; times of ops in ms."""
    ops = [[(op, in_ms(ms)) for op, ms in program] for program in programs]
    arrival = [in_ms(ms) for ms in arrival_ms or [0] * len(programs)]
    tape = Tape.build(ops, arrival_ns=arrival, weight=weight or [DEFAULT_WEIGHT] * len(programs))
    threads = run(tape, policy, cores=cores, tick_ns=in_ms(tick_ms), **FREE).arrays["threads"]
    return [ns / MS for ns in threads["exit_ns"].tolist()]


def served(policy, weights, tick_ns, horizon_ns, arrival_ns=None):
    """The service of busy threads on one core."""
    tape = Tape.build(
        [[(Op.COMPUTE, ALWAYS)]] * len(weights), weight=weights, arrival_ns=arrival_ns or [0] * len(weights)
    )
    found = run(tape, policy, cores=1, tick_ns=tick_ns, horizon_ns=horizon_ns, **FREE)
    return found.arrays["threads"]["service"].tolist()


# -- shares


@settings(max_examples=60, deadline=None, derandomize=True)
@given(WEIGHTS, st.integers(10, 30), st.integers(2, 12))
def test_busy_threads_share_by_weight_within_a_turn_under_cfs(weights, tick, ticks):
    """Once the debts of newcomers are paid, each pair is off by the turns of the two, and a tick each, at most."""
    latency, load = tick * ticks, sum(weights)
    spec = f"cfs(latency_ns={latency}, granularity_ns=1)"
    settled = 40 * latency * load // min(weights)
    before, after = (served(spec, weights, tick, end) for end in (settled, 2 * settled))
    turn = {w: Fraction(latency * w, load) + tick for w in weights}
    for w, one, other in zip(weights, before, after, strict=True):
        assert abs((other - one) - Fraction(settled * w, load)) <= 2 * max(turn.values())
    assert sum(after) == 2 * settled


crowds = st.lists(st.tuples(st.integers(300, 5000), st.integers(0, 300)), min_size=1, max_size=7)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(crowds, st.integers(5, 60), st.integers(1, 3), st.integers(400, 3_000))
def test_the_kernels_eevdf_keeps_lag_within_a_slice(crowd, tick, ticks, end):
    """Theorem 1 of Stoica and Abdel-Wahab holds for who runs to parity and starts with half a slice."""
    weights, arrival = map(list, zip(*crowd, strict=True))
    slice_ns = 2 * tick * ticks
    found = served(f"linux_eevdf(slice_ns={slice_ns})", weights, tick, end, arrival)
    for fluid, service in zip(ideal(weights, arrival, end), found, strict=True):
        assert abs(fluid - service) < slice_ns + 1e-6


def test_two_weights_share_under_linux():
    """2:1 over a second, to within a slice of 0.75 ms and a tick."""
    found = served("linux", [2048, 1024], MS, 900 * MS)
    assert found == pytest.approx([600 * MS, 300 * MS], abs=1.75 * MS)


# -- CFS on paper


SLEEPER = [(Op.COMPUTE, 1), (Op.SLEEP, 10.5), (Op.COMPUTE, 2)]
BUSY = [(Op.COMPUTE, 100)]


@pytest.mark.parametrize(("wakeup_ms", "exit_ms"), [(1, 18.5), (2.9, 18.5), (3, 19)])
def test_a_sleeper_has_half_a_latency_of_credit_under_cfs(wakeup_ms, exit_ms):
    """Virtual ms: the busy thread starts at 6, its own turn. The other one comes at 2, when the first is at 8. It is
    placed a turn of 3 behind, at 11, which the first reaches at 5; it runs to 12, and sleeps from 6 to 16.5, when the
    first is at 21.5: placed at 18.5, it is 3 behind. It preempts, or gets the core at the next tick."""
    spec = f"cfs(wakeup_ns={in_ms(wakeup_ms)})"
    assert exits_ms([BUSY, SLEEPER], spec, arrival_ms=[0, 2]) == [103, exit_ms]


def test_the_wakeup_granularity_is_by_the_wakers_weight_under_cfs():
    """Half the weight: turns of 4 and 2 ms. It is placed at 8 + 2 * 2 = 12, reached at 6; runs to 14, and sleeps from 7
    to 17.5, when the other is at 22.5: placed at 19.5, it is 3 behind, which is a granularity of 1.5. So it waits for
    the tick at 18."""
    spec, weight = f"cfs(wakeup_ns={in_ms(1.5)})", [1024, 512]
    assert exits_ms([BUSY, SLEEPER], spec, arrival_ms=[0, 2], weight=weight) == [103, 20]
    assert exits_ms([BUSY, SLEEPER], f"cfs(wakeup_ns={in_ms(1.49)})", arrival_ms=[0, 2], weight=weight) == [103, 19.5]


def test_a_turn_is_a_part_of_the_latency_under_cfs():
    """A turn of 3 ends at the first tick after it. With a latency of 1 it is the granularity, less than a tick."""
    assert exits_ms([[(Op.COMPUTE, 8)]] * 2, "cfs") == [12, 16]  # 0: 0-4, 8-12; 1: 4-8, 12-16
    assert exits_ms([[(Op.COMPUTE, 8)]] * 2, "cfs(latency_ns=1_000_000)") == [15, 16]


@pytest.mark.parametrize("sleep", [10.5, 50.5])
def test_who_was_away_longer_has_no_more_credit_under_cfs(sleep):
    """From its wakeup on its 20 ms take 36, however long it slept."""
    long = [(Op.COMPUTE, 1), (Op.SLEEP, sleep), (Op.COMPUTE, 20)]
    assert exits_ms([BUSY, long], "cfs", arrival_ms=[0, 2])[1] == 6 + sleep + 36


# -- EEVDF on paper; one core, slices of 4 ms


SPEC = "linux_eevdf(slice_ns=4_000_000)"


def test_who_is_owed_service_runs_until_its_request_is_served_under_linux():
    """A: 0, due at 2, half a slice. B comes at 1, level with A and due at 3: it waits, A is protected. At 2 A is served
    and ahead: B runs to 2.5 and sleeps at 3.5, ahead of A. At 8.75 A is at 7.25, B is placed there, due at 11.25; A is
    due at 10, which is earlier. At 11.5 A is served, and B, which is behind, runs."""
    sleeper = [(Op.COMPUTE, 1.5), (Op.SLEEP, 5.25), (Op.COMPUTE, 2)]
    assert exits_ms([BUSY, sleeper], SPEC, arrival_ms=[0, 1]) == [103.5, 13.5]


def test_an_earlier_deadline_does_not_disturb_who_is_protected_under_linux():
    """B has four times the weight: it comes at 0.5, level with A, and is due at 1, before A's 2. A runs until 2."""
    programs, weight = [BUSY, [(Op.COMPUTE, 1)]], [1024, 4096]
    assert exits_ms(programs, SPEC, arrival_ms=[0, 0.5], weight=weight) == [101, 3]
    assert exits_ms(programs, "linux_eevdf(slice_ns=4_000_000, parity=0)", 1, weight, [0, 0.5]) == [101, 1.5]


@pytest.mark.parametrize(("keep_lag", "exit_ms"), [(1, 10.75), (0, 12.5)])
def test_a_waker_that_is_owed_service_preempts_under_linux(keep_lag, exit_ms):
    """B sleeps at 2.5 having had 0.5 of its slice, its lag is 0.25. When it wakes at 8.75, A is at 8.25; placed 0.25
    behind the new mean, at 7.75, it preempts A, which is ahead. Without its lag it waits until A is served, at 10.5."""
    sleeper = [(Op.COMPUTE, 0.5), (Op.SLEEP, 6.25), (Op.COMPUTE, 2)]
    spec = f"linux_eevdf(slice_ns=4_000_000, keep_lag={keep_lag})"
    assert exits_ms([BUSY, sleeper], spec, arrival_ms=[0, 1]) == [102.5, exit_ms]


@pytest.mark.parametrize(("delay", "exits"), [(1, [106.5, 13.5, 14.5]), (0, [106.5, 14.5, 12.5])])
def test_who_falls_asleep_ahead_counts_until_it_no_longer_is_under_linux(delay, exits):
    """With whole slices at first A is served at 4, B runs from 1 to 4.5 and sleeps at 7.5, ahead of A's 4 by half.
    At 8.75 A is at 5.25. Counted on so far, B has nothing to pay: it is placed there, due at 9.25. Else its lag puts it
    at 5.75, due at 9.75. C comes at 9, is placed at the mean, 5.375 or 5.625, and is due before B only in the second
    case. A is served at 11.5."""
    programs = [BUSY, [(Op.COMPUTE, 3.5), (Op.SLEEP, 1.25), (Op.COMPUTE, 2)], [(Op.COMPUTE, 1)]]
    spec = f"linux_eevdf(slice_ns=4_000_000, first=1, delay={delay})"
    assert exits_ms(programs, spec, arrival_ms=[0, 1, 9]) == exits


@pytest.mark.parametrize(("cores", "times"), [(1, 1), (2, 2), (3, 2), (4, 3), (8, 4), (64, 4)])
def test_slices_grow_with_the_cores(cores, times):
    """Those who come first run for half a slice of 0.75 ms by 1 + log2(cores), of which 8 count; then the others do."""
    tape = Tape.build([[(Op.COMPUTE, ALWAYS)]] * (2 * cores))
    simulation = run(tape, "linux", cores=cores, tick_ns=MS // 8, horizon_ns=times * 375_000 + MS // 8, **FREE)
    first = simulation.arrays["threads"]["service"][:cores].tolist()
    assert first == [times * 375_000] * cores


def test_linux_is_its_two_halves():
    card = policies()["linux"]
    assert set(card.parameters) == {*policies()["linux_eevdf"].parameters, *policies()["mglru"].parameters}
    assert not card.needs_list and "stock" in card.aliases
