"""One tape through the compiled engine, by every path, and through the plain one; they must agree event by event."""

import dataclasses

import numpy as np
from hypothesis import assume
from invariants import invariants
from plain_engine import PlainEngine, Rules, Stuck
from scribe import chosen, digest, events_of, looked_at, questions_of, scribe

from sos_gym.engine.simulation import Simulation, StuckError
from sos_gym.resource import Resource
from sos_gym.settings.environment import build_settings
from sos_gym.settings.ranges import SettingError

SOME = 8  # decisions from one check of the invariants to the next: they take longer than the rest


def rules_of(made) -> Rules:
    names = {field.name for field in dataclasses.fields(Rules)}
    return Rules(**{name: getattr(made, name) for name in names})


def compiled(tape, made, seed):
    """Run the kernels step by step; returns (decisions, verbs per resource, simulation, stuck).

    The scribes advise: they look, and pay nothing for it.
    """
    simulation, decisions, stuck, choice = Simulation(tape, made, hosts(), listing=True), [], False, 0
    try:
        simulation.advance()
        while simulation.undecided:
            d = simulation.decision
            if d["number"] % SOME == seed % SOME:
                invariants(simulation)
            contenders = sorted(simulation.contenders.tolist())
            choice = chosen(int(d["number"]), seed, contenders)
            fields = [int(d[name]) for name in ("number", "now", "kind", "cause", "resource", "entity", "slot")]
            decisions.append((*fields, contenders, choice, int(simulation.kept("questions", 0)["seen"][d["number"]])))
            simulation.advance(choice)
        invariants(simulation)
    except StuckError:
        stuck = True
    return decisions, logs_of(simulation), simulation, stuck


def compiled_inside(tape, made, seed):
    """The same, the policy inside the engine deciding: lone faults are settled in place, without calendar or agenda."""
    simulation, stuck = Simulation(tape, made, hosts(seed), driver=0), False
    try:
        simulation.advance()
    except StuckError:
        stuck = True
    rows = questions_of(simulation)
    return [(*row[:7], None, *row[7:]) for row in rows], logs_of(simulation), simulation, stuck


def hosts(seed=0):
    """Two scribes: one that is told of everything, one of the fast tier alone."""
    return [scribe(seed, 2), scribe(seed, 2, True)]


def logs_of(simulation):
    """The verbs that the scribes were told, per resource."""
    return [events_of(simulation, resource, host) for host in range(len(hosts())) for resource in Resource]


def plain(tape, made, seed, pays):
    """Run the plain engine; the same four. `pays`: who decides pays for looks."""
    seen, stuck = [], False

    def pages(decision):
        return [decision.engine.entities[c] for c in decision.contenders if c >= len(tape.threads)]

    def choose(decision):
        seen.append(digest(pages(decision)))
        return chosen(decision.number, seed, decision.contenders)

    engine = PlainEngine(tape, rules_of(made), choose, lambda d: looked_at(d.number, pages(d)), pays)
    try:
        engine.run()
    except Stuck:
        stuck = True
    threads = len(tape.threads)
    logs = []
    for told in (engine.verbs, engine.fast_verbs):
        verbs = [tuple(map(lambda x: x if isinstance(x, str) else int(x), verb)) for verb in told]
        logs += [[v for v in verbs if v[1] >= threads], [v for v in verbs if v[1] < threads]]
    rows = zip(engine.decisions, seen, strict=True)
    decisions = [(*map(int, row[:7]), [int(c) for c in row[7]], int(row[8]), saw) for row, saw in rows]
    return decisions, logs, engine, stuck


def first_difference(ours, theirs):
    for i, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        if a != b:
            return i, a, b
    return (min(len(ours), len(theirs)), ours[len(theirs) :][:1], theirs[len(ours) :][:1]) if ours != theirs else None


TIMES = ("service", "sleep", "cpu_wait", "switch", "move", "minor", "fault_wait", "remote", "lock_wait")


def compare(tape, keywords, seed):
    made = build_settings({"nodes": 2, **keywords})
    theirs = plain(tape, made, seed, pays=False)
    try:
        assert_equal(compiled(tape, made, seed), theirs)
    except SettingError:
        assume(False)
    if made.sight == "scanned":
        theirs = plain(tape, made, seed, pays=True)
    bare = [(*row[:7], None, *row[8:]) for row in theirs[0]]  # a policy does not write down who else contends
    assert_equal(compiled_inside(tape, made, seed), (bare, *theirs[1:]))


def assert_equal(ours, theirs):
    assert first_difference(ours[0], theirs[0]) is None, "decisions"
    for i, names in enumerate(("all, frames", "all, cores", "fast tier, frames", "fast tier, cores")):
        assert first_difference(ours[1][i], theirs[1][i]) is None, f"verbs: {names}"
    assert ours[3] == theirs[3], "stuck"
    if ours[3]:
        return
    simulation, engine = ours[2], theirs[2]
    record, threads = simulation.record[0], simulation.arrays["threads"]
    for name in ("faults", "major_faults", "evictions", "switches", "moves", "write_backs", "deciding_ns", "looks"):
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
