"""Sieve, S3-FIFO, SLRU, 2Q and MRU against plain lists; cooling, dropping, and what they are on cores."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import MS, misses, run

from sos_gym import Tape, evaluate
from sos_gym.policy.lists.mru import claim as mru_claim
from sos_gym.resource import COLD_OFFSET, Op

# -- on frames: what the papers say, with lists; the first of a list leaves first


def sieve(references, frames):
    queue, visited, hand, missed = [], set(), 0, 0
    for page in references:
        if page in queue:
            visited.add(page)
            continue
        missed += 1
        if len(queue) == frames:
            while queue[hand] in visited:
                visited.remove(queue[hand])
                hand = (hand + 1) % frames
            queue.pop(hand)
            hand %= frames - 1 or 1  # past the newest it begins anew, before the one that comes now
        queue.append(page)
    return missed


def s3fifo(references, frames, shares=(0.1, 0.9), move=2):
    small, main, ghosts, uses, missed = [], [], [], {}, 0
    most_small, most_ghosts = (int(share * frames) for share in shares)
    for page in references:
        if page in uses:
            uses[page] += 1
            continue
        missed += 1
        target = main if page in ghosts else small
        ghosts = [ghost for ghost in ghosts if ghost != page]
        from_small, victim = len(small) >= most_small, None
        while len(uses) == frames:
            queue = small if from_small else main
            if not queue:
                from_small = not from_small
                continue
            victim = queue.pop(0)
            if from_small and uses[victim] >= move:
                uses[victim] = 0
                main.append(victim)
            elif not from_small and uses[victim] > 0:
                uses[victim] = min(uses[victim], 3) - 1
                main.append(victim)
            else:
                del uses[victim]
                ghosts = [*ghosts, victim][-most_ghosts:] if from_small and most_ghosts else ghosts
        target.append(page)
        uses[page] = 0
    return missed


def slru(references, frames, segments=2, protected=0.8):
    lists, room, missed = [[] for _ in range(segments)], int(protected * frames / (segments - 1)), 0
    for page in references:
        at = next((i for i, pages in enumerate(lists) if page in pages), None)
        if at is None:
            missed += 1
            if sum(map(len, lists)) == frames:
                next(filter(None, lists)).pop(0)
            lists[0].append(page)
            continue
        lists[at].remove(page)
        lists[min(at + 1, segments - 1)].append(page)
        for i in reversed(range(1, segments)):
            if len(lists[i]) > room:
                lists[i - 1].append(lists[i].pop(0))
    return missed


def twoq(references, frames, kin=0.25, kout=0.5):
    first, often, out, missed = [], [], [], 0
    for page in references:
        if page in often:
            often.remove(page)
            often.append(page)
            continue
        if page in first:
            continue
        missed += 1
        target = often if page in out else first
        out = [ghost for ghost in out if ghost != page]
        if len(first) + len(often) == frames:
            if first and (len(first) > int(kin * frames) or not often):
                out = [*out, first.pop(0)]
                out = out[len(out) - int(kout * frames) :] if len(out) > int(kout * frames) else out
            else:
                often.pop(0)
        target.append(page)
    return missed


def mru(references, frames):
    used, missed = [], 0
    for page in references:
        if page in used:
            used.remove(page)
        else:
            missed += 1
            if len(used) == frames:
                used.pop()
        used.append(page)
    return missed


PLAIN = {oracle.__name__: oracle for oracle in (sieve, s3fifo, slru, twoq, mru)}
ORACLES = {
    **PLAIN,
    "s3fifo(small=0.3, ghost=0.4, move=1)": partial(s3fifo, shares=(0.3, 0.4), move=1),
    "s3fifo(small=0.5, ghost=2, move=4)": partial(s3fifo, shares=(0.5, 2), move=4),
    "slru(segments=4, protected=0.6)": partial(slru, segments=4, protected=0.6),
    "slru(protected=1)": partial(slru, protected=1),
    "twoq(kin=0.6, kout=1.5)": partial(twoq, kin=0.6, kout=1.5),
}


@pytest.mark.parametrize("name", ORACLES)
def test_misses_equal_the_papers(name):
    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.integers(0, 11), min_size=1, max_size=80), st.integers(1, 9))
    def check(references, frames):
        assert misses(references, name, frames) == ORACLES[name](references, frames)

    check()


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("frames", [10, 37])
def test_misses_equal_the_papers_on_long_traces(name, frames):
    rng = np.random.default_rng(3)
    mass = np.cumsum(1 / np.arange(1, 101))
    zipf = np.searchsorted(mass, rng.random(6_000) * mass[-1])
    references = np.where(np.arange(6_000) % 1_000 < 300, 200 + np.arange(6_000) % 60, zipf).tolist()  # with scans
    assert misses(references, name, frames) == ORACLES[name](references, frames)


def test_sieve_spares_what_was_visited():
    """Of A to G the oldest two and the newest are visited, then H comes: C goes, the others stay."""
    visited = [0, 1, 2, 3, 4, 5, 6, 0, 1, 6, 7]
    assert misses([*visited, 0, 1, 3, 4, 5, 6, 7], "sieve", 7) == 8
    assert misses([*visited, 2], "sieve", 7) == 9


def test_a_scan_passes_by():
    """A loop that fits, used again and again, survives a long scan where LRU loses it."""
    references = [*range(8)] * 6 + [*range(100, 160)] + [*range(8)] * 2
    assert misses(references, "lru", 12) == 8 + 60 + 8
    for name in ("sieve", "s3fifo", "slru"):
        assert misses(references, name, 12) == 8 + 60, name


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_cooled_goes_first(name):
    """Nobody would choose page 2 of 0 1 2 0 otherwise."""
    start = [(Op.READ, 0), (Op.READ, 1), (Op.READ, 2), (Op.READ, 0)]
    rest = [(Op.READ, 3), (Op.READ, 0), (Op.READ, 1)]
    faults = [
        int(run(Tape.build([[*start, *advice, *rest]]), name, frames=3).record["faults"][0])
        for advice in ([(Op.COLD, 2)], [])
    ]
    assert faults[0] == 4 < faults[1]


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "mru"])
def test_what_is_cooled_and_used_again_is_a_newcomer(name):
    """Page 0 stands behind 1 and 2 then, and what it was used before counts no more."""
    ops = [(Op.READ, p) for p in (0, 1, 2, 0, 0)] + [(Op.COLD, 0)] + [(Op.READ, p) for p in (0, 3, 0)]
    assert run(Tape.build([ops]), name, frames=3).record["faults"][0] == 4


def test_sieve_forgets_a_visit_before_cooling():
    """Of 1 2 0 in this order all go before 3, since 0 was visited before it cooled, not after."""
    ops = [(Op.READ, p) for p in (0, 1, 2, 0)] + [(Op.COLD, 0)] + [(Op.READ, p) for p in (0, 3, 4, 5, 3)]
    assert run(Tape.build([ops]), "sieve", frames=3).record["faults"][0] == 6


def test_mru_lets_the_cooled_go_before_the_last_used():
    """By claim too, weakest first: cooled at 7, at 8, used at 9, at 5."""
    claims = [mru_claim.py_func(None, SimpleNamespace(use_seq=n)) for n in (7 - COLD_OFFSET, 8 - COLD_OFFSET, 9, 5)]
    assert claims == sorted(claims) and len(set(claims)) == 4


def queue_of(ops, name, frames, page=0):
    """Where the page stands at the end; nothing is dropped when the thread exits."""
    pages = {op[1]: {"private": 0} for op in ops}
    return run(Tape.build([ops], pages=pages), name, frames=frames).arrays["links 0"]["queue"][1 + page]


@pytest.mark.parametrize(
    ("name", "uses", "queue"), [("twoq", 0, 3), ("twoq", 5, 3), ("s3fifo", 1, 3), ("s3fifo", 2, 2)]
)
def test_what_is_paged_out_is_remembered(name, uses, queue):
    """Unless S3-FIFO would have moved it to main, from where nobody is remembered."""
    ops = [*[(Op.READ, 0)] * (1 + uses), (Op.PAGEOUT, 0), (Op.READ, 0)]
    assert queue_of(ops, name, frames=10) == queue


def test_the_peer_fills_main_only_until_the_first_eviction():
    """Nine frames leave no whole one for the small queue: who enters it goes next and leaves a ghost."""
    ops = [(Op.READ, p) for p in range(11)]
    assert [queue_of(ops, "s3fifo(peer=1)", 9, page) for page in (8, 9, 10)] == [3, 4, 2]


@pytest.mark.parametrize(("name", "first", "main"), [("twoq", 2, 3), ("s3fifo", 2, 3)])
def test_what_is_dropped_is_forgotten(name, first, main):
    """Evicted and wanted again it enters the main queue; dropped in between it is a newcomer."""
    start, again = [(Op.READ, p) for p in (0, 1, 2, 3)], [(Op.READ, 4), (Op.READ, 0)]
    assert queue_of([*start, *again], name, frames=4) == main
    assert queue_of([*start, (Op.DONTNEED, 0), *again], name, frames=4) == first


# -- on cores

FREE = {"cores": 1, "nodes": 1, "switch_ns": 0, "move_ns": 0}


def response_ms(policy, programs, cores=1, **keywords):
    """When each thread exits after its arrival."""
    simulation = run(Tape.build(programs, **keywords), policy, **{**FREE, "cores": cores})
    threads = simulation.arrays["threads"]
    return ((threads["exit_ns"] - threads["arrival_ns"]) / MS).tolist()


def test_sieve_lets_who_has_not_run_go_first():
    """A job of half a tick arrives while a long one runs its third slice: it need not wait for the tick."""
    programs = [[(Op.COMPUTE, 10 * MS)], [(Op.COMPUTE, MS // 2)]]
    arrivals = [0, 5 * MS // 2]
    assert response_ms("sieve", programs, arrival_ns=arrivals) == [10.5, 0.5]
    assert response_ms("turns", programs, arrival_ns=arrivals) == [10.5, 1.0]


def test_sieve_takes_a_new_burst_for_new():
    """Thread 1 sleeps after a slice and wakes while the other runs: it need not wait for the tick."""
    programs = [[(Op.COMPUTE, 10 * MS)], [(Op.COMPUTE, 2 * MS), (Op.SLEEP_UNTIL, 15 * MS // 2), (Op.COMPUTE, MS // 2)]]
    assert response_ms("sieve", programs)[1] == 8


def test_slru_lets_a_new_burst_go_before_who_used_slices():
    """Two cores, both with a thread that rose by its ticks, which is a debt there."""
    programs, arrivals = [[(Op.COMPUTE, 10 * MS)]] * 2 + [[(Op.COMPUTE, MS // 2)]], [0, 0, 5 * MS // 2]
    assert response_ms("slru(protected=1)", programs, arrival_ns=arrivals, cores=2)[2] == 0.5
    assert response_ms("slru(protected=0)", programs, arrival_ns=arrivals, cores=2)[2] > 0.5


def test_a_segment_never_has_more_than_its_room():
    """One place is protected; a thread preempted there comes back, to a core that a sleeper left, while it is taken."""
    tape = Tape.build([[(Op.COMPUTE, 40 * MS)]] * 3 + [[(Op.COMPUTE, MS // 2), (Op.SLEEP, 2 * MS)] * 10])
    found = set()
    for ms in range(1, 40):
        simulation = run(tape, "slru(protected=0.5)", **{**FREE, "cores": 2, "horizon_ns": ms * MS + 1})
        found.add(int((simulation.arrays["links 1"]["queue"][:4] == 3).sum()))
    assert found == {0, 1}


def test_who_comes_back_while_remembered_enters_the_main_queue():
    """The second burst of thread 1 preempts the long one; a newcomer of the same instant waits for a tick."""
    programs = [[(Op.COMPUTE, 20 * MS)], [(Op.COMPUTE, MS // 4), (Op.SLEEP_UNTIL, 21 * MS // 4), (Op.COMPUTE, MS // 4)]]
    programs.append([(Op.COMPUTE, MS // 4)])
    arrivals = [0, 0, 21 * MS // 4]
    remembered = response_ms("twoq(kout=16)", programs, arrival_ns=arrivals)
    forgotten = response_ms("twoq(kout=0)", programs, arrival_ns=arrivals)
    assert remembered[1] == 5.5 < forgotten[1]
    assert remembered[2] > 0.25


def test_one_core_has_no_room_for_protected_segments():
    """SLRU is round robin there."""
    runs = [evaluate("sos/CPU-v0", name, cores=1, nodes=1, switch_ns=0, move_ns=0)[0] for name in ("slru", "turns")]
    assert {**runs[0], "policy": ""} == {**runs[1], "policy": ""}


def test_mru_runs_whoever_ran_longest_ago():
    """A third job that comes late is the coldest of all: it runs at once and to its end."""
    programs, arrivals = [[(Op.COMPUTE, 4 * MS)]] * 2 + [[(Op.COMPUTE, MS)]], [0, 0, 3 * MS // 2]
    assert response_ms("mru", programs, arrival_ns=arrivals)[2] == 1.0
    assert response_ms("turns", programs, arrival_ns=arrivals)[2] > 1.0
