"""The benchmarks: their C loop against plain lists, their turns, what is said of a peer that is missing, their page."""

import json
import shutil
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_lists import round_robin, srpt

from benchmarks import __main__, anatomy, jobs, peers, report, timing, training

DOCS = Path(__file__).parents[2] / "docs"
job_lists = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=12).map(sorted)


def in_c(monkeypatch, rule, given, **options):
    monkeypatch.setattr(jobs, "poisson", lambda count: np.array(given))
    return jobs._in_c(rule, len(given), **options)[1]


def responses(given, exits):
    return sum(exits) - sum(arrival for arrival, _ in given)


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
@settings(max_examples=200, deadline=None)
@given(job_lists, st.integers(1, 7))
def test_the_c_loop_equals_the_lists(jobs_, quantum):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "QUANTUM_NS", quantum)
        assert in_c(patch, "round robin", jobs_) == responses(jobs_, round_robin(jobs_, quantum))
        assert in_c(patch, "SRPT", jobs_) == responses(jobs_, srpt(jobs_))


@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")
def test_late_queues_the_preempted_before_those_that_came_meanwhile(monkeypatch):
    """Quantum 2: 0 runs to 2; it queues before 1, which came at 1, or behind."""
    monkeypatch.setattr(jobs, "QUANTUM_NS", 2)
    given = [(0, 3), (1, 1)]
    assert in_c(monkeypatch, "round robin", given) == (4 - 0) + (3 - 1)
    assert in_c(monkeypatch, "round robin", given, late=True) == (3 - 0) + (4 - 1)


def test_all_take_turns_and_must_not_change_their_answer():
    calls, answers = [], iter([1, 1, 2])
    ways = {"a": lambda: calls.append("a") or (2.0, 7), "b": lambda: calls.append("b") or (1.0, next(answers))}
    assert timing.alternate(2, ways) == {"a": ([2.0, 2.0], 7), "b": ([1.0, 1.0], 1)}
    assert calls == ["a", "b", "a", "b"]
    with pytest.raises(RuntimeError, match="b answered 2, then"):
        timing.alternate(2, {"b": lambda: (1.0, next(answers, 3))})


def test_parts_called_by_themselves_do_what_a_step_does():
    vector = gym.make_vec("sos/Memory-v0", num_envs=4, rows=anatomy.ROWS).unwrapped
    vector.reset(seed=0)
    for step in range(300):
        observation = vector.step(np.full(4, step % anatomy.ROWS))[0]
    shown, sims = np.zeros((4, anatomy.ROWS), np.int32), vector.batch.sims
    anatomy._select_all(sims, shown)
    assert np.array_equal(shown, vector.batch.shown)
    found = [np.ones_like(array) for array in observation.values()]
    anatomy._describe_all(sims, shown, *found)
    for ours, told in zip(found, observation.values(), strict=True):
        assert ours.tobytes() == told.tobytes()


def test_ratio_is_the_median_of_the_pairs():
    assert timing.ratio([10, 10, 90], [1, 5, 1]) == 10


def test_poisson_is_sorted_and_counts_in_its_unit():
    found = jobs.poisson(1000, 1000)
    assert (np.diff(found[:, 0]) >= 0).all() and (found % 1000 == 0).all() and (found[:, 1] >= 1000).all()
    load = found[:, 1].sum() / found[-1, 0]
    assert abs(load - jobs.LOAD) < 0.1


@pytest.fixture
def here(monkeypatch, tmp_path):
    """This interpreter in place of that of .peers, with a list of what could not be installed."""
    monkeypatch.setattr(peers, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(peers, "REFUSED", tmp_path / "refused.json")
    return tmp_path


def test_a_peer_says_why_it_does_not_answer(here):
    np.save(here / "jobs.npy", [[0, 1]])
    process, question = peers.Peers("jobs"), {"jobs": str(here / "jobs.npy"), "rule": "SRPT", "quantum": 1}
    with pytest.raises(peers.PeerError, match="KeyError: 'nobody'"):
        process.ask("nobody", **question)
    (here / "refused.json").write_text(json.dumps({"logorythem>=0.1": "no matching distribution"}))
    with pytest.raises(peers.PeerError, match=r"not installable: logorythem>=0\.1: no matching distribution"):
        process.ask("logorythem", **question)


def test_without_their_environment_there_are_no_peers(monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "PYTHON", tmp_path / "python")
    with pytest.raises(peers.PeerError, match="make"):
        peers.Peers("jobs")


def test_a_table_has_every_column_that_says_something():
    rows = [{"a": 1234567, "b": 0.12345, "c": ""}, {"a": 1, "d": 1234.5}]
    assert report.markdown(rows).splitlines()[0] == "| a | b | d |"
    assert report.markdown(rows).splitlines()[2:] == ["| 1 234 567 | 0.123 |  |", "| 1 |  | 1 234 |"]


def test_the_page_is_made_of_the_results(tmp_path):
    shutil.copytree(DOCS / "benchmarks", tmp_path / "benchmarks")
    made = report.write_page(tmp_path, __main__.BENCHMARKS).read_text(encoding="utf-8")
    assert made == (DOCS / "benchmarks.md").read_text(encoding="utf-8"), "run python -m benchmarks --out docs"
    for module in __main__.BENCHMARKS:
        assert f"benchmarks/{report.name_of(module)}.png" in made


def test_a_stopwatch_counts_the_time_inside_and_passes_on_the_rest(monkeypatch):
    instants = iter([0.0, 2.0, 10.0, 13.0])
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(instants))
    worker = type("Worker", (), {"work": lambda self, n: n + 1, "rest": lambda self: "rested"})()
    watch = timing.Stopwatch(worker, "work")
    assert (worker.work(1), worker.rest(), worker.work(n=5)) == (2, "rested", 6)
    assert watch.seconds == 5.0
