"""The compiled engine against the plain reference, event by event."""

import dataclasses

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import ReferenceEngine, Rules, Stuck
from strategies import settings_of, tapes

from sos_gym.engine.layout import PICK_SIGNATURE, VERB_SIGNATURE
from sos_gym.engine.simulation import Host, Simulation, StuckError
from sos_gym.kernel import address_of
from sos_gym.ranges import SettingError
from sos_gym.settings import build_settings

NAMES = ("want", "hold", "use", "release")
LOG = 1 << 16  # ints of the scribe: how many, then (verb, entity, argument, why, now) each
PER_NODE = st.tuples(st.integers(1, 2), st.integers(1, 3))
SIDES = {
    "memory": (st.none(), PER_NODE),
    "cpu": (PER_NODE, st.none()),
    "system": (PER_NODE, PER_NODE),
    "any": (None, None),
}


def scribe() -> Host:
    """A policy that writes down what it is told."""

    def verb(number):
        def write(my, entity, argument, why, now):
            at = my.ints[0]
            my.ints[0] += 1
            for i, value in enumerate((number, entity, argument, why, now)):
                my.ints[1 + 5 * at + i] = value

        return numba.njit(write)

    def pick(my, decision):
        return my.contenders[0]

    verbs = [address_of(verb(number), VERB_SIGNATURE) for number in range(4)]
    return Host("scribe", (*verbs, address_of(numba.njit(pick), PICK_SIGNATURE)), ints=(LOG, 0, 0), needs_list=True)


@pytest.fixture(scope="module")
def host():
    return scribe()


def chosen(number: int, seed: int, contenders: list[int]) -> int:
    """A choice that scatters and depends on nothing else."""
    return contenders[(number * 2654435761 + seed * 40503) % 65521 % len(contenders)]


def rules_of(made) -> Rules:
    names = {field.name for field in dataclasses.fields(Rules)}
    return Rules(**{name: getattr(made, name) for name in names})


def compiled(tape, made, seed, host):
    """Run the kernels; returns (decisions, verbs per resource, simulation, stuck)."""
    simulation, decisions, stuck, choice = Simulation(tape, made, [host], listing=True), [], False, 0
    try:
        simulation.advance()
        while simulation.undecided:
            d = simulation.decision
            contenders = sorted(simulation.contenders.tolist())
            choice = chosen(int(d["number"]), seed, contenders)
            fields = [int(d[name]) for name in ("number", "now", "kind", "cause", "resource", "entity", "slot")]
            decisions.append((*fields, contenders, choice))
            simulation.advance(choice)
    except StuckError:
        stuck = True
    logs = []
    for resource in range(2):
        ints = simulation.arrays[f"ints {resource}"]
        assert 5 * ints[0] < LOG
        rows = ints[1 : 1 + 5 * ints[0]].reshape(-1, 5).tolist()
        logs.append([(NAMES[verb], *rest) for verb, *rest in rows])
    return decisions, logs, simulation, stuck


def plain(tape, made, seed):
    """Run the reference; the same four."""
    engine = ReferenceEngine(tape, rules_of(made), lambda d: chosen(d.number, seed, d.contenders))
    stuck = False
    try:
        engine.run()
    except Stuck:
        stuck = True
    threads = len(tape.threads)
    verbs = [tuple(map(lambda x: x if isinstance(x, str) else int(x), verb)) for verb in engine.verbs]
    logs = [[v for v in verbs if v[1] >= threads], [v for v in verbs if v[1] < threads]]
    decisions = [(*map(int, row[:7]), [int(c) for c in row[7]], int(row[8])) for row in engine.decisions]
    return decisions, logs, engine, stuck


def first_difference(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        if a != b:
            return i, a, b
    return (min(len(ours), len(theirs)), ours[len(theirs) :][:1], theirs[len(ours) :][:1]) if ours != theirs else None


TIMES = ("service", "sleep", "cpu_wait", "switch", "move", "fault_wait", "remote")


def compare(tape, keywords, seed, host):
    made = build_settings({"nodes": 2, **keywords})
    try:
        ours = compiled(tape, made, seed, host)
    except SettingError:
        assume(False)
    theirs = plain(tape, made, seed)
    assert first_difference(ours[0], theirs[0]) is None, "decisions"
    for resource in range(2):
        assert first_difference(ours[1][resource], theirs[1][resource]) is None, f"verbs of resource {resource}"
    assert ours[3] == theirs[3], "stuck"
    if ours[3]:
        return
    simulation, engine = ours[2], theirs[2]
    record, threads = simulation.record[0], simulation.arrays["threads"]
    for name in ("faults", "major_faults", "evictions", "switches", "moves", "write_backs"):
        assert int(record[name]) == getattr(engine, name), name
    for t in range(len(threads)):
        expected = engine.times[t]
        found = {name: int(threads[name][t]) for name in TIMES}
        assert found == {name: expected[name] for name in TIMES}, f"times of thread {t}"
        assert int(threads["exit_ns"][t]) == expected["exit"]
        elapsed = int(threads["exit_ns"][t] - threads["arrival_ns"][t])
        assert sum(found.values()) == elapsed
    bursts = simulation.arrays["bursts"][: record["bursts_used"]]
    assert [tuple(map(int, burst)) for burst in bursts] == [tuple(map(int, burst)) for burst in engine.bursts]
    slots = simulation.arrays["slots"]
    held = np.where(slots["holder"] >= 0, record["now"] - slots["since"], 0)
    busy = [slot.busy for slot in engine.slots]
    assert (slots["busy"] + held).tolist() == busy


@pytest.mark.parametrize("side", SIDES)
def test_event_by_event(side, host):
    cores, frames = SIDES[side]

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(tapes(), settings_of(cores, frames), st.integers(0, 99))
    def check(tape, keywords, seed):
        assume(tape is not None)
        compare(tape, keywords, seed, host)

    check()
