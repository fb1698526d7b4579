"""Tapes whose every nanosecond was computed on paper: the plain engine and the kernels must both come to it."""

from types import SimpleNamespace

import pytest
from beside_plain import TIMES, compare, rules_of
from plain_engine import PlainEngine
from strategies import COSTS

from sos_gym.engine.simulation import Simulation
from sos_gym.resource import Kind, Op, Why
from sos_gym.settings.environment import build_settings
from sos_gym.workload import Tape

FREE = {**dict.fromkeys((*COSTS, "remote_line_ns", "move_ns"), 0), "nodes": 1, "lanes": 1, "tick_ns": None}
FILE = {"file": 1}


def stays(decision):
    """In EVICT who asks waits, in ADMIT the holder stays, or who has waited longest gets the core."""
    return decision.entity if decision.entity in decision.contenders else decision.contenders[0]


def waiter(decision):
    """In ADMIT whoever does not hold the core gets it."""
    others = [c for c in decision.contenders if c != decision.entity]
    return others[0] if decision.kind == Kind.ADMIT else stays(decision)


def idles(decision):
    """In EVICT who asks waits, and a vacant core is left idle."""
    return min(decision.contenders) if decision.cause == Why.IDLE else stays(decision)


def by_kernels(tape, made, choose):
    """A run of the compiled engine, of which `choose` decides."""
    simulation = Simulation(tape, made, listing=True)
    simulation.advance()
    while simulation.undecided:
        asked = simulation.decision
        fields = {name: int(asked[name]) for name in ("kind", "cause", "resource", "entity", "slot", "now")}
        simulation.advance(choose(SimpleNamespace(contenders=sorted(simulation.contenders.tolist()), **fields)))
    return simulation


def both(programs, choose=stays, arrival_ns=0, pages=None, owner=0, channels=None, affinity=-1, **settings):
    """Run by both; what each thread's time went to, and its exit. Every choice of the scribe agrees as well."""
    owners = [owner] * len(programs) if isinstance(owner, int) else owner
    tape = Tape.build(programs, arrival_ns=arrival_ns, pages=pages, owner=owners, channels=channels, affinity=affinity)
    keywords = {**FREE, **settings}
    made = build_settings(keywords)
    engine = PlainEngine(tape, rules_of(made), choose)
    engine.run()
    simulation = by_kernels(tape, made, choose)
    threads, exits = simulation.arrays["threads"], simulation.arrays["threads"]["exit_ns"]
    found = [{name: int(threads[name][t]) for name in TIMES} | {"exit": int(exits[t])} for t in range(len(threads))]
    assert found == [{name: engine.times[t][name] for name in (*TIMES, "exit")} for t in range(len(threads))]
    for seed in range(3):
        compare(tape, keywords, seed)
    return [{name: ns for name, ns in times.items() if ns} for times in found], simulation.record[0]


# -- minor faults in place (N4, N5, N7, N14)


def test_first_touches_do_not_take_a_thread_off_its_core():
    """1.5 ms of work in 100 first touches, each of 1 µs and 15 µs of work, beside 3 ms of work, in turns of 1 ms.

    Thread 0 needs 100 * (1 + 15) = 1600 µs. It runs 0-1000 (62 touches are 992 µs, of the 63rd 1 µs of fault and 7 of
    work), waits 1000-2000 for the other's turn, runs 2000-2600. Thread 1: 1000-2000, 2600-4600.
    """
    programs = [[(Op.READ, page, 1) for page in range(100)], [(Op.COMPUTE, 3_000_000)]]
    costs = {"first_touch_ns": 1_000, "local_line_ns": 15_000, "remote_line_ns": 15_000}
    found, record = both(programs, waiter, cores=1, frames=200, tick_ns=1_000_000, **costs)
    assert found[0] == {"service": 1_500_000, "minor": 100_000, "cpu_wait": 1_000_000, "exit": 2_600_000}
    assert found[1] == {"service": 3_000_000, "cpu_wait": 1_600_000, "exit": 4_600_000}
    assert (record["faults"], record["major_faults"]) == (100, 0)


def test_what_is_left_of_a_minor_fault_is_kept_through_preemption_and_eviction():
    """One core, one frame, turns of 15; a fault takes 20, a shootdown 3, the access 5.

    Thread 0: page 0 at 0, 15 of the fault until its tick. Thread 1 from 15 on: page 1 displaces page 0 (20 + 3 to pay),
    15 of it until 30. Thread 0: the other 5, and 5 of access, though its page is gone: 40. Thread 1: 8 + 5: 53.
    """
    costs = {"first_touch_ns": 20, "shootdown_ns": 3, "local_line_ns": 5, "remote_line_ns": 5}
    programs = [[(Op.READ, 0, 1)], [(Op.READ, 1, 1)]]
    found, record = both(programs, waiter, cores=1, frames=1, tick_ns=15, **costs)
    assert found[0] == {"minor": 20, "service": 5, "cpu_wait": 15, "exit": 40}
    assert found[1] == {"minor": 23, "service": 5, "cpu_wait": 15 + 10, "exit": 53}
    assert (record["faults"], record["evictions"]) == (2, 1)


def test_without_a_legal_frame_the_core_is_given_up():
    """One core, one frame. Thread 0: page 0 of a file is in flight 0-30, so that thread 1 gets the core at 0.

    Thread 1: no frame is legal for page 1, first touched: it leaves the core and queues. At 30 page 0 is in, thread 0
    wants the core; page 1 displaces page 0 at once, thread 1 wants the core, with 10 + 2 of its fault to pay. Thread 0
    runs 30-35, thread 1 waits for that and runs 35-47 (fault), 47-52.
    """
    costs = {"first_touch_ns": 10, "shootdown_ns": 2, "swap_in_ns": 30, "local_line_ns": 5, "remote_line_ns": 5}
    programs = [[(Op.READ, 0, 1)], [(Op.READ, 1, 1)]]
    found, record = both(programs, pages={0: FILE}, cores=1, frames=1, **costs)
    assert found[0] == {"fault_wait": 30, "service": 5, "exit": 35}
    assert found[1] == {"fault_wait": 30, "cpu_wait": 5, "minor": 12, "service": 5, "exit": 52}
    assert (record["faults"], record["major_faults"], record["decisions"]) == (2, 1, 1)


@pytest.mark.parametrize("cores", [2, None])
def test_two_that_touch_a_new_page_at_one_instant_both_stay(cores):
    """The first pays 10 for the fault, both 5 for their access; there is one fault, and nobody waits."""
    costs = {"first_touch_ns": 10, "local_line_ns": 5, "remote_line_ns": 5}
    found, record = both([[(Op.READ, 0, 1)]] * 2, cores=cores, frames=1, **costs)
    assert found == [{"minor": 10, "service": 5, "exit": 15}, {"service": 5, "exit": 5}]
    assert (record["faults"], record["references"]) == (1, 2)


def test_a_page_that_is_touched_first_from_afar_is_used_from_afar():
    """Two nodes, a core and a frame each. Page 0 takes the frame at home, page 1 the far one: 25 instead of 10 a line.

    0-4 fault, 4-14 access; 14-18 fault, 18-33 remote excess, 33-43 access.
    """
    costs = {"first_touch_ns": 4, "local_line_ns": 10, "remote_line_ns": 25, "nodes": 2}
    programs = [[(Op.READ, 0, 1), (Op.READ, 1, 1)]]
    found, _ = both(programs, min, pages={1: {"affinity": 2}}, cores=(1, 1), frames=(1, 1), **costs)
    assert found == [{"minor": 8, "service": 20, "remote": 15, "exit": 43}]


def test_contents_that_were_dropped_are_touched_first_again():
    """0-7 fault, 7-10 access; DONTNEED; 10-17 fault, 17-20 access; PAGEOUT keeps contents: 20-80 device, 80-83."""
    costs = {"first_touch_ns": 7, "swap_in_ns": 60, "local_line_ns": 3, "remote_line_ns": 3}
    touch = (Op.READ, 0, 1)
    programs = [[touch, (Op.DONTNEED, 0), touch, (Op.PAGEOUT, 0), touch]]
    found, record = both(programs, cores=1, frames=1, **costs)
    assert found == [{"minor": 14, "service": 9, "fault_wait": 60, "exit": 83}]
    assert (record["faults"], record["major_faults"]) == (3, 1)


# -- no wilful idling (N15)

# Thread 0 works 0-10 on node 0, thread 1 0-100 on node 1, thread 2 arrives at 200; thread 3, at home on node 1, at 3.
FOUR = [[(Op.COMPUTE, ns)] for ns in (10, 100, 1, 5)]
ABOUT_FOUR = {"arrival_ns": [0, 0, 200, 3], "affinity": [1, 2, -1, -1], "cores": (1, 1), "nodes": 2}


def test_a_lone_waiter_gets_an_idle_core_unasked():
    """Thread 3 finds both cores taken, and waits (one decision). At 10 it gets core 0, though its home is elsewhere."""
    found, record = both(FOUR, idles, **ABOUT_FOUR)
    assert found[3] == {"cpu_wait": 7, "service": 5, "exit": 15}
    assert record["decisions"] == 1


def test_with_may_idle_a_core_may_be_left_idle():
    """At 10 thread 3 is refused (a second decision); at 100 core 1, at home, is vacant: it gets that unasked."""
    found, record = both(FOUR, idles, may_idle=True, **ABOUT_FOUR)
    assert found[3] == {"cpu_wait": 97, "service": 5, "exit": 105}
    assert record["decisions"] == 2


@pytest.mark.parametrize("may_idle", [False, True])
def test_who_wakes_may_wait_beside_a_vacant_core_until_it_is_reminded(may_idle):
    """Thread 1 is done at 1. Thread 2, at home on node 0, arrives at 5, and chooses to wait for it; a tick is 20.

    Its reminder is due at 25: it gets core 1 unasked, or with `may_idle` is asked, and refused, until its home is
    vacant at 50. The tick of core 0 at 20 and 40 is asked as well: the holder stays.
    """
    programs = [[(Op.COMPUTE, 50)], [(Op.COMPUTE, 1)], [(Op.COMPUTE, 5)]]
    given = {"arrival_ns": [0, 0, 5], "affinity": [1, 2, -1], "cores": (1, 1), "nodes": 2, "tick_ns": 20}
    found, record = both(programs, idles, may_idle=may_idle, **given)
    begins = 50 if may_idle else 25
    assert found[2] == {"cpu_wait": begins - 5, "service": 5, "exit": begins + 5}
    assert record["decisions"] == (5 if may_idle else 2)  # 5, 20, 25, 40, 45; or 5, 20
