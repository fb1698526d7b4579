"""Policies that see across: working sets, placement, load control, and that looking across pays."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from invariants import invariants
from runs import misses, run
from strategies import settings_of, tapes

from sos_gym import SettingError, Tape, evaluate, workload
from sos_gym.engine.simulation import Simulation, StuckError
from sos_gym.policy import policy_named
from sos_gym.resource import NONE, Kind, Op, Resource, State, Status, Why
from sos_gym.settings.environment import build_settings

MS = 1_000_000
FOREVER = 1 << 45  # ns
JOINT = ("overcommitted", "working_sets")
# a move costs all at once here: what depends on that is in docs/warmth.md
SYSTEM = {"nodes": 2, "cores": 2, "frames": 24, "scan_ns": 250_000, "move_ns": (5_000, 50_000), "warm_ns": 0}


def joint(threads: int, seed: int, **changed) -> Tape:
    small = {"bursts": 3, "burst_references": 20, "working_set": 20, "pages": 30}
    return workload("overcommitted", seed=seed, threads=threads, **(small | changed))


def history(tape: Tape, policy: str, **keywords):
    """Yields the simulation at each decision; the policy is followed."""
    card = policy_named(policy)
    made = build_settings({**SYSTEM, "may_idle": card.idles, **keywords})
    simulation = Simulation(tape, made, [card.host()], seed=1)
    simulation.advance()
    while simulation.undecided:
        yield simulation
        simulation.advance(int(simulation.arrays["advice"][0]))


# -- working sets


def sets_of(simulation: Simulation) -> tuple[list[int], list[int]]:
    """Size and resident pages of each thread's working set."""
    of_threads = simulation.kept("shared_each")["working"][: len(simulation.tape.threads)]
    return of_threads["size"].tolist(), of_threads["resident"].tolist()


def own_set(ops, window: int) -> set[int]:
    """Denning's definition. A page that is dropped while it is in leaves the set; paged out or evicted it stays."""
    last, clock, out = {}, 0, set()
    for op, page in ops:
        if op in (Op.READ, Op.WRITE):
            clock += 1
            last[page] = clock
            out.discard(page)
        elif op == Op.PAGEOUT:
            out.add(page)
        elif op in (Op.DONTNEED, Op.COLD) and page not in out:
            last.pop(page, None)
    return {page for page, at in last.items() if at > clock - window}


def check_sets(programs, window: int, frames: int) -> None:
    apart = [[(op, 10 * t + page) for op, page in ops] + [(Op.SLEEP, FOREVER)] for t, ops in enumerate(programs)]
    limits = {"nodes": 1, "cores": 2, "horizon_ns": FOREVER // 2, "tick_ns": 1000 * MS}
    simulation = run(Tape.build(apart), f"resident_first(window={window})", frames=frames, **limits)
    sizes, resident = sets_of(simulation)
    slots, tape = simulation.arrays["entities"]["slot"], simulation.tape
    for t, thread in enumerate(tape.threads):
        pages = own_set(tape.ops[["op", "arg"]][thread["first"] : thread["last"] - 1].tolist(), window)
        assert sizes[t] == len(pages)
        assert resident[t] == sum(slots[len(sizes) + page] != NONE for page in pages)


def programs_of(*kinds: Op):
    op = st.tuples(st.sampled_from([Op.READ] * 4 + [Op.WRITE, *kinds]), st.integers(0, 5))
    return st.lists(st.lists(op, min_size=1, max_size=40), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(programs_of(Op.PAGEOUT), st.integers(1, 12), st.integers(3, 12))
def test_a_working_set_is_the_pages_of_the_last_references(programs, window, frames):
    check_sets(programs, window, frames)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(programs_of(Op.PAGEOUT, Op.DONTNEED, Op.COLD), st.integers(1, 12))
def test_what_is_dropped_or_cooled_leaves_its_working_set(programs, window):
    """All pages fit: only the tape says which are in."""
    check_sets(programs, window, 6 * len(programs))


def test_a_page_stands_in_the_set_of_its_last_user():
    shared = [(Op.READ, 0), (Op.READ, 1)]
    first = [*shared, (Op.READ, 2), (Op.SLEEP, FOREVER)]
    second = [(Op.SLEEP, MS), *shared, (Op.SLEEP, FOREVER)]
    limits = {"frames": 8, "cores": 2, "horizon_ns": FOREVER // 2, "tick_ns": 1000 * MS}
    assert sets_of(run(Tape.build([first, second]), "resident_first", **limits))[0] == [1, 2]


# -- their blind kin


@pytest.mark.parametrize("family", JOINT)
def test_without_coupling_they_are_turns_and_lru(family):
    """Three texts, one rule; the lone resources name it."""
    blind = ("resident_first(coupling=0)", "spare_next(coupling=0)", "nearest(worth=0)")
    ways = [evaluate("sos/System-v0", name, workload=family, seed=3, episodes=2) for name in blind]
    assert all(
        run | {"policy": ""} == first | {"policy": ""} for way in ways for run, first in zip(way, ways[0], strict=True)
    )
    for env_id, kin in (("sos/CPU-v0", "turns"), ("sos/Memory-v0", "recency")):
        expected = evaluate(env_id, kin, seed=3)[0]
        for name in blind:
            assert evaluate(env_id, name, seed=3)[0] | {"policy": kin} == expected


def paired_gain(name: str, kin: str, family: str, seeds: int = 20, **keywords) -> np.ndarray:
    """Stall saved, as a share of the kin's, tape by tape: mean and the half width of its 95 % interval.

    Moves cost all at once here, unless told otherwise: what hangs on that is in docs/warmth.md.
    """
    keywords = {"warm_ns": 0} | keywords
    both = [
        [run["stall_ns"] for run in evaluate("sos/System-v0", each, family, episodes=seeds, split="train", **keywords)]
        for each in (name, kin)
    ]
    saved = 1 - np.array(both[0]) / np.array(both[1])
    return np.array([saved.mean(), 2.1 * saved.std(ddof=1) / np.sqrt(seeds)])  # Student's t, 19 degrees of freedom


@pytest.mark.parametrize(
    ("name", "family", "least"),
    [
        ("resident_first", "overcommitted", 0.20),
        ("resident_first", "working_sets", 0.0),
        ("whole_sets", "overcommitted", 0.01),
        ("whole_sets", "working_sets", 0.07),
        ("spare_next", "overcommitted", 0.06),
        ("spare_next", "working_sets", 0.15),
        ("together", "overcommitted", 0.0),
        ("together", "working_sets", 0.01),
        ("guard", "overcommitted", 0.04),
    ],
)
def test_looking_across_pays(name, family, least):
    """Paired tapes: the whole 95 % interval lies above `least`."""
    kin = {"guard": "spare_next(coupling=0)", "whole_sets": "resident_first"}.get(name, f"{name}(coupling=0)")
    mean, half = paired_gain(name, kin, family)
    assert mean - half > least, f"{mean:.3f} +- {half:.3f}"


def test_whole_working_sets_save_faults_where_everybody_runs():
    """Four threads in phases on frames for two: LRU gives each a part of what it needs."""
    faults = [
        sum(run["faults"] for run in evaluate("sos/Memory-v0", name, episodes=8)) for name in ("lru", "whole_sets")
    ]
    assert faults[1] < 0.7 * faults[0]


@pytest.mark.parametrize("frames", [10, 40])
def test_of_a_single_thread_whole_sets_are_lru(frames):
    pages = np.random.default_rng(0).zipf(1.2, 3000) % 100
    assert misses(pages, "whole_sets", frames) == misses(pages, "lru", frames)


# -- who goes first: the cards as slow plain Python


def spare_next_order(simulation: Simulation, page) -> tuple:
    thread = simulation.arrays["entities"][page["last_user"]]
    running, waiting = thread["state"] == State.HOLDING, thread["state"] == State.WAITING
    away = not running and not waiting
    return running, waiting, -thread["want_seq"] if waiting else 0, -thread["last_gap"] if away else 0, page["use_seq"]


def together_order(simulation: Simulation, page) -> tuple:
    threads, t = simulation.arrays["threads"], page["last_user"]
    asleep = threads["status"][t] in (Status.SLEEPING, Status.BLOCKED)
    burst = simulation.arrays["entities"][t]
    return not asleep, -max(burst["last_gap"], burst["attained"]), page["use_seq"]


def whole_sets_order(simulation: Simulation, page) -> tuple:
    sizes, resident = (counts[page["last_user"]] for counts in sets_of(simulation))
    return resident / max(1, sizes), page["use_seq"]


@pytest.mark.parametrize(
    ("name", "order"),
    [("spare_next", spare_next_order), ("together", together_order), ("whole_sets", whole_sets_order)],
)
def test_the_page_that_goes(name, order):
    classes, asked = set(), 0  # who lost a page: classes, or classes and bursts
    for simulation in history(joint(6, seed=2), name, frames=8, cores=1, nodes=1):
        if simulation.decision["resource"] != Resource.MEMORY or simulation.decision["kind"] != Kind.EVICT:
            continue
        entities, contenders = simulation.arrays["entities"], simulation.contenders.tolist()
        if min(contenders) >= 0:
            victim = min(contenders, key=lambda e: order(simulation, entities[e]))
            assert simulation.arrays["advice"][0] == victim
            classes.add(order(simulation, entities[victim])[:2])
            asked += 1
    assert asked > 50 and len(classes) > 1


def test_the_thread_whose_page_is_in_goes_first():
    """The first to wake has lost its only page to a third thread, the second has kept its own."""
    first, second = ([(Op.READ, page), (Op.SLEEP, ms * MS), (Op.COMPUTE, MS)] for page, ms in ((0, 5), (1, 6)))
    third = [(Op.SLEEP, MS), (Op.READ, 2), (Op.COMPUTE, 10 * MS)]
    tape, limits = Tape.build([first, second, third]), {"cores": 1, "frames": 2, "tick_ns": 50 * MS}
    for coupling, order in ((0, [2, 0, 1]), (20 * MS, [2, 1, 0]), (MS // 2, [2, 0, 1])):  # half a ms is outwaited
        exits = run(tape, f"resident_first(coupling={coupling})", **limits).arrays["threads"]["exit_ns"]
        assert np.argsort(exits).tolist() == order


def test_a_burst_begins_before_its_first_fault():
    """The page that a newcomer works on was in already; it stays, and the page of a sleeper goes."""
    loader, sleeper = ([(Op.READ, page), (Op.SLEEP, FOREVER)] for page in (0, 1))
    newcomer, last = ([(Op.READ, page), (Op.COMPUTE, 10 * MS)] for page in (0, 2))
    tape = Tape.build([loader, sleeper, newcomer, last], arrival_ns=[0, 0, MS, 5 * MS])
    pages = run(tape, "together", cores=2, frames=2, horizon_ns=6 * MS).arrays["entities"][4:]
    assert (pages["slot"] != NONE).tolist() == [True, False, True]


# -- nearest


def test_nearness_saves_moves():
    for env_id, kin in (("sos/CPU-v0", "turns"), ("sos/Memory-v0", "recency"), ("sos/System-v0", "nearest(worth=0)")):
        moves = [
            sum(run["moves"] for run in evaluate(env_id, name, episodes=4))
            for name in (kin, "nearest(worth=100000)", "nearest(worth=2000000)")
        ]
        assert moves[0] > 1.2 * moves[1] > 1.2 * 1.2 * moves[2], env_id


def test_nearness_is_outwaited():
    """Three jobs on two cores have to move; a tick of 1 ms outweighs two steps of half a ms, not two of 2 ms."""
    tape = Tape.from_jobs([0] * 3, [40 * MS] * 3)
    limits = {"nodes": 2, "cores": 2, "frames": None, "tick_ns": MS, "move_ns": (5_000, 150_000)}
    runs = [run(tape, name, **limits) for name in ("turns", "nearest", "nearest(worth=2000000)")]
    moves = [int(each.record["moves"][0]) for each in runs]
    assert moves[0] > moves[1] > moves[2] > 0
    exits = [each.arrays["threads"]["exit_ns"] for each in runs]
    assert all(ends.max() - ends.min() <= 12 * MS for ends in exits)  # fair enough: one after the other it is 40


# -- guard


def test_the_working_sets_inside_fit():
    frames, crowds, refused = SYSTEM["frames"], [], 0
    for simulation in history(joint(8, seed=1), "guard(room=1)"):
        of_threads = simulation.kept("shared_each")[: len(simulation.tape.threads)]
        sizes, inside = of_threads["working"]["size"], of_threads["is_in"] == 1
        awake = ~np.isin(simulation.arrays["threads"]["status"], (Status.NEW, Status.SLEEPING, Status.EXITED))
        assert not (inside & ~awake).any()
        assert inside.any() or not awake.any()
        crowds.append(int(inside.sum()))
        decision, chosen = simulation.decision, int(simulation.arrays["advice"][0])
        if decision["resource"] != Resource.CPU:
            continue
        if decision["cause"] == Why.TICK:
            assert crowds[-1] == 1 or sizes[inside].sum() <= frames + 1
        if decision["kind"] == Kind.EVICT and not inside[decision["entity"]]:
            assert chosen == decision["entity"]
            refused += 1
        if decision["kind"] == Kind.ADMIT and chosen >= 0 and not inside[chosen]:
            assert all(e >= 0 and not inside[e] for e in simulation.contenders)
    assert refused > 10
    assert 1 < np.median(crowds) < 8  # at first nobody has a set, so all are inside


def test_outsiders_take_turns_on_a_core_that_no_insider_may_use():
    """At a tick the core is not vacant, so somebody runs on: who waits longest."""
    tape, asked = Tape.build([[(Op.READ, t), (Op.COMPUTE, 40 * MS)] for t in range(4)], affinity=[2, 1, 1, 1]), 0
    for simulation in history(tape, "guard(room=0.01)", cores=(1, 1), tick_ns=MS):
        entities, decision, contenders = simulation.arrays["entities"], simulation.decision, simulation.contenders
        waiting = [e for e in contenders if e >= 0 and entities[e]["state"] == State.WAITING]
        inside = simulation.kept("shared_each")["is_in"]
        if decision["cause"] == Why.TICK and len(waiting) > 1 and not inside[contenders].any():
            assert simulation.arrays["advice"][0] == min(waiting, key=lambda e: entities[e]["want_seq"])
            asked += 1
    assert asked > 5


def hungry(threads: int) -> Tape:
    """Everybody works without a pause, on a working set that fills the frames alone."""
    return Tape.build([[(Op.READ, 20 * t + i % 20) for i in range(2000)] for t in range(threads)], think_ns=20_000)


def test_nobody_starves_outside():
    """Each in turn is inside for `stay`; a stay without end serves one after the other."""
    limits = {"cores": 1, "frames": 20, "tick_ns": MS}
    exits = {
        stay: run(hungry(4), f"guard(room=1, stay={stay})", **limits).arrays["threads"]["exit_ns"]
        for stay in (5 * MS, FOREVER)
    }
    shares = {stay: ends.min() / ends.max() for stay, ends in exits.items()}
    assert shares[FOREVER] < 0.4 < 0.8 < shares[5 * MS]


def test_the_guard_ends_thrashing():
    """Four working sets of 20 pages on 20 frames."""
    limits = {"cores": 1, "frames": 20, "tick_ns": MS}
    faults = [int(run(hungry(4), name, **limits).record["faults"][0]) for name in ("turns", "recency", "guard(room=1)")]
    assert faults[2] < 0.2 * faults[0]


# -- all of them


PER_NODE = st.tuples(st.integers(1, 2), st.integers(1, 3))


@pytest.mark.parametrize(
    "name", ["guard(room=1, stay=20)", "together", "resident_first", "whole_sets", "spare_next", "nearest"]
)
def test_every_tape_ends_that_ends_by_turns(name):
    """Waits, pins, affinity, no tick: whoever is made to wait is served in the end."""

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(tapes(), settings_of(PER_NODE, PER_NODE))
    def check(tape, keywords):
        assume(tape is not None)
        try:
            run(tape, "turns", nodes=2, **keywords)
        except (SettingError, StuckError):
            assume(False)
        simulation = run(tape, name, nodes=2, **keywords)
        assert simulation.record["finished"][0]
        invariants(simulation)

    check()


@pytest.mark.parametrize("name", ["guard", "together", "resident_first", "whole_sets", "spare_next", "nearest"])
def test_without_a_tick_nothing_sticks(name):
    for seed in range(3):
        assert run(joint(6, seed), name, **{**SYSTEM, "tick_ns": None}).record["finished"][0]
