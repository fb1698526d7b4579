"""Pictures and text: what they show is what happened."""

import gymnasium as gym
import numpy as np
import pytest

import sos_gym
from sos_gym.envs.render import (
    FOOT,
    INK,
    LONGEST_HISTORY,
    MARGIN,
    MOST_LANES,
    PAPER,
    VACANT,
    WIDTH,
    colours_of,
    lanes_of,
)
from sos_gym.resource import Op

MS = 1_000_000
CORE = {"cores": 1, "nodes": 1, "switch_ns": 0}


def made(env_id, tape, policy, mode="rgb_array", **settings):
    """An environment that has played `policy` to the end."""
    env = gym.make(env_id, workload=tape, advisors=(policy,), render_mode=mode, **settings).unwrapped
    _, info = env.reset(seed=0)
    over = False
    while not over:
        *_, terminated, truncated, info = env.step(info["advice"].get(policy, 0))
        over = terminated or truncated
    return env


def colour_at(env, picture, time_ns, y=MARGIN):
    """The colour of the pixel of an instant in the lane at height y."""
    start, end = env.history.samples[0].now, env.history.samples[-1].now
    return tuple(picture[y, MARGIN + round((time_ns - start) / (end - start) * (WIDTH - 2 * MARGIN - 1))])


# -- the timeline


@pytest.fixture(scope="module")
def shared_core():
    """Two jobs of 2 and 1 ms on one core, first come, first served: the switch is at 2 ms, the end at 3 ms."""
    return made("sos/CPU-v0", sos_gym.Tape.from_jobs([0, 0], [2 * MS, MS]), "fcfs", **CORE)


def test_the_lane_changes_colour_where_the_core_changes_hands(shared_core):
    picture = shared_core.render()
    first, second = (tuple(colour) for colour in colours_of(shared_core.simulation)[:2])
    assert first != second
    assert colour_at(shared_core, picture, 0.5 * MS) == colour_at(shared_core, picture, 1.95 * MS) == first
    assert colour_at(shared_core, picture, 2.05 * MS) == colour_at(shared_core, picture, 2.95 * MS) == second


def test_round_robin_alternates_every_tick():
    env = made("sos/CPU-v0", sos_gym.Tape.from_jobs([0, 0], [3 * MS, 3 * MS]), "round_robin", **CORE)
    picture = env.render()
    first, second = (tuple(colour) for colour in colours_of(env.simulation)[:2])
    seen = [colour_at(env, picture, (k + 0.5) * MS) for k in range(6)]
    assert seen == [first, second, first, second, first, second]


def test_an_idle_core_is_grey_from_when_it_fell_idle_not_from_the_next_decision():
    env = made("sos/CPU-v0", sos_gym.Tape.from_jobs([0, 0, 9 * MS, 9 * MS], [MS] * 4), "fcfs", **CORE)
    picture = env.render()
    assert [colour_at(env, picture, t * MS) == tuple(VACANT) for t in (1.9, 2.1, 8.9, 9.1)] == [
        False,
        True,
        True,
        False,
    ]


def test_frames_show_who_was_evicted():
    tape = sos_gym.Tape.from_references([0, 1, 2, 0, 1, 2])
    settings = {"frames": 2, "nodes": 1, "scan_ns": None}
    env = made("sos/Memory-v0", tape, "lru", **settings)
    picture = env.render()
    at = [sample.now for sample in env.history.samples]
    held = [sample.holder.tolist() for sample in env.history.samples]
    assert held[0] == [1, 2] and held[1][0] == 3  # entities after the thread: page 0 goes, page 2 comes
    page_0, page_2 = (tuple(colours_of(env.simulation)[e]) for e in (1, 3))
    just_before, just_after = at[0] + 0.4 * (at[1] - at[0]), at[1] + 0.1 * (at[2] - at[1])
    assert colour_at(env, picture, just_after) == page_2 != page_0
    assert colour_at(env, picture, just_before) in (page_0, page_2)


def test_nodes_are_apart_and_margins_are_paper(shared_core):
    env = made("sos/CPU-v0", sos_gym.Tape.from_jobs([0, 0, 0], [MS] * 3), "fcfs", cores=2, nodes=2)
    picture = env.render()
    column = (picture[:-FOOT, WIDTH // 4] == PAPER).all(axis=1)
    lanes = np.flatnonzero(np.diff(np.concatenate(([1], column, [1])).astype(int)) == -1)
    assert len(lanes) == 2  # two stretches of colour in a column: one per node
    assert (picture[:, :MARGIN] == PAPER).all() or (picture[:-FOOT, :MARGIN] == PAPER).all()


def test_the_time_axis_has_marks(shared_core):
    foot = shared_core.render()[-FOOT:]
    marks = np.flatnonzero((foot[4] == INK).all(axis=1))
    assert len(marks) == 16  # 3 ms in steps of 0.2 ms, both ends
    assert np.ptp(np.diff(marks)) <= 1


def test_many_frames_are_sampled_and_the_fast_tier_keeps_its_lanes():
    tape = sos_gym.Tape.from_references(list(range(40)) * 3)
    env = made("sos/Tier-v0", tape, "lru", frames=(8, 100_000))
    nodes = env.simulation.arrays["slots"]["node"][lanes_of(env.simulation)]
    assert (nodes == 0).sum() == 8 and (nodes == 1).sum() == MOST_LANES // 2
    assert env.render().shape[0] < 500


def test_history_is_bounded_and_follows_restore():
    env = gym.make("sos/Memory-v0", render_mode="rgb_array", advisors=("lru",)).unwrapped
    _, info = env.reset(seed=0)
    kept = env.state()
    for _ in range(LONGEST_HISTORY + 50):
        *_, info = env.step(info["advice"]["lru"])
    assert len(env.history.samples) == LONGEST_HISTORY
    env.restore(kept)
    env.step(int(np.argmax(env.action_masks())))
    times = [sample.now for sample in env.history.samples]
    assert times == sorted(times) and times[-1] == env.simulation.record["now"][0]


def test_no_render_mode_keeps_no_history():
    env = gym.make("sos/CPU-v0").unwrapped
    env.reset(seed=0)
    assert env.history is None and env.render() is None


def test_a_new_episode_forgets_the_last(shared_core):
    env = gym.make("sos/CPU-v0", render_mode="rgb_array").unwrapped
    env.reset(seed=0)
    env.step(int(np.argmax(env.action_masks())))
    env.reset(seed=1)
    assert len(env.history.samples) == 1 and env.history.decided == "nothing yet"


# -- text


def test_ansi_names_who_runs_who_waits_and_the_candidates():
    tape = sos_gym.Tape.from_jobs([0, 0, MS], [4 * MS, MS, MS])
    env = gym.make("sos/CPU-v0", workload=tape, advisors=("fcfs",), render_mode="ansi", **CORE).unwrapped
    env.reset(seed=0)
    lines = env.render().splitlines()
    assert lines[0] == "sos/CPU-v0  0.000 ms  decision 0"
    assert "running   thread 0" in lines and "waiting   thread 1 (0.000 ms)" in lines
    assert "open      thread 1 wants a core, new: who goes without?" in lines
    rows = [
        line.split() for line in lines[lines.index("open      thread 1 wants a core, new: who goes without?") + 2 :]
    ]
    assert rows[0][:4] == ["0", "thread", "1", "nothing"] and rows[0][-2:] == ["←", "fcfs"]
    assert rows[1][:8] == ["1", "thread", "0", "core", "0", "(node", "0)", "0.000"]


def test_ansi_says_how_long_a_thread_waits_and_what_was_decided_last():
    tape = sos_gym.Tape.from_jobs([0, 0, MS], [4 * MS, MS, MS])
    env = gym.make("sos/CPU-v0", workload=tape, advisors=("fcfs",), render_mode="ansi", **CORE).unwrapped
    _, info = env.reset(seed=0)
    *_, info = env.step(info["advice"]["fcfs"])
    text = env.render()
    assert "1.000 ms  decision 1" in text
    assert "waiting   thread 1 (1.000 ms)" in text
    assert "last      thread 1 wants a core, new: it waits" in text


def test_ansi_names_the_page_of_a_fault_and_the_one_that_went():
    tape = sos_gym.Tape.from_references([0, 1, 2, 0])
    env = gym.make("sos/Memory-v0", workload=tape, render_mode="ansi", frames=2, nodes=1, scan_ns=None).unwrapped
    env.reset(seed=0)
    text = env.render()
    assert "frames    node 0  aa  2 of 2 held" in text
    assert "running   thread 0 (faults on page 2)" in text  # for the first time, hence on its core
    assert "open      page 2 wants a frame, fault: who goes without?" in text
    row = next(row for row, e in enumerate(env.candidates) if e == 1)  # page 0
    env.step(row)
    text = env.render()
    assert "last      page 2 wants a frame, fault: page 0 goes without" in text
    assert "faulting  thread 0 on page 0" in text  # which must come from the device


def test_ansi_names_the_lock_that_a_thread_waits_for():
    """Thread 0 has the lock; thread 1 takes its core, and runs into the lock."""
    lock, unlock, work = ((op, arg) for op, arg in ((Op.LOCK, 0), (Op.UNLOCK, 0), (Op.COMPUTE, MS)))
    tape = sos_gym.Tape.build([[lock, work, unlock], [lock, work, unlock], [work]])
    env = gym.make("sos/CPU-v0", workload=tape, render_mode="ansi", **CORE).unwrapped
    env.reset(seed=0)
    env.step(env.candidates.index(0))
    assert "locked    thread 1 out of lock 0" in env.render()


def test_ansi_after_the_end_has_no_open_decision(shared_core):
    env = made("sos/CPU-v0", sos_gym.Tape.from_jobs([0, 0], [MS, MS]), "fcfs", mode="ansi", **CORE)
    text = env.render()
    assert "no decision open" in text and "[idle]" in text and "open      " not in text
