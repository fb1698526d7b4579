"""What is known by hand: page replacement, proportional shares, the metrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import ALWAYS, MS, host, misses, run
from strategies import COSTS, traces

from sos_gym import Tape, evaluate, policies
from sos_gym.engine.simulation import Simulation
from sos_gym.metrics import bucket_ns, jain, metrics, wait_quantile_ns
from sos_gym.resource import Op, Resource
from sos_gym.settings.environment import build_settings

BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)
PLAIN = {"nodes": 1, "scan_ns": None}  # no distance


# -- page replacement


@pytest.mark.parametrize(("policy", "faults"), [("fifo", [9, 10]), ("lru", [10, 8]), ("min", [7, 6])])
def test_beladys_string(policy, faults):
    tape = Tape.from_references(BELADY)
    runs = [evaluate("sos/Memory-v0", policy, workload=tape, frames=n, **PLAIN)[0] for n in (3, 4)]
    assert [found["faults"] for found in runs] == faults
    assert [found["miss_ratio"] for found in runs] == [n / 12 for n in faults]


@settings(max_examples=150, deadline=None)
@given(traces)
def test_lru_has_the_stack_property(references):
    found = [misses(references, "lru", frames) for frames in range(1, 10)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == len(set(references))


def test_fifo_has_not():
    """More frames, more faults."""
    assert misses(BELADY, "fifo", 4) > misses(BELADY, "fifo", 3)


def least_misses(references, frames: int) -> int:
    """Over all that demand paging can do: the cheapest way to each set of resident pages."""
    cheapest = {frozenset(): 0}
    for page in references:
        following = {}
        for resident, cost in cheapest.items():
            if page in resident:
                ways = [(resident, cost)]
            elif len(resident) < frames:
                ways = [(resident | {page}, cost + 1)]
            else:
                ways = [(resident - {victim} | {page}, cost + 1) for victim in resident]
            for way, price in ways:
                following[way] = min(price, following.get(way, price))
        cheapest = following
    return min(cheapest.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=14), st.integers(1, 5))
def test_min_is_the_least_of_all(references, frames):
    least = misses(references, "belady", frames)
    assert least == least_misses(references, frames)
    for name in policies():
        assert misses(references, name, frames) >= least, name


@pytest.mark.parametrize("name", [name for name, policy in policies().items() if not policy.privileged])
def test_who_does_not_know_the_future_misses_more(name):
    rng = np.random.default_rng(3)
    zipf, loop, even = rng.zipf(1.3, 4000) % 100, np.arange(4000) % 25, rng.integers(0, 16, 4000)
    for frames, references in ((10, zipf), (20, loop), (8, even)):
        least = misses(references, "belady", frames)
        optimal = name == "mru" and references is loop  # what was used last is used again after all others
        assert misses(references, name, frames) > least - optimal


def test_mru_is_optimal_on_a_loop():
    loop = np.arange(4000) % 25
    assert misses(loop, "mru", 20) == misses(loop, "belady", 20) < misses(loop, "lru", 20) == 4000


def gap_misses(references, frames):
    """The page of the longest max(last gap, age) goes, of equals the one used longest ago; a reference takes 1."""
    last, gap, resident, missed = {}, {}, set(), 0
    for now, page in enumerate(references):
        if page not in resident:
            missed += 1
            if len(resident) == frames:
                resident.remove(max(resident, key=lambda q: (max(gap.get(q, 0), now - last[q]), -last[q])))
        if page in last:
            gap[page] = now - last[page]
        last[page] = now
        resident.add(page)
    return missed


@settings(max_examples=150, deadline=None)
@given(traces, st.integers(1, 6))
def test_gap_spares_the_shortest_reuse(references, frames):
    free = dict.fromkeys(("swap_in_ns", "first_touch_ns", "minor_fault_ns", "local_line_ns", "remote_line_ns"), 0)
    free |= {"shootdown_ns": 0, "shootdown_core_ns": 0}
    found = run(Tape.from_references(references), "gap", frames=frames, **free)
    assert found.record["faults"][0] == gap_misses(references, frames)


# -- shares


def service_of(simulation: Simulation, resource: Resource) -> np.ndarray:
    """Slot-ns that each owner has held."""
    owners = np.split(simulation.arrays["owners"], 2)[resource]
    return owners["service"] + owners["holding"] * (simulation.record["now"][0] - owners["since"])


def test_a_lottery_pays_by_weight():
    """2:1 is 2/3, not the .748 of weight × random. 20 000 draws: standard error .0033."""
    ticks = 20_000
    tape = Tape.from_jobs([0, 0], [ALWAYS, ALWAYS], weight=[2048, 1024])
    simulation = run(tape, "lottery", cores=1, switch_ns=0, move_ns=0, horizon_ns=ticks * MS)
    share = simulation.arrays["threads"]["service"][0] / (ticks * MS)
    error = (2 / 9 / ticks) ** 0.5
    assert abs(share - 2 / 3) < 3.5 * error < 0.02


def test_a_lottery_evicts_by_weight():
    """Of two resident pages of weights 2:1 the light one goes twice as often; 6 000 draws: standard error .0061."""
    rounds = 6_000
    first = [(Op.READ, 0), (Op.READ, 1), (Op.READ, 2), (Op.DONTNEED, 2)] * rounds
    pages = {page: {"owner": page} for page in range(3)}
    tape = Tape.build([first, *[[(Op.COMPUTE, 1)]] * 2], pages=pages, owner_weight=[2048, 1024, 1024])
    simulation = Simulation(tape, build_settings({"nodes": 1, "frames": 2}), [host("random")], seed=1)
    simulation.advance()
    victims = []
    while simulation.undecided:
        victims.append(int(simulation.arrays["advice"][0]) - 3)
        simulation.advance(victims[-1] + 3)
    assert len(victims) == rounds
    assert abs(victims.count(1) / rounds - 2 / 3) < 3.5 * (2 / 9 / rounds) ** 0.5


def looping(pages: range, references: int) -> list[tuple]:
    return [(Op.READ, pages[i % len(pages)]) for i in range(references)]


def test_fair_shares_of_cores_follow_the_owners_weights():
    """Owner 0 has three threads and weight 1, owner 1 one thread and weight 2."""
    tape = Tape.build([[(Op.COMPUTE, ALWAYS)]] * 4, owner=[0, 0, 0, 1], owner_weight=[1024, 2048])
    simulation = run(tape, "fair_share", cores=1, switch_ns=0, horizon_ns=3_000 * MS)
    service = simulation.arrays["threads"]["service"]
    assert service[:3].sum() == pytest.approx(1_000 * MS, abs=2 * MS)
    assert service[:3] == pytest.approx(service[0], abs=2 * MS)
    assert service_of(simulation, Resource.CPU).tolist() == [service[:3].sum(), service[3]]


def test_fair_shares_of_frames_follow_the_owners_weights():
    """Both would fill all frames alone."""
    programs = [looping(range(start, start + 60), 6_000) for start in (0, 60)]
    tape = Tape.build(programs, owner_weight=[1024, 2048])
    held = service_of(run(tape, "fair_share", frames=40, horizon_ns=200 * MS), Resource.MEMORY)
    assert held.sum() > 0.95 * 40 * 200 * MS
    assert held[1] / held[0] == pytest.approx(2, rel=0.03)
    held = service_of(run(tape, "lru", frames=40, horizon_ns=200 * MS), Resource.MEMORY)
    assert held[1] / held[0] == pytest.approx(1, rel=0.1)


def test_who_comes_late_does_not_hoard_cores():
    """From its arrival on both get one half."""
    tape = Tape.build([[(Op.COMPUTE, ALWAYS)]] * 2, arrival_ns=[0, 500 * MS])
    service = run(tape, "fair_share", cores=1, switch_ns=0, horizon_ns=1_500 * MS).arrays["threads"]["service"]
    assert service.tolist() == pytest.approx([1_000 * MS, 500 * MS], abs=2 * MS)


def test_who_comes_late_does_not_hoard_frames():
    """Owner 0 is alone for 100 ms; then each should hold one half of the frame time."""
    late, end = 100 * MS, 300 * MS
    programs = [looping(range(start, start + 60), 20_000) for start in (0, 60)]
    tape = Tape.build(programs, arrival_ns=[0, late])
    before, after = [
        service_of(run(tape, "fair_share", frames=40, horizon_ns=ns), Resource.MEMORY) for ns in (late, end)
    ]
    held = after - before
    assert before[1] == 0 and before[0] > 0.9 * 40 * late
    assert held[1] / held.sum() == pytest.approx(0.5, abs=0.03)


def test_who_comes_back_ahead_is_given_no_debt():
    """When the two threads of owner 0 wake, it has had 20 ms; owner 1 was placed level with its 2 ms and had 9 more."""
    ahead, level = (
        [(Op.COMPUTE, 10 * MS), (Op.SLEEP, MS // 2), (Op.COMPUTE, MS)],
        [(Op.SLEEP, MS), (Op.COMPUTE, 30 * MS)],
    )
    simulation = run(Tape.build([ahead, ahead, level], owner=[0, 0, 1]), "fair_share", cores=3, switch_ns=0)
    assert simulation.kept("debts", 0, Resource.CPU)["service"][:2].tolist() == [0, 2 * MS / 1024]


# -- gap


@pytest.mark.parametrize(("pause", "victim"), [(1, 0), (900, 1)])
def test_the_page_of_the_longest_gap_goes(pause, victim):
    """Gaps of 100 and 9 ns; after 900 ns the present ones are longer, and the page used last stays."""
    uses = [(Op.READ, 0), (Op.COMPUTE, 90), (Op.READ, 1), (Op.COMPUTE, 9), (Op.READ, 1), (Op.COMPUTE, 1), (Op.READ, 0)]
    tape = Tape.build([[*uses, (Op.COMPUTE, pause), (Op.READ, 2), (Op.COMPUTE, MS)]])
    free = dict.fromkeys((*COSTS, "remote_line_ns"), 0)
    pages = run(tape, "gap", frames=2, horizon_ns=2_000, **free).arrays["entities"][1:]
    assert np.flatnonzero(pages["slot"] < 0).tolist() == [victim]


def test_a_waker_of_short_bursts_goes_first():
    """Its last one took 1 ms, the other's has taken 9 so far; one whose last burst took 20 ms waits."""
    bursts = lambda ms: [(Op.COMPUTE, ms * MS), (Op.SLEEP, 10 * MS), (Op.COMPUTE, MS)]  # noqa: E731
    for last, exits in ((1, [12, 52]), (20, [71, 70])):
        tape = Tape.build([bursts(last), [(Op.COMPUTE, 50 * MS)]], arrival_ns=[0, last * MS])
        threads = run(tape, "gap", cores=1, switch_ns=0, tick_ns=None).arrays["threads"]
        assert (threads["exit_ns"] // MS).tolist() == exits


# -- metrics


def test_a_job_list_by_hand():
    """FCFS: 4 ms, then 2 ms that waited 4 ms; weights 1:3."""
    tape = Tape.from_jobs([0, 0], [4 * MS, 2 * MS], weight=[1024, 3072])
    run = evaluate("sos/CPU-v0", "fcfs", workload=tape, nodes=1, cores=1, switch_ns=0)[0]
    assert (run["elapsed_ns"], run["service_ns"], run["cpu_wait_ns"], run["stall_ns"]) == (
        6 * MS,
        6 * MS,
        4 * MS,
        4 * MS,
    )
    assert run["weighted_stall_ns"] == 4 * MS * 3 / 2
    assert (run["bursts"], run["mean_response_ns"], run["slowdown_mean"]) == (2, 5 * MS, (1 + 3) / 2)
    assert run["jain"] == pytest.approx((1 + 1 / 3) ** 2 / (2 * (1 + 1 / 9)))  # .8
    assert run["response_p99_ns"] == pytest.approx(4 * MS + 0.99 * 2 * MS)
    assert (run["switches"], run["swaps"], run["moves"], run["faults"], run["miss_ratio"]) == (2, 2, 0, 0, 0)
    assert run["wait_p50_ns"] == 0 and 4 * MS <= run["wait_p99_ns"] < 4 * MS * 33 / 32


def test_a_reference_string_by_hand():
    """One frame: 1 2 1, the middle one written; first touches 1 µs, a swap-in of 60 behind a write-back of 15."""
    tape = Tape.from_references([1, 2, 1], writes=[0, 1, 0], ns_per_reference=0, lines=1)
    keywords = {"frames": 1, "lanes": 1, "shootdown_ns": 0, "shootdown_core_ns": 0, "local_line_ns": 100}
    run = evaluate("sos/Memory-v0", "lru", workload=tape, **PLAIN, **keywords)[0]
    assert (run["references"], run["faults"], run["major_faults"], run["evictions"], run["write_backs"]) == (
        3,
        3,
        1,
        2,
        1,
    )
    assert (run["minor_ns"], run["fault_wait_ns"]) == (1_000 + 1_000, 15_000 + 60_000 + 1_000)
    assert run["stall_ns"] == run["minor_ns"] + run["fault_wait_ns"]
    assert (run["service_ns"], run["elapsed_ns"]) == (300, 78_300)
    assert (run["miss_ratio"], run["swaps"], run["decisions"], run["jain"]) == (1, 2, 0, 1)
    assert run["wait_p50_ns"] == run["wait_p99_ns"]  # of the one page that the device brought
    assert 76_000 <= run["wait_p99_ns"] < 76_000 * 33 / 32


def test_jain():
    assert jain(np.array([1, 1, 0])) == pytest.approx(2 / 3)
    assert jain(np.array([5, 5, 5, 5])) == 1
    assert jain(np.array([0, 7, 0, 0])) == 1 / 4
    assert jain(np.zeros(3)) == 1


def test_buckets_of_waits():
    assert [int(bucket_ns(n)) for n in (0, 1, 63, 64, 82, 95, 96)] == [0, 1, 63, 65, 101, 127, 131]
    assert bucket_ns(np.array([82, 1])).tolist() == [101, 1]
    longest = bucket_ns(np.arange(1_000))
    assert (np.diff(longest) > 0).all()
    shortest = longest[63:-1] + 1
    assert ((longest[64:] - shortest) * 32 < shortest).all()


@pytest.mark.parametrize("wait", [0, 1, 63, 64, 65, 100, 101, 102, 127, 128, 1_000, 123_457, 10**9, 2**40 - 1, 2**40])
def test_a_wait_is_counted_in_its_bucket(wait):
    """The kernel that counts and the function that reads agree: the second of two jobs waits for the first."""
    simulation = run(Tape.from_jobs([0, 0], [wait, 5]), "fcfs", cores=1, switch_ns=0)
    waits = np.split(simulation.arrays["waits"], 2)[Resource.CPU]
    assert waits.sum() == 2
    bucket = int(np.flatnonzero(waits)[-1])
    assert (bucket_ns(bucket - 1) < wait if bucket else wait == 0) and wait <= bucket_ns(bucket)


def test_quantiles_of_waits():
    waits = np.zeros(200, np.int64)
    assert wait_quantile_ns(waits, 0.5) == 0
    waits[[3, 10, 82]] = 49, 50, 1
    assert [wait_quantile_ns(waits, q) for q in (0, 0.49, 0.5, 0.99, 0.991, 1)] == [3, 3, 10, 10, 101, 101]


def test_metrics_of_nothing_are_numbers():
    """One thread that does nothing: no burst worked, nothing stalled."""
    found = metrics(run(Tape.build([[(Op.EXIT,)]]), "fcfs", cores=1, switch_ns=0))
    assert all(np.isfinite(value) for value in found.values())
    assert (found["slowdown_mean"], found["jain"], found["miss_ratio"], found["bursts"]) == (1, 1, 0, 1)


# -- what the engine keeps of threads and queues


def test_a_thread_remembers_its_last_two_bursts():
    burst = [op for ns in (3 * MS, 5 * MS, 2 * MS) for op in ((Op.COMPUTE, ns), (Op.SLEEP, MS))]
    thread = run(Tape.build([burst[:-1]]), "turns", cores=1).arrays["entities"][0]
    assert (thread["gaps"], thread["last_gap"], thread["prev_gap"]) == (2, 2 * MS, 5 * MS)


def test_who_is_asked_in_vain_keeps_its_place_in_the_queue_for_frames():
    """One frame per node. When the first frame is free again, the next page takes it and two go back to before b."""
    on_0, on_1 = {"affinity": 0b01, "file": 1}, {"affinity": 0b10, "file": 1}
    pages = {0: on_0, 1: on_1, 2: on_0, 3: on_0, 4: on_0, 5: on_1}
    tape = Tape.build([[(Op.READ, p)] for p in range(6)], arrival_ns=[0, 1, 2, 3, 4, 5], pages=pages)
    threads = run(tape, "fifo", nodes=2, frames=(1, 1), scan_ns=None, swap_in_ns=MS, lanes=1).arrays["threads"]
    assert (threads["exit_ns"] / MS).tolist() == pytest.approx([1, 2, 3, 5, 6, 4], rel=0.05)
