"""Rules for cores against plain oracles, decision by decision, and the bounds their authors proved."""

import math
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from fluid import ideal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_engine import PlainEngine, Rules
from runs import ALWAYS, MS, misses, run
from strategies import traces

from sos_gym import Tape
from sos_gym.resource import DEFAULT_WEIGHT, Kind, Op, Why

FREE = {"switch_ns": 0, "move_ns": 0}
LEAVES = (Why.BLOCK, Why.FAULT, Why.EXIT)
CLOSE = Fraction(1, 1000)  # virtual ns that floating point may not tell apart


# -- a plain engine that an oracle drives


class Watched(PlainEngine):
    """The plain engine; its oracle hears every verb of the threads, charged up to now, and chooses."""

    def __init__(self, tape, rules, oracle):
        super().__init__(tape, rules, oracle.choose)
        self.oracle = oracle

    def tell(self, verb, e, what=0, why=0, slow=False):
        super().tell(verb, e, what, why, slow)
        for t in self.threads:
            self.charge(t)
        self.oracle.hear(self, verb, e, what, why)


class Oracle:
    """Takes the best by `key(engine, thread)`, the least of a sort; equals by turns, and a newcomer waits."""

    def __init__(self):
        self.line, self.arrivals, self.holders = {}, 0, set()

    def hear(self, engine, verb, e, arg, why):
        """Keep the line of those who wait: whoever lost its core is at its end."""
        if verb == "want" or (verb == "release" and why in (Why.PREEMPT, Why.YIELD)):
            self.arrivals += 1
            self.line[e.id] = self.arrivals

    def choose(self, decision):
        engine = decision.engine
        if decision.kind == Kind.EVICT:  # one core: its holder, or the newcomer
            (holder,) = set(decision.contenders) - {decision.entity}
            better = self.key(engine, decision.entity, decision.now) < self.key(engine, holder, decision.now)
            return holder if better else decision.entity
        threads = [i for i in decision.contenders if i >= 0]
        keys = {i: self.key(engine, i, decision.now) for i in threads}
        return min(threads, key=lambda i: (keys[i], i == decision.entity, self.line[i]))


def exits(tape, policy, tick_ns):
    threads = run(tape, policy, cores=1, tick_ns=tick_ns, **FREE).arrays["threads"]
    return threads["exit_ns"].tolist()


def plain_exits(tape, oracle, tick_ns):
    rules = Rules(cores=(1,), frames=None, tick_ns=tick_ns, switch_ns=0, move_near_ns=0, move_far_ns=0)
    engine = Watched(tape, rules, oracle)
    engine.run()
    return [engine.times[i]["exit"] for i in range(len(engine.threads))]


EQUAL, WEIGHTS = st.just(DEFAULT_WEIGHT), st.integers(300, 5000)


def program_of(longest):
    """Bursts with sleeps, and yields, in between."""
    burst = st.tuples(st.just(Op.COMPUTE), st.integers(1, longest))
    pause = st.tuples(st.sampled_from([Op.SLEEP, Op.SLEEP, Op.YIELD]), st.integers(1, longest))
    return st.lists(st.tuples(burst, pause), min_size=1, max_size=5).map(lambda pairs: [op for p in pairs for op in p])


@st.composite
def tapes_of(draw, longest, weights=EQUAL):
    """Up to six threads; YIELD takes no argument."""
    programs = draw(st.lists(program_of(longest), min_size=1, max_size=6))
    programs = [[(op, arg) if op != Op.YIELD else (op, 0) for op, arg in program] for program in programs]
    each = len(programs)
    arrival = draw(st.lists(st.integers(0, 2 * longest), min_size=each, max_size=each))
    weight = draw(st.lists(weights, min_size=each, max_size=each))
    return Tape.build(programs, arrival_ns=arrival, weight=weight)


# -- ladder


class Ladder(Oracle):
    """MLFQ on paper: allotments that double downwards, and a boost by `forget` levels each period."""

    def __init__(self, levels, allotment, period, forget):
        super().__init__()
        self.levels, self.allotment, self.period, self.forget = levels, allotment, period, forget
        self.level, self.left, self.epoch = defaultdict(int), {}, 0

    def boost(self, now):
        while self.epoch < now // self.period:
            self.epoch += 1
            self.level = defaultdict(int, {i: max(0, level - self.forget) for i, level in self.level.items()})
            self.left.clear()

    def hear(self, engine, verb, e, arg, why):
        super().hear(engine, verb, e, arg, why)
        self.boost(engine.now)
        if verb == "use":
            spent = arg
            while self.level[e.id] < self.levels - 1:
                left = self.left.get(e.id, self.allotment * 2 ** self.level[e.id])
                self.left[e.id] = left - min(left, spent)
                if self.left[e.id] > 0:
                    break
                spent -= left
                self.level[e.id] += 1
                del self.left[e.id]

    def key(self, engine, i, now):
        self.boost(now)
        return self.level[i]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    *(tapes_of(40), st.integers(1, 12), st.integers(1, 5), st.integers(1, 10), st.integers(5, 200), st.integers(0, 5))
)
def test_ladder_equals_the_plain_levels(tape, tick, levels, slice_ns, period, forget):
    spec = f"mlfq(levels={levels}, slice_ns={slice_ns}, period_ns={period}, forget={forget})"
    assert exits(tape, spec, tick) == plain_exits(tape, Ladder(levels, slice_ns, period, forget), tick)


def test_the_ladder_by_hand():
    """Thread 0 falls to level 1 after 4 ns; thread 1 comes at 6 on top, preempts, and falls at 10."""
    tape = Tape.from_jobs([0, 6], [10, 5])
    assert exits(tape, "ladder(slice_ns=4, levels=2)", 2) == [15, 13]  # 0: 0-6, 10-12, 13-15; 1: 6-10, 12-13
    assert exits(tape, "ladder(slice_ns=4, levels=1)", 2) == [14, 15]  # plain turns of 2


def test_on_frames_use_lifts_and_time_ages():
    """Page 0 was used twice: it outlives the younger 1, until a period has passed."""
    references = [0, 0, 1, 2, 0]
    assert misses(references, "lru", 2) == 4 and misses(references, "ladder", 2) == 3
    assert misses(references, "ladder(period_ns=1)", 2) == 4
    assert misses(references, "ladder(levels=1)", 2) == 4


@settings(max_examples=60, deadline=None)
@given(traces, st.integers(1, 6))
def test_a_ladder_of_one_rung_is_lru(references, frames):
    assert misses(references, "ladder(levels=1)", frames) == misses(references, "lru", frames)


# -- shortest, attained


class Shortest(Oracle):
    """Its own sum of each burst, and their running mean."""

    def __init__(self, alpha):
        super().__init__()
        self.alpha, self.mean = alpha, {}

    def hear(self, engine, verb, e, arg, why):
        super().hear(engine, verb, e, arg, why)
        if verb == "release" and why == Why.BLOCK:
            old = self.mean.get(e.id, e.attained)
            self.mean[e.id] = self.alpha * e.attained + (1 - self.alpha) * old

    def key(self, engine, i, now):
        so_far = engine.threads[i].attained
        return max(self.mean.get(i, 0) - so_far, so_far / 2)


class Attained(Oracle):
    def key(self, engine, i, now):
        return engine.threads[i].attained


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tapes_of(40), st.integers(1, 12), st.sampled_from([0.25, 0.5, 1.0]))
def test_shortest_equals_the_plain_mean(tape, tick, alpha):
    assert exits(tape, f"srtf(alpha={alpha})", tick) == plain_exits(tape, Shortest(alpha), tick)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tapes_of(40), st.integers(1, 12))
def test_attained_equals_the_plain_sum(tape, tick):
    assert exits(tape, "las", tick) == plain_exits(tape, Attained(), tick)


@settings(max_examples=60, deadline=None)
@given(traces, st.integers(1, 6))
def test_on_frames_attained_is_fifo_and_edf_is_min(references, frames):
    assert misses(references, "attained", frames) == misses(references, "fifo", frames)
    assert misses(references, "edf", frames) == misses(references, "min", frames)


def shortest_misses(references, frames, alpha, ns):
    """One reference each `ns`, hit or miss: the page whose next use is estimated farthest goes."""
    resident, last, mean, faults = set(), {}, {}, 0
    for i, page in enumerate(references):
        if page not in resident:
            faults += 1
            if len(resident) == frames:

                def rest(p, now=i):
                    age = now - last[p]
                    return max(mean.get(p, 0) - age, age / 2)

                resident.remove(max(resident, key=lambda p: (rest(p), -last[p])))
            resident.add(page)
        if page in last:
            gap = i - last[page]
            mean[page] = alpha * gap + (1 - alpha) * mean.get(page, gap)
        last[page] = i
    return faults


@settings(max_examples=150, deadline=None)
@given(traces, st.integers(1, 6))
def test_on_frames_shortest_equals_the_plain_mean(references, frames):
    free = {"swap_in_ns": 0, "minor_fault_ns": 0, "first_touch_ns": 0, "shootdown_ns": 0, "shootdown_core_ns": 0}
    tape = Tape.from_references(references)
    found = run(tape, "shortest", frames=frames, **free).record["faults"][0]
    assert found == shortest_misses(references, frames, 0.5, None)


# -- virtual time


class Virtual(Oracle):
    """The paper's bookkeeping: virtual time passes at 1 / (weight of the active), and jumps when lag comes or goes."""

    def __init__(self, keep_lag=True, clamp=None):
        super().__init__()
        self.now, self.active, self.seen = Fraction(0), {}, defaultdict(int)
        self.place, self.lag, self.keep_lag, self.clamp = {}, defaultdict(Fraction), keep_lag, clamp

    def sync(self, engine):
        for t in engine.threads:
            ns, self.seen[t.id] = t.times["service"] - self.seen[t.id], t.times["service"]
            if ns:
                self.place[t.id] += Fraction(ns, t.weight)
                self.now += Fraction(ns, sum(self.active.values()))

    def hear(self, engine, verb, e, arg, why):
        super().hear(engine, verb, e, arg, why)
        self.sync(engine)
        if verb == "want":
            others = sum(self.active.values())
            lag = self.lag[e.id] * self.keep_lag if others else 0
            self.now -= Fraction(lag * e.weight, others or 1)
            self.place[e.id] = self.now - lag
            self.active[e.id] = e.weight
        if verb == "release" and why in LEAVES:
            lag = self.now - self.place[e.id]
            limit = self.clamp / Fraction(e.weight) if self.clamp else abs(lag)
            self.lag[e.id] = max(-limit, min(limit, lag))
            del self.active[e.id]
            self.now += Fraction(lag * e.weight, sum(self.active.values()) or 1)

    def choose(self, decision):
        """Not where floating point may see it otherwise."""
        self.sync(decision.engine)
        keys = sorted(self.key(decision.engine, i, decision.now) for i in decision.contenders if i >= 0)
        for one, two in pairwise(keys):
            assume(one[0] != two[0] or abs(one[1] - two[1]) > CLOSE / DEFAULT_WEIGHT)
        return super().choose(decision)


class Stride(Virtual):
    def __init__(self, quantum):
        super().__init__()
        self.quantum = quantum

    def key(self, engine, i, now):
        return 0, self.place[i] + Fraction(self.quantum, engine.threads[i].weight)


class Eevdf(Virtual):
    def __init__(self, slice_ns, keep_lag):
        super().__init__(keep_lag, clamp=2 * slice_ns)
        self.slice_ns, self.due = slice_ns, {}

    def request(self, e):
        self.due[e.id] = self.place[e.id] + Fraction(self.slice_ns, e.weight)

    def hear(self, engine, verb, e, arg, why):
        super().hear(engine, verb, e, arg, why)
        if verb == "want" or (verb == "use" and self.place[e.id] >= self.due[e.id]):
            self.request(e)
        elif verb == "release" and why == Why.YIELD:
            self.due[e.id] += Fraction(self.slice_ns, e.weight)

    def key(self, engine, i, now):
        if self.place[i] >= self.due[i]:
            self.request(engine.threads[i])
        ahead = self.place[i] - self.now
        assume(ahead == 0 or abs(ahead) > 2 * CLOSE / DEFAULT_WEIGHT)
        return ahead > 0, self.due[i]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tapes_of(100_000, WEIGHTS), st.integers(1_000, 30_000))
def test_stride_equals_the_papers_bookkeeping(tape, tick):
    assert exits(tape, f"stride(quantum_ns={tick})", tick) == plain_exits(tape, Stride(tick), tick)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tapes_of(100_000, WEIGHTS), st.integers(1_000, 30_000), st.integers(1_000, 30_000), st.integers(0, 1))
def test_eevdf_equals_the_papers_bookkeeping(tape, tick, slice_ns, keep_lag):
    spec = f"eevdf(slice_ns={slice_ns}, keep_lag={keep_lag})"
    assert exits(tape, spec, tick) == plain_exits(tape, Eevdf(slice_ns, keep_lag), tick)


def services(policy, weights, arrival_ns, tick_ns, horizon_ns):
    tape = Tape.build([[(Op.COMPUTE, ALWAYS)]] * len(weights), weight=weights, arrival_ns=arrival_ns)
    simulation = run(tape, policy, cores=1, tick_ns=tick_ns, horizon_ns=horizon_ns, **FREE)
    return simulation.arrays["threads"]["service"].tolist()


crowds = st.lists(st.tuples(WEIGHTS, st.integers(0, 300)), min_size=1, max_size=7)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(crowds, st.integers(5, 60), st.integers(1, 3), st.integers(400, 3_000))
def test_eevdf_keeps_lag_within_one_request(crowd, tick, ticks, end):
    """Theorem 1 of Stoica and Abdel-Wahab: -r < lag < max(r, q), steady or with joins of lag 0."""
    weights, arrival = map(list, zip(*crowd, strict=True))
    request = tick * ticks
    found = services(f"eevdf(slice_ns={request})", weights, arrival, tick, end)
    for fluid, service in zip(ideal(weights, arrival, end), found, strict=True):
        assert abs(fluid - service) < request + 1e-6


@pytest.mark.parametrize("policy", ["stride(quantum_ns={})", "fair_share", "owner_share"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(crowd=st.lists(WEIGHTS, min_size=2, max_size=7), tick=st.integers(5, 60), end=st.integers(400, 3_000))
def test_no_pair_is_a_quantum_off(policy, crowd, tick, end):
    """Of what two got together, each has its share to within a quantum."""
    found = services(policy.format(tick), crowd, [0] * len(crowd), tick, end)
    for i in range(len(crowd)):
        for j in range(i):
            share = Fraction(crowd[i], crowd[i] + crowd[j])
            assert abs(found[i] - (found[i] + found[j]) * share) <= tick


def test_lag_survives_sleep_only_if_kept():
    """Thread 0 sleeps when it has had more than its share: with its lag kept it then has to wait for it."""
    tape = Tape.build([[(Op.COMPUTE, 10), (Op.SLEEP, 4), (Op.COMPUTE, 10)], [(Op.COMPUTE, 100)]])
    kept, dropped = (exits(tape, f"eevdf(slice_ns=10, keep_lag={keep})", 10)[0] for keep in (1, 0))
    assert dropped < kept


def test_on_frames_stride_keeps_what_is_used_and_heavy():
    references = [0, 1, 0, 0, 0, 1, 2, 0]
    assert (misses(references, "stride", 2), misses(references, "lru", 2)) == (3, 4)
    first = [*[(Op.READ, 0), (Op.READ, 1)] * 4, (Op.READ, 2), (Op.READ, 1)]
    for heavy, faults in ((0, 4), (1, 3)):  # of pages 0 and 1, used four times each, the light one goes
        pages = {page: {"owner": page} for page in range(3)}
        weight = [2048 if page == heavy else 1024 for page in range(3)]
        tape = Tape.build([first, *[[(Op.COMPUTE, 1)]] * 2], pages=pages, owner_weight=weight)
        assert run(tape, "stride", frames=2).record["faults"][0] == faults


def test_on_frames_eevdf_is_fifo_among_the_little_used():
    """At the fault of 3, pages 1 and 2 lie below the mean; 1 asked first, though it was used last."""
    references = [0, 0, 0, 1, 0, 0, 2, 1, 3, 0, 2]
    assert [misses(references, name, 3) for name in ("eevdf", "lfu", "lru")] == [4, 5, 6]


@pytest.mark.parametrize("policy", ["stride", "eevdf", "ladder", "shortest"])
def test_what_is_cooled_goes_first(policy):
    """Page 0 is used most and cooled; then it, and not page 1, makes room for page 2."""
    ops = [(Op.READ, page) for page in (0, 1, 0, 0, 0, 1, 0)]
    for cold, faults in (([], 4), ([(Op.COLD, 0)], 3)):
        tape = Tape.build([[*ops, *cold, (Op.READ, 2), (Op.READ, 1)]])
        assert run(tape, policy, frames=2).record["faults"][0] == faults


# -- deadlines


def overloaded(jobs) -> bool:
    """Processor demand: some interval must hold more work than it is long."""
    starts, ends = {a for a, _, _ in jobs}, {a + d for a, _, d in jobs}
    return any(
        sum(c for a, c, d in jobs if a >= start and a + d <= end) > end - start
        for start in starts
        for end in ends
        if end > start
    )


def missed(jobs, tick_ns=None) -> bool:
    arrival, work, within = zip(*jobs, strict=True)
    tape = Tape.build([[(Op.COMPUTE, c)] for c in work], arrival_ns=list(arrival), deadline_ns=list(within))
    return any(end > a + d for end, a, d in zip(exits(tape, "edf", tick_ns), arrival, within, strict=True))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12), st.integers(1, 60)), min_size=1, max_size=12))
def test_edf_misses_a_deadline_only_where_everybody_must(jobs):
    assert missed(jobs) == overloaded(jobs)


tasks = st.lists(st.tuples(st.sampled_from([2, 3, 4, 6, 8, 12]), st.integers(1, 5)), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tasks)
def test_edf_schedules_every_task_set_of_utilisation_one(pairs):
    """Liu and Layland's theorem 7: periods as deadlines, from a common start to the hyperperiod."""
    pairs = [(10 * period, 10 * min(work, period)) for period, work in pairs]
    used, end = sum(Fraction(work, period) for period, work in pairs), math.lcm(*(period for period, _ in pairs))
    jobs = [(start, work, period) for period, work in pairs for start in range(0, end, period)]
    assert missed(jobs) == (used > 1)


def test_the_task_set_that_fixed_priorities_miss():
    """Two tasks, utilisation .97: rate monotonic misses, EDF does not."""
    jobs = [(start, 20, 50) for start in range(0, 350, 50)] + [(start, 40, 70) for start in range(0, 350, 70)]
    assert not missed(jobs)
    tape = Tape.build(
        [[(Op.COMPUTE, c)] for _, c, _ in jobs],
        arrival_ns=[a for a, _, _ in jobs],
        weight=[2048 if d == 50 else 1024 for _, _, d in jobs],
    )
    monotonic = exits(tape, "priority", None)
    assert any(end > a + d for end, (a, _, d) in zip(monotonic, jobs, strict=True))


def test_periodic_threads_keep_their_deadlines():
    """The same as threads that sleep until their next period: the burst's deadline is the engine's."""
    programs = [
        [op for k in range(20) for op in ((Op.SLEEP_UNTIL, k * period), (Op.COMPUTE, work))]
        for period, work in ((50, 20), (75, 40))
    ]
    tape = Tape.build(programs, deadline_ns=[50, 75])
    simulation = run(tape, "edf", cores=1, tick_ns=1, **FREE)
    bursts = simulation.arrays["bursts"]
    bursts = bursts[bursts["attained"] > 0]
    assert len(bursts) == 40
    assert (bursts["end"] - bursts["start"] <= np.array([50, 75])[bursts["thread"]]).all()


@settings(max_examples=60, deadline=None)
@given(tapes_of(40), st.integers(1, 12))
def test_without_deadlines_edf_takes_turns(tape, tick):
    assert exits(tape, "edf", tick) == exits(tape, "turns", tick)


# -- owners


class OwnerShare(Oracle):
    """One thread per owner: a waker's account is filled up to `credit` before the least of the others."""

    def __init__(self, credit):
        super().__init__()
        self.credit, self.account, self.seen, self.active = credit, defaultdict(Fraction), defaultdict(int), set()

    def sync(self, engine):
        for t in engine.threads:
            self.account[t.id] += Fraction(t.times["service"] - self.seen[t.id], t.weight)
            self.seen[t.id] = t.times["service"]

    def hear(self, engine, verb, e, arg, why):
        super().hear(engine, verb, e, arg, why)
        self.sync(engine)
        if verb == "want" and self.active:
            least = min(self.account[i] for i in self.active) - Fraction(self.credit, DEFAULT_WEIGHT)
            self.account[e.id] = max(self.account[e.id], least)
        if verb == "want":
            self.active.add(e.id)
        elif verb == "release" and why in LEAVES:
            self.active.remove(e.id)

    def choose(self, decision):
        self.sync(decision.engine)
        keys = sorted(self.key(decision.engine, i, 0) for i in decision.contenders if i >= 0)
        assume(all(b - a > CLOSE / DEFAULT_WEIGHT for a, b in pairwise(keys)))
        return super().choose(decision)

    def key(self, engine, i, now):
        return self.account[i]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tapes_of(100_000, WEIGHTS), st.integers(1_000, 30_000), st.integers(0, 100_000))
def test_owner_share_equals_the_plain_accounts(tape, tick, credit):
    assert exits(tape, f"owner_share(credit_ns={credit})", tick) == plain_exits(tape, OwnerShare(credit), tick)


@settings(max_examples=100, deadline=None)
@given(tapes_of(100_000, WEIGHTS), st.integers(1_000, 30_000))
def test_without_credit_it_is_fair_share(tape, tick):
    assert exits(tape, "owner_share(credit_ns=0)", tick) == exits(tape, "fair_share", tick)


def test_a_sleeper_is_served_ahead_but_banks_no_more_than_its_credit():
    """After 500 ms of sleep it runs alone for its 3 ms of credit, then both share."""
    tape = Tape.build([[(Op.COMPUTE, ALWAYS)], [(Op.SLEEP_UNTIL, 500 * MS), (Op.COMPUTE, ALWAYS)]])

    def served(policy, after):
        simulation = run(tape, policy, cores=1, horizon_ns=(500 + after) * MS, **FREE)
        return simulation.arrays["threads"]["service"][1] / MS

    assert served("owner_share", 3) == 3 and served("owner_share", 100) == pytest.approx(51.5, abs=1)
    assert served("fair_share", 100) == pytest.approx(50, abs=1)
    assert served("owner_share(credit_ns=20_000_000)", 20) == 20
