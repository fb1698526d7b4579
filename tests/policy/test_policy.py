"""What every policy stands on: parameters, queues, the scratch that both resources share."""

import dataclasses
from collections import deque

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import run

from sos_gym import SettingError, Tape, policies
from sos_gym.engine import bitmap
from sos_gym.engine.simulation import Host, Simulation
from sos_gym.policy import policy_named
from sos_gym.policy.books import queue
from sos_gym.policy.contract import Sides
from sos_gym.policy.lists.turns import TURNS
from sos_gym.policy.shares.lottery import LOTTERY
from sos_gym.resource import NONE, Op, Resource
from sos_gym.settings.environment import build_settings
from sos_gym.settings.ranges import Parameter

# -- parameters

TUNED = dataclasses.replace(
    TURNS, parameters={"small": Parameter(0.1, "", 0.0, 1.0, "more"), "peer": Parameter(0, "", 0, 1, "as the peer")}
)


def given_to(policy) -> dict[str, float]:
    """What its kernels read as `my.parameters`."""
    (start,) = (room.start for room in policy.host().rooms if room.name == "parameters")
    return dict(zip(start.dtype.names, start[0].tolist(), strict=True))


def test_values_reach_the_engine_by_the_names_of_the_card():
    changed = TUNED.with_values({"peer": 1})
    assert given_to(changed) == {"small": 0.1, "peer": 1.0}
    assert given_to(changed.with_values({"small": 0.25})) == {"small": 0.25, "peer": 1.0}
    assert given_to(TUNED) == {"small": 0.1, "peer": 0.0}


def test_a_spec_shows_what_is_not_the_default():
    assert TUNED.with_values({"small": 0.1}).spec == "turns"
    assert TUNED.with_values({"small": 0.5, "peer": 1}).spec == "turns(small=0.5, peer=1)"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"smal": 1}, "smal of policy 'turns'=1 .*small, peer.*did you mean 'small'"),
        ({"small": 1.5}, r"small of policy 'turns'=1\.5 .* a number from 0\.0 to 1\.0; the default is 0\.1"),
        ({"peer": 0.5}, r"peer of policy 'turns'=0\.5 .* a whole number from 0 to 1"),
        ({"small": float("nan")}, "small of policy 'turns'=nan"),
    ],
)
def test_wrong_values_say_what_would_do(given, words):
    with pytest.raises(SettingError, match=words):
        TUNED.with_values(given)


@pytest.mark.parametrize("spec", ["turns()", " FIFO ", "round_robin( )"])
def test_a_spec_without_parameters_is_the_policy(spec):
    assert policy_named(spec) is not None and policy_named(spec).spec == "turns"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("turns(peer=1)", "peer of policy 'turns'=1 .*none.*leave it out"),
        ("turns(1)", "name, or name\\(parameter=number"),
        ("turns(peer=x)", "name, or name\\(parameter=number"),
        ("turns(peer=1", "name, or name\\(parameter=number"),
        ("turn", "did you mean 'turns'"),
    ],
)
def test_a_spec_that_makes_no_sense(spec, words):
    with pytest.raises(SettingError, match=words):
        policy_named(spec)


def test_a_card_has_all_that_it_should():
    seen: set[str] = set()
    for name, policy in policies().items():
        said = (policy.summary, policy.on_cores, policy.on_frames, policy.reads, policy.source, policy.ties)
        assert all(said), name
        names = {name, *policy.aliases}
        assert not names & seen and all(word == word.lower() for word in names), name
        seen |= names
        for parameter in policy.parameters.values():
            assert parameter.low <= parameter.default <= parameter.high and parameter.effect, name


# -- queues

ENTITIES, QUEUES = 6, 3


@numba.njit
def _operate(policies, operations, log):
    my = policies[0]
    for i in range(len(operations)):
        what, q, e = operations[i]
        if what == 0:
            queue.remove(my, e)
            queue.push_back(my, q, e)
        elif what == 1:
            queue.remove(my, e)
            queue.push_front(my, q, e)
        elif what == 2:
            queue.remove(my, e)
        else:
            queue.to_back(my, q, e)
        at = 0
        for number in range(1, QUEUES + 1):
            log[i, at] = queue.length(my, number)
            log[i, at + 1] = queue.back(my, number)
            at += 2
            member = queue.front(my, number)
            while member != NONE:
                log[i, at] = member
                at += 1
                member = queue.behind(my, member)


operations = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, QUEUES), st.integers(0, ENTITIES - 1)), min_size=1, max_size=30
)


@settings(max_examples=200, deadline=None)
@given(operations)
def test_queues_are_deques(given_operations):
    tape = Tape.build([[(Op.READ, p) for p in range(ENTITIES - 1)]])  # with its thread: as many entities
    host = Host("queues", policy_named("recency").host().parts, queues=QUEUES)
    simulation = Simulation(tape, build_settings({"nodes": 1, "frames": 2}), [host])
    log = np.full((len(given_operations), 2 * QUEUES + ENTITIES), NONE)
    _operate(simulation.arrays["policies"], np.array(given_operations), log)
    model: list[deque] = [deque() for _ in range(QUEUES)]
    for (what, q, e), row in zip(given_operations, log, strict=True):
        for members in model:
            if e in members:
                members.remove(e)
        if what == 1:
            model[q - 1].appendleft(e)
        elif what != 2:
            model[q - 1].append(e)
        expected = [number for m in model for number in (len(m), m[-1] if m else NONE, *m)]
        assert row[: len(expected)].tolist() == expected


@numba.njit
def _visit(words, n, operations, log):
    for i in range(len(operations)):
        what, number = operations[i]
        if what == 0:
            bitmap.enter(words, n, number)
        elif what == 1:
            bitmap.leave(words, n, number)
        log[i] = bitmap.greatest_below(words, n, number)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([1, 2, 63, 64, 65, 4096, 4097, 300_000]))
def test_a_bitmap_is_a_set(data, n):
    numbers = st.integers(0, n - 1) | st.integers(max(0, n - 3), n - 1) | st.integers(0, min(n - 1, 130))
    operations = data.draw(st.lists(st.tuples(st.integers(0, 2), numbers), min_size=1, max_size=40))
    log = np.zeros(len(operations), np.int64)
    _visit(bitmap.empty(n), n, np.array(operations), log)
    members: set[int] = set()
    for (what, number), found in zip(operations, log.tolist(), strict=True):
        members = members | {number} if what == 0 else members - {number} if what == 1 else members
        assert found == max((member for member in members if member < number), default=NONE)


# -- what both resources see


def test_the_two_instances_of_a_policy_share_their_scratch():
    """The memory side counts its holds; the core side finds the count, and keeps the most that it saw to itself."""

    @numba.njit
    def page_held(my, e):
        my.shared.pages += 1
        my.shared_each[e].held += 1

    @numba.njit
    def thread_held(my, e):
        my.shared.threads += 1
        my.own.most = max(my.own.most, my.shared.pages)

    sharer = dataclasses.replace(
        LOTTERY,
        hold=Sides(cores=thread_held, frames=page_held),
        own={"most": 0},
        shared={"pages": 0, "threads": 0},
        shared_each={"held": 0},
    )
    tape = Tape.build([[(Op.READ, 3 * t + i) for i in range(3)] for t in range(2)])
    simulation = Simulation(tape, build_settings({"nodes": 1, "frames": 6, "cores": 1}), [sharer.host()], driver=0)
    simulation.advance()
    shared = simulation.kept("shared")[0]
    assert shared["pages"] == simulation.record["faults"][0] == 6
    assert shared["threads"] == simulation.arrays["instances"]["holds"][1] > 2
    assert simulation.kept("shared_each")["held"].tolist() == [0, 0, *[1] * 6]
    assert simulation.kept("own", 0, Resource.CPU)["most"][0] == 6
    assert simulation.kept("own", 0, Resource.MEMORY)["most"][0] == 0


# -- deadlines


def test_a_deadline_is_counted_from_the_start_of_each_burst():
    tape = Tape.build([[(Op.COMPUTE, 5), (Op.SLEEP_UNTIL, 100), (Op.COMPUTE, 5)]] * 2, deadline_ns=[40, NONE])
    simulation = run(tape, "turns", cores=2, switch_ns=0)
    assert simulation.arrays["entities"]["deadline"][:2].tolist() == [140, 1 << 60]


def test_a_deadline_is_positive():
    with pytest.raises(ValueError, match="deadline_ns"):
        Tape.build([[(Op.COMPUTE, 5)]], deadline_ns=-2)
