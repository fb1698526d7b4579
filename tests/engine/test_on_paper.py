"""Tapes whose every nanosecond was computed on paper: the plain engine and the kernels must both come to it."""

import dataclasses
from types import SimpleNamespace

import pytest
from beside_plain import TIMES, compare, rules_of
from plain_engine import PlainEngine
from scribe import SCRIBE, events_of
from strategies import COSTS

from sos_gym.engine.simulation import Simulation, StuckError
from sos_gym.kernel import kernel
from sos_gym.resource import NONE, Kind, Op, Resource, Why
from sos_gym.settings.environment import SettingError, build_settings
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


@kernel
def promotes(my, decision):
    """A page fault gets the slow frame that is vacant, and who asks for the fast tier displaces who is there."""
    return -1 - decision.vacancy if decision.vacancy != NONE else my.slots[0].holder


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


# -- decisions cost (N19), 7 ns each

DECISION = {"decision_ns": 7}
TWO = [[(Op.COMPUTE, 40)], [(Op.COMPUTE, 10)]]


def victim(decision):
    """In EVICT a holder goes: the first one."""
    holders = [c for c in decision.contenders if c >= 0 and c != decision.entity]
    return holders[0] if decision.kind == Kind.EVICT else stays(decision)


def test_a_major_fault_asks_the_device_when_the_decision_is_paid():
    """Two frames, three pages of a file, the first is written: a swap-in takes 60 + 1, an access 5, a write-back 15.

    Page 0: 0-61, access to 66. Page 1: 66-127, to 132. Page 2: one of two must go, page 0: decision to 139, write-back
    to 154, page-in to 214, mapped at 215, access to 220. The device has one lane.
    """
    costs = {"swap_in_ns": 60, "minor_fault_ns": 1, "write_back_ns": 15, "local_line_ns": 5, "remote_line_ns": 5}
    programs = [[(Op.WRITE, 0, 1), (Op.READ, 1, 1), (Op.READ, 2, 1)]]
    for cores in (1, None):
        found, record = both(programs, victim, pages=dict.fromkeys(range(3), FILE), cores=cores, frames=2, **costs)
        assert found == [{"fault_wait": 61 + 61 + 76, "service": 15, "exit": 213}]
        paid, record = both(
            programs, victim, pages=dict.fromkeys(range(3), FILE), cores=cores, frames=2, **costs, **DECISION
        )
        assert paid == [{"fault_wait": 61 + 61 + 83, "service": 15, "exit": 220}]
        assert (record["decisions"], record["deciding_ns"]) == (1, 7)


def test_a_minor_fault_is_longer_by_its_decision():
    """0-10 fault, to 15; 15-25, to 30; of two pages one must go: 30-47 decision and fault, to 52."""
    costs = {"first_touch_ns": 10, "local_line_ns": 5, "remote_line_ns": 5}
    for cores in (1, None):
        found, record = both([[(Op.READ, p, 1) for p in range(3)]], victim, cores=cores, frames=2, **costs, **DECISION)
        assert found == [{"minor": 37, "service": 15, "exit": 52}]
        assert (record["decisions"], record["deciding_ns"]) == (1, 7)


def test_a_tick_is_paid_by_who_keeps_the_core_and_a_wait_by_who_waits():
    """A switch is 3, a tick 20. Thread 1 asks at 0, waits, and owes 7.

    Thread 0: switch to 3, 17 of work; at 20 it stays: 7, then 13 of work; at 40 it stays: 7, then the other 10: 57.
    Thread 1 gets the core unasked: 3 + the 7 that it owes, 67; work to 77.
    """
    found, record = both(TWO, cores=1, tick_ns=20, switch_ns=3, **DECISION)
    assert found[0] == {"switch": 3 + 7 + 7, "service": 40, "exit": 57}
    assert found[1] == {"cpu_wait": 57, "switch": 3 + 7, "service": 10, "exit": 77}
    assert (record["decisions"], record["deciding_ns"]) == (3, 21)


def test_a_wakeup_that_preempts_is_paid_by_who_wakes():
    """Thread 1 arrives at 10 and takes the core: 3 + 7 of switch, work to 30. Thread 0, with 7 done, 3 again: to 66."""
    found, record = both(TWO, victim, arrival_ns=[0, 10], cores=1, switch_ns=3, **DECISION)
    assert found[1] == {"switch": 10, "service": 10, "exit": 30}
    assert found[0] == {"switch": 6, "service": 40, "cpu_wait": 20, "exit": 66}
    assert (record["decisions"], record["deciding_ns"]) == (1, 7)


def test_an_idle_core_is_paid_by_who_gets_it():
    """Both others ask at 0, wait, and owe 7. At 40 one of two is chosen and owes 14: 40-54, to 64; the last one 64-71.

    The first choice among waiters is thread 1. The last gets the core unasked.
    """
    found, record = both([*TWO, [(Op.COMPUTE, 5)]], cores=1, **DECISION)
    assert found[1] == {"cpu_wait": 40, "switch": 14, "service": 10, "exit": 64}
    assert found[2] == {"cpu_wait": 64, "switch": 7, "service": 5, "exit": 76}
    assert (record["decisions"], record["deciding_ns"]) == (3, 21)


def test_a_core_that_is_left_idle_decides_for_nothing():
    """As above without costs: thread 3 is refused at 10 and gets core 1 at 100, with the 7 that it owes since 3."""
    found, record = both(FOUR, idles, may_idle=True, **ABOUT_FOUR, **DECISION)
    assert found[3] == {"cpu_wait": 97, "switch": 7, "service": 5, "exit": 112}
    assert (record["decisions"], record["deciding_ns"]) == (2, 7)


FAR = {"local_line_ns": 10, "remote_line_ns": 25, "page_move_ns": 100, "shootdown_ns": 7, "nodes": 2, "frames": (1, 1)}


def scans(decision):
    """Page 1 (entity 2) gets the far frame at its fault, and every frame that a scan offers."""
    return 2 if decision.cause == Why.SCAN else decision.contenders[0]


def test_a_scan_is_paid_as_a_move():
    """Page 0 is read 0-10. Page 1 may take the far frame or displace page 0: 7, and 25 for the far line: to 42.

    Work of 1000. At 500 page 1 is chosen, which changes places with page 0: 2 * 100 + 7, and 7. At 1000 page 0 is
    offered its place back, and page 1 stays: 7. Work to 42 + 1000 + 221 = 1263, a near line to 1273.
    """
    programs = [[(Op.READ, 0, 1), (Op.READ, 1, 1), (Op.COMPUTE, 1000), (Op.READ, 1, 1)]]
    found, record = both(programs, scans, scan_ns=500, **FAR, **DECISION)
    assert found == [{"minor": 7, "remote": 15, "move": 221, "service": 1030, "exit": 1273}]
    assert (record["decisions"], record["deciding_ns"]) == (3, 21)


@pytest.mark.parametrize("trap_ns", [0, 9])
@pytest.mark.parametrize(("promoted", "end"), [(True, 268 + 10), (False, 76 + 25)])
def test_a_hint_is_paid_as_a_move_and_its_trap_as_a_minor_fault(promoted, end, trap_ns):
    """Page 0: 1 of fault, 10. Page 1, in the slow tier: 7 + 1, 25: 44. Then it asks for the fast one.

    It changes places: 7 + 207, a near line: 268, and another. Or it stays: 7, a far line: 76, and another. The trap at
    which it asks comes on top, once: the second hint would be due 1000 ns after the first.
    """

    def choose(decision):
        losers = [c for c in decision.contenders if c != decision.entity]
        return losers[0] if decision.cause == Why.FAULT or promoted else decision.entity

    programs = [[(Op.READ, 0, 1), *[(Op.READ, 1, 1)] * 3]]
    traps = {"tiers": True, "hint_ns": 1000, "hint_fault_ns": trap_ns}
    found, record = both(programs, choose, first_touch_ns=1, **traps, **FAR, **DECISION)
    excess = 15 if promoted else 45
    assert found == [
        {"minor": 9 + trap_ns, "remote": excess, "move": 214 if promoted else 7, "service": 40, "exit": end + trap_ns},
    ]
    assert (record["decisions"], record["deciding_ns"]) == (2, 14)


def test_the_trap_of_a_hint_is_paid_though_nobody_is_asked():
    """Page 0: 10, in the fast tier. Page 1, in the slow one: 25, to 35. Page 0 is dropped.

    Page 1 asks for the fast one: 9 for the trap. There is a vacancy: 100 for one page, 7, and a near line: 161.
    """
    programs = [[(Op.READ, 0, 1), (Op.READ, 1, 1), (Op.DONTNEED, 0), (Op.READ, 1, 1)]]
    found, record = both(programs, scans, tiers=True, hint_ns=1000, hint_fault_ns=9, **FAR)
    assert found == [{"minor": 9, "remote": 15, "move": 107, "service": 30, "exit": 161}]
    assert record["decisions"] == 1  # of page 1: the slow frame, or that of page 0


def test_those_who_see_the_fast_tier_alone_are_told_of_a_cache():
    """As above with page 0 in place: page 1 wants, gets a slow frame, asks again, and takes the place of page 0.

    The touch that asked is its hold, the one after it a use. Page 0, touched again, comes back up.
    """
    programs = [[(Op.READ, page, 1) for page in (0, 0, 1, 1, 1, 0)]]
    made = build_settings({**FREE, "tiers": True, "hint_ns": 1, **FAR})
    promoting = dataclasses.replace(SCRIBE, pick=promotes, fast_only=True)
    simulation = Simulation(Tape.build(programs), made, [promoting.host()], driver=0)
    simulation.advance()
    told = [(verb, e, what, Why(why)) for verb, e, what, why, _ in events_of(simulation, Resource.MEMORY)]
    none = Why(0)  # of a use
    assert told == [
        *[("want", 1, 0, Why.FAULT), ("hold", 1, 0, Why.FAULT), ("use", 1, 0, none)],
        ("want", 2, 0, Why.FAULT),
        *[("want", 2, 0, Why.HINT), ("release", 1, 0, Why.EVICTED), ("hold", 2, 0, Why.HINT), ("use", 2, 0, none)],
        *[("want", 1, 0, Why.HINT), ("release", 2, 0, Why.EVICTED), ("hold", 1, 0, Why.HINT)],
        ("release", 1, 0, Why.EXIT),
    ]


# -- what is warm (N7)

WARM = {"move_ns": (100, 1000), "warm_ns": (20, 12)}


def test_a_move_costs_what_the_thread_has_warmed_on_its_core():
    """Thread 0 runs 0-6 and wakes at 16, when thread 1 (7-27) has its core: 6 of 20 are warm, it pays 30 of 100.

    It serves 4 on the other core, 46-50, and wakes at 60, when thread 3 (52-72) is there: 4 of 20, 20, and 1 to go: 81.
    """
    programs = [[(Op.COMPUTE, 6), (Op.SLEEP, 10), (Op.COMPUTE, 4), (Op.SLEEP, 10), (Op.COMPUTE, 1)]]
    programs += [[(Op.COMPUTE, 20)], [(Op.COMPUTE, 5)], [(Op.COMPUTE, 20)]]
    found, record = both(programs, arrival_ns=[0, 7, 51, 52], cores=2, **WARM)
    assert found[0] == {"service": 11, "sleep": 20, "move": 50, "exit": 81}
    assert [times["exit"] for times in found[1:]] == [27, 56, 72]
    assert record["moves"] == 0  # between nodes


def test_a_move_on_the_node_leaves_what_is_warm_of_the_node():
    """Two cores on node 0, one on node 1. Thread 0 runs 0-6, 46-50 on the other core as above, and wakes at 60.

    Threads 2 and 3 have both cores of its node: it goes to the other one, where 6 + 4 of 12 are warm: 833, and 1: 894.
    """
    programs = [[(Op.COMPUTE, 6), (Op.SLEEP, 10), (Op.COMPUTE, 4), (Op.SLEEP, 10), (Op.COMPUTE, 1)]]
    programs += [[(Op.COMPUTE, 20)], [(Op.COMPUTE, 40)], [(Op.COMPUTE, 40)]]
    found, record = both(
        programs,
        lambda decision: min(decision.contenders),
        arrival_ns=[0, 7, 51, 52],
        affinity=[-1, 1, 1, 1],
        cores=(2, 1),
        **{**WARM, "nodes": 2},
    )
    assert found[0] == {"service": 11, "sleep": 20, "move": 30 + 833, "exit": 894}
    assert record["moves"] == 1


def test_a_move_to_another_node_costs_what_is_warm_there():
    """A core per node. Thread 0 runs 0-6 and wakes at 16, when thread 1 (7-47) has its core: the other node is vacant.

    6 of 12 are warm there: 500 of 1000, to 516, and 4 of work to 520. Then it wakes at 530, when thread 2 (521-561) has
    that core: back, for 4 of 12: 333, rounded down, and 13 of work to 876.
    Then 13 exceed 12: thread 3 (877-917) has its core at 886, it pays all of 1000, and has 1 of work: 1887.
    """
    work = [(Op.COMPUTE, 6), (Op.SLEEP, 10), (Op.COMPUTE, 4), (Op.SLEEP, 10), (Op.COMPUTE, 13), (Op.SLEEP, 10)]
    others = [[(Op.COMPUTE, 40)]] * 3
    affinity = [-1, 1, 2, 1]
    found, record = both(
        [[*work, (Op.COMPUTE, 1)], *others],
        lambda decision: min(decision.contenders),
        arrival_ns=[0, 7, 521, 877],
        affinity=affinity,
        cores=(1, 1),
        **{**WARM, "nodes": 2},
    )
    assert found[0] == {"service": 24, "sleep": 30, "move": 500 + 333 + 1000, "exit": 1887}
    assert record["moves"] == 3


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"cores": 1, "tick_ns": 12, "switch_ns": 5, "move_ns": 0}, "tick_ns=12"),
        ({"cores": None, "frames": 4, "nodes": 2, "scan_ns": 2 * (200 + 7 + 7), **FAR}, "scan_ns=428"),
    ],
)
def test_a_tick_or_scan_that_decisions_fill_is_refused(settings, word):
    """One ns more is enough."""
    keywords = {**FREE, **settings, **DECISION}
    with pytest.raises(SettingError, match=word):
        build_settings(keywords)
    name = word.partition("=")[0]
    build_settings({**keywords, name: settings[name] + 1})
    build_settings({**keywords, "decision_ns": 6})


# -- locks (N20)


def locked(lock, ns):
    """So much work with the lock."""
    return [(Op.LOCK, lock), (Op.COMPUTE, ns), (Op.UNLOCK, lock)]


def test_a_lock_is_handed_over_first_come_first_served():
    """A core each. Thread 0 holds the lock 0-10, thread 1 (from 1 on) 10-15, thread 2 (from 2 on) 15-20.

    Thread 0 asks again at 10, where it gives the lock back, and has it last, 20-21. No burst ends; PSI counts nothing.
    """
    programs = [[*locked(0, 10), *locked(0, 1)], locked(0, 5), locked(0, 5)]
    found, record = both(programs, arrival_ns=[0, 1, 2])
    assert found[0] == {"service": 11, "lock_wait": 10, "exit": 21}
    assert found[1] == {"service": 5, "lock_wait": 9, "exit": 15}
    assert found[2] == {"service": 5, "lock_wait": 13, "exit": 20}
    assert (record["bursts_used"], record["some_ns"], record["stall_ns"]) == (3, 0, 32)


def test_who_waits_for_a_lock_leaves_its_core_and_wants_one_with_the_lock():
    """One core, turns of 10, switches of 2. Thread 0 holds the lock in its first 30 of 35; thread 1 wants it for 4.

    Thread 0 runs 2-10 and has its turn. Thread 1 runs at 12 into the lock: it leaves. Thread 0: 14-36 with the lock,
    then 5 more, since thread 1, which has the lock and wants the core, waits on: 41. Thread 1: 43-47.
    """
    found, record = both([[*locked(0, 30), (Op.COMPUTE, 5)], locked(0, 4)], waiter, cores=1, tick_ns=10, switch_ns=2)
    assert found[0] == {"switch": 4, "service": 35, "cpu_wait": 2, "exit": 41}
    assert found[1] == {"switch": 4, "service": 4, "cpu_wait": 10 + 5, "lock_wait": 24, "exit": 47}
    assert (record["switches"], record["bursts_used"]) == (4, 2)


@pytest.mark.parametrize("settings", [{}, {"cores": 1, "tick_ns": 5}, {"cores": 2}])
def test_threads_that_wait_for_each_other_are_named_with_their_locks(settings):
    """Each takes a lock, works for 8, and wants the other's. (Run one after the other they would not meet.)"""
    first = [(Op.LOCK, 0), (Op.COMPUTE, 8), *locked(1, 1), (Op.UNLOCK, 0)]
    second = [(Op.LOCK, 1), (Op.COMPUTE, 8), *locked(0, 1), (Op.UNLOCK, 1)]
    tape = Tape.build([first, second, [(Op.COMPUTE, 100)]], thread_names=["anna", "bert", "carl"])
    words = r"stuck at .*: anna \(waits for lock 1 of bert\), bert \(waits for lock 0 of anna\); give"
    with pytest.raises(StuckError, match=words):
        by_kernels(tape, build_settings({**FREE, **settings}), waiter)
    for seed in range(3):
        compare(tape, {**FREE, **settings}, seed)
