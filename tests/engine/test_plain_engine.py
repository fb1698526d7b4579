"""The plain engine against what is known by hand."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_engine import Page, PlainEngine, Rules, Stuck
from strategies import with_locks

from sos_gym.resource import Kind, Op, Resource, State, Status, Why, vacancy

OPS = [("arg", "<i8"), ("lines", "<u2"), ("op", "u1"), ("", "V1")]
THREADS = [(n, "<i8") for n in ("first", "last", "arrival_ns", "think_ns")]
THREADS += [(n, "<i4") for n in ("owner", "weight", "affinity")] + [("", "V4")]
PAGES = [("owner", "<i4"), ("affinity", "<i4"), ("file", "u1"), ("pinned", "u1"), ("private", "u1"), ("", "V1")]
FREE = {
    name: 0 for name in ("switch_ns", "move_near_ns", "move_far_ns", "page_move_ns", "minor_fault_ns", "first_touch_ns")
}
FREE |= {name: 0 for name in ("swap_in_ns", "write_back_ns", "shootdown_ns", "shootdown_core_ns")}
FREE |= {"local_line_ns": 0, "remote_line_ns": 0, "lanes": 1}


def thread(*ops, arrival_ns=0, think_ns=0, owner=0, weight=1024, affinity=-1):
    """Ops are (Op, argument) or (Op, argument, lines)."""
    return ops, (arrival_ns, think_ns, owner, weight, affinity)


def page(owner=0, affinity=-1, file=0, pinned=0, private=0):
    return owner, affinity, file, pinned, private


def make_tape(threads, pages=(), channels=(), owners=1):
    ops, records = [], []
    for own, rest in threads:
        records.append((len(ops), len(ops) + len(own), *rest, b""))
        ops += [(o[1] if len(o) > 1 else 0, o[2] if len(o) > 2 else 64, o[0], b"") for o in own]
    return SimpleNamespace(
        ops=np.array(ops, OPS),
        threads=np.array(records, THREADS),
        pages=np.array([(*p, b"") for p in pages], PAGES),
        channels=np.array(channels, np.int64),
        owners=np.array([(1024,)] * owners, [("weight", "<i4")]),
    )


def run(tape, choose=None, cores=None, frames=None, **rules):
    engine = PlainEngine(tape, Rules(cores, frames, **(FREE | rules)), choose or by(recency))
    engine.run()
    return engine


# -- choosers: ADMIT takes the strongest claim, EVICT the weakest; vacancy has none


def by(claim):
    """Ties in ADMIT: holder, then earliest want. In EVICT: the wanter, then least recently used."""

    def choose(decision):
        entities = decision.engine.entities
        if decision.contenders[0] < 0 and decision.kind == Kind.EVICT:
            return max(c for c in decision.contenders if c < 0)
        held = [entities[c] for c in decision.contenders if c >= 0]
        if decision.kind == Kind.ADMIT:
            return max(held, key=lambda entity: (claim(entity, decision), entity.slot >= 0, -entity.want_seq)).id
        return min(held, key=lambda entity: (claim(entity, decision), entity.slot >= 0, entity.use_seq)).id

    return choose


def recency(entity, decision):
    return entity.use_seq


def seniority(entity, decision):
    return -entity.spell_seq


def turns(entity, decision):
    if entity.slot < 0:
        return decision.now - entity.want_ns
    return -(decision.now - entity.hold_ns) if isinstance(entity, Page) or entity.turn_over else float("inf")


def fifo(entity, decision):
    return entity.hold_seq


def belady(references):
    """The next use of a page by the one thread."""

    def claim(p, decision):
        ahead = references[decision.engine.threads[0].pc :]
        return -ahead.index(p.id - 1) if p.id - 1 in ahead else -len(references)

    return claim


def srpt(t, decision):
    """For jobs of one COMPUTE."""
    return -(t.left["service"] if t.started else decision.engine.ops[t.pc].arg)


def hashed(seed):
    """As good as random, and depends on the decision's number alone."""

    def choose(decision):
        draw = (decision.number * 0x9E3779B97F4A7C15 + seed * 0xBF58476D1CE4E5B9 + 1) % 2**64
        return decision.contenders[(draw >> 33) % len(decision.contenders)]

    return choose


# -- memory


BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("claim", "faults"), [(fifo, (9, 10)), (recency, (10, 8)), (belady([n - 1 for n in BELADY]), (7, 6))]
)
@pytest.mark.parametrize("cores", [None, (1,)])
def test_belady_string(claim, faults, cores):
    tape = make_tape([thread(*[(Op.READ, n - 1) for n in BELADY])], [page()] * 5)
    assert tuple(run(tape, by(claim), cores, (n,)).faults for n in (3, 4)) == faults


def test_device_of_one_lane_queues_write_back_then_page_in():
    ops = [(Op.WRITE, 0, 1), (Op.READ, 1, 1), (Op.READ, 0, 1)]
    tape = make_tape([thread(*ops)], [page(), page(file=1)])
    costs = {"first_touch_ns": 10, "local_line_ns": 5, "write_back_ns": 15, "swap_in_ns": 60, "minor_fault_ns": 1}
    engine = run(tape, None, None, (1,), shootdown_ns=3, shootdown_core_ns=2, **costs)
    # 10 first touch + 5; write-back to 30, page-in to 90, + 1 + 3 + 2 = 96, + 5 = 101; 60 + 1 + 5 = 167, + 5
    assert engine.now == 172
    assert (engine.times[0]["minor"], engine.times[0]["fault_wait"]) == (10, 81 + 66)
    assert (engine.faults, engine.major_faults, engine.evictions, engine.write_backs) == (3, 2, 2, 1)
    assert engine.decisions == []  # one contender each


def test_a_cold_page_goes_first():
    ops = [(Op.READ, 0), (Op.READ, 1), (Op.COLD, 1), (Op.READ, 2), (Op.READ, 0), (Op.READ, 1)]
    engine = run(make_tape([thread(*ops)], [page()] * 3), None, None, (2,), first_touch_ns=1)
    assert ("cool", 2, 0, 0, 2) in engine.verbs
    assert [choice for *_, choice in engine.decisions] == [2, 3]
    assert engine.faults == 4


def test_two_cold_pages_go_in_order():
    ops = [(Op.READ, 0), (Op.READ, 1), (Op.COLD, 1), (Op.COLD, 0), (Op.READ, 2)]
    engine = run(make_tape([thread(*ops)], [page()] * 3), None, None, (2,))
    assert [choice for *_, choice in engine.decisions] == [2]


def test_pageout_keeps_contents_and_dontneed_drops_them():
    ops = [(Op.WRITE, 0, 0), (Op.PAGEOUT, 0), (Op.READ, 0, 0), (Op.WRITE, 0, 0), (Op.DONTNEED, 0), (Op.READ, 0, 0)]
    costs = {"first_touch_ns": 10, "swap_in_ns": 60, "write_back_ns": 15}
    engine = run(make_tape([thread(*ops)], [page()]), None, None, (1,), **costs)
    assert engine.now == 10 + (15 + 60) + 10
    assert (engine.faults, engine.major_faults, engine.write_backs, engine.evictions) == (3, 1, 1, 0)
    whys = [why for verb, _, _, why, _ in engine.verbs if verb == "release"]
    assert whys == [Why.PAGEOUT, Why.DONTNEED]


def test_an_owners_exit_frees_its_private_pages():
    first = thread((Op.WRITE, 0), (Op.READ, 1), (Op.COMPUTE, 5))
    late = thread((Op.READ, 2), (Op.READ, 3), owner=1, arrival_ns=20)
    pages = [page(private=1), page(), page(owner=1), page(owner=1)]
    engine = run(make_tape([first, late], pages, owners=2), None, None, (2,))
    released = [v for v in engine.verbs if v[0] == "release"]
    assert released == [("release", 2, 0, Why.EXIT, 5), ("release", 3, 0, Why.EVICTED, 20)]
    assert engine.write_backs == 0


def test_a_page_in_flight_serves_all_who_wait_for_it():
    tape = make_tape([thread((Op.READ, 0, 1)), thread((Op.READ, 0, 1), arrival_ns=4)], [page(file=1)])
    engine = run(tape, None, None, (1,), swap_in_ns=10, local_line_ns=3)
    assert engine.faults == 1
    assert [engine.times[i]["fault_wait"] for i in (0, 1)] == [10, 6]
    assert engine.now == 13


def test_a_fault_queues_while_every_frame_is_in_flight():
    tape = make_tape([thread((Op.READ, n)) for n in range(3)], [page(file=1)] * 3)
    engine = run(tape, None, None, (1,), swap_in_ns=10)
    assert [engine.times[i]["exit"] for i in range(3)] == [10, 20, 30]


def test_a_queued_page_gets_the_frame_that_its_elder_left():
    """Both frames fill at one instant; the eldest that queues is allowed on both and takes the wrong one."""
    pages = [page(affinity=mask, file=1) for mask in (2, 1, -1, 2, 1)]
    tape = make_tape([thread((Op.READ, n)) for n in range(5)], pages)
    engine = run(tape, lambda d: max(d.contenders), None, (1, 1), swap_in_ns=10, lanes=2)
    assert [engine.times[i]["exit"] for i in range(5)] == [10, 10, 20, 20, 30]


def test_a_hint_demotes_by_exchange():
    ops = [(Op.READ, 0, 1), (Op.READ, 1, 1), (Op.READ, 1, 1), (Op.READ, 1, 1)]
    choices = iter([vacancy(1), 1])  # page 1 starts slow; then page 0 is demoted

    def choose(decision):
        seen.append((decision.cause, decision.contenders))
        return next(choices)

    seen = []
    costs = {
        "first_touch_ns": 1,
        "local_line_ns": 10,
        "remote_line_ns": 25,
        "page_move_ns": 100,
        "shootdown_ns": 7,
        "hint_fault_ns": 0,
    }
    engine = run(make_tape([thread(*ops)], [page()] * 2), choose, None, (1, 1), tiers=True, hint_ns=1000, **costs)
    assert seen == [(Why.FAULT, [vacancy(1), 1]), (Why.HINT, [1, 2])]
    assert engine.verbs[-4:-2] == [("move", 2, 0, 0, 37), ("move", 1, 1, 0, 37)]  # 1 + 10, 1 + 25
    times = engine.times[0]
    assert (times["minor"], times["service"], times["move"], times["remote"]) == (2, 40, 207, 15)


def test_a_page_stays_slow_and_asks_once_per_hint():
    ops = [(Op.READ, 0, 1), *[(Op.READ, 1, 1)] * 5]
    slow = lambda d: d.contenders[0] if d.cause == Why.FAULT else d.entity  # noqa: E731
    costs = {"local_line_ns": 10, "remote_line_ns": 25, "hint_ns": 50, "hint_fault_ns": 0}
    engine = run(make_tape([thread(*ops)], [page()] * 2), slow, None, (1, 1), tiers=True, **costs)
    # local line 0-10, then 25 each: 10 minor fault, 35 hint, 60, 85 hint, 110
    assert [(d[1], d[3]) for d in engine.decisions] == [(10, Why.FAULT), (35, Why.HINT), (85, Why.HINT)]
    assert engine.times[0]["remote"] == 5 * 15


def test_a_scan_moves_a_page_to_its_user():
    ops = [(Op.READ, 0, 1), (Op.READ, 1, 1), (Op.COMPUTE, 100), (Op.READ, 1, 1)]
    admit = lambda d: 2 if d.cause == Why.SCAN else d.contenders[0]  # noqa: E731
    costs = {"local_line_ns": 10, "remote_line_ns": 25, "page_move_ns": 100, "shootdown_ns": 7, "scan_ns": 60}
    engine = run(make_tape([thread(*ops)], [page()] * 2), admit, None, (1, 1), **costs)
    assert engine.decisions[1] == (1, 60, Kind.ADMIT, Why.SCAN, Resource.MEMORY, 1, 0, [1, 2], 2)
    assert engine.times[0]["move"] == 207 and engine.times[0]["remote"] == 15
    assert engine.now == 10 + 25 + 100 + 207 + 10


# -- cores


jobs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=1, max_size=8)


def job_tape(job_list):
    return make_tape([thread((Op.COMPUTE, ns), arrival_ns=arrival) for arrival, ns in job_list])


def exits(engine):
    return [engine.times[i]["exit"] for i in sorted(engine.times)]


@settings(max_examples=200, deadline=None)
@given(jobs, st.integers(1, 3), st.none() | st.integers(1, 5))
def test_fcfs(job_list, cores, tick_ns):
    free, expected = [0] * cores, [0] * len(job_list)
    for i in sorted(range(len(job_list)), key=lambda i: (job_list[i][0], i)):
        arrival, ns = job_list[i]
        core = free.index(min(free))
        free[core] = expected[i] = max(free[core], arrival) + ns
    assert exits(run(job_tape(job_list), by(seniority), (cores,), tick_ns=tick_ns)) == expected


class ListOfJobs:
    """One core, ns by ns: completion, then arrivals, then tick, then choices."""

    def __init__(self, job_list):
        self.left = [ns for _, ns in job_list]
        self.arrivals = [arrival for arrival, _ in job_list]
        self.exits, self.queue, self.running = {}, deque(), None

    def take(self, i):
        self.queue.remove(i)
        self.running = i

    def finish(self, now, pick):
        """Until somebody runs who has something left."""
        while self.running is not None and self.left[self.running] == 0:
            self.exits[self.running], self.running = now, None
            if self.queue:
                self.take(pick(self.queue))


@settings(max_examples=200, deadline=None)
@given(jobs)
def test_srpt(job_list):
    jobs = ListOfJobs(job_list)
    shortest = lambda queue: min(queue, key=lambda i: jobs.left[i])  # noqa: E731
    for now in range(200):
        if jobs.running is not None:
            jobs.left[jobs.running] -= 1
        new = [i for i, arrival in enumerate(jobs.arrivals) if arrival == now]
        jobs.queue.extend(new)
        jobs.finish(now, shortest)
        for i in new:
            if i in jobs.queue and (jobs.running is None or jobs.left[i] < jobs.left[jobs.running]):
                if jobs.running is not None:
                    jobs.queue.append(jobs.running)
                jobs.take(i)
                jobs.finish(now, shortest)
    assert exits(run(job_tape(job_list), by(srpt), (1,), tick_ns=None)) == [jobs.exits[i] for i in range(len(job_list))]


@settings(max_examples=200, deadline=None)
@given(jobs, st.integers(1, 5))
def test_round_robin(job_list, quantum):
    jobs, turn = ListOfJobs(job_list), 0
    first = lambda queue: queue[0]  # noqa: E731
    for now in range(200):
        turn += 1
        if jobs.running is not None:
            jobs.left[jobs.running] -= 1
        jobs.queue.extend(i for i, arrival in enumerate(jobs.arrivals) if arrival == now)
        before = jobs.running
        jobs.finish(now, first)
        if jobs.running is None and jobs.queue:
            jobs.take(jobs.queue[0])
            jobs.finish(now, first)
        turn = 0 if jobs.running != before or (turn == quantum and not jobs.queue) else turn
        if turn == quantum:
            jobs.queue.append(jobs.running)
            jobs.take(jobs.queue[0])
            jobs.finish(now, first)
            turn = 0
    expected = [jobs.exits[i] for i in range(len(job_list))]
    assert exits(run(job_tape(job_list), by(turns), (1,), tick_ns=quantum)) == expected


def test_the_preempted_queues_behind_an_arrival_at_the_same_ns():
    engine = run(job_tape([(0, 8), (0, 4), (4, 4)]), by(turns), (1,), tick_ns=4)
    assert [(v[1], v[4]) for v in engine.verbs if v[0] == "hold"] == [(0, 0), (1, 4), (2, 8), (0, 12)]
    assert exits(engine) == [16, 8, 12]


def test_switch_and_moves_are_paid_before_service():
    """Thread 1 starts on node 0, runs on node 1."""
    tape = make_tape([thread((Op.COMPUTE, 50), affinity=1), thread((Op.COMPUTE, 5), (Op.SLEEP, 20), (Op.COMPUTE, 5))])
    order = iter([1, 1, vacancy(1)])
    engine = run(
        tape, lambda d: next(order), (1, 1), switch_ns=3, move_far_ns=9, warm_ns=(0, 0), tick_ns=None, may_idle=True
    )
    assert engine.times[1] == {
        **dict.fromkeys(("move", "minor", "remote", "cpu_wait", "fault_wait", "lock_wait"), 0),
        **{"switch": 3, "service": 10, "sleep": 20},
        **{"arrival": 0, "exit": 33},
    }
    assert engine.switches == 2
    assert engine.bursts == [(1, 0, 8, 5), (1, 28, 33, 5), (0, 0, 53, 50)]


def test_a_far_move():
    """Thread 0 wakes at 10 and finds its node taken by thread 2."""
    sleeper = thread((Op.COMPUTE, 5), (Op.SLEEP, 5), (Op.COMPUTE, 5))
    tape = make_tape([sleeper, thread((Op.COMPUTE, 9), affinity=2), thread((Op.COMPUTE, 9), affinity=1, arrival_ns=6)])
    engine = run(
        tape, lambda d: vacancy(1) if vacancy(1) in d.contenders else d.entity, (1, 1), move_far_ns=20, warm_ns=(0, 0)
    )
    assert (engine.times[0]["move"], engine.moves) == (20, 1)
    assert exits(engine) == [10 + 20 + 5, 9, 15]


def test_yield_lets_another_run():
    first = thread((Op.COMPUTE, 5), (Op.YIELD,), (Op.COMPUTE, 5))
    engine = run(make_tape([first, thread((Op.COMPUTE, 7))]), by(seniority), (1,))
    assert exits(engine) == [17, 12]
    assert len(engine.bursts) == 2
    assert exits(run(make_tape([first]), by(seniority), (1,))) == [10]


def test_a_refused_core_is_offered_again_at_the_tick():
    """Node 0 is left idle at 10 and 14; at 18 thread 3 moves there."""
    busy = [thread((Op.COMPUTE, 10)), thread((Op.COMPUTE, 100), affinity=2), thread((Op.COMPUTE, 1), arrival_ns=200)]
    seen = []

    def choose(decision):
        if decision.cause != Why.IDLE:
            return decision.entity
        seen.append(decision.now)
        return vacancy(0) if decision.now < 18 else 3

    engine = run(make_tape([*busy, thread((Op.COMPUTE, 5), arrival_ns=3)]), choose, (1, 1), tick_ns=4, may_idle=True)
    assert seen == [10, 14, 18]
    assert engine.times[3]["exit"] == 23


def test_semaphores_wake_first_come_first_served():
    waiters = [thread((Op.WAIT, 0), (Op.COMPUTE, 2), arrival_ns=i) for i in range(2)]
    signaller = thread((Op.COMPUTE, 10), (Op.SIGNAL, 0), (Op.COMPUTE, 10), (Op.SIGNAL, 0))
    engine = run(make_tape([*waiters, signaller], channels=[0]))
    assert exits(engine) == [12, 22, 20]
    assert engine.times[1]["sleep"] == 19


def test_a_late_open_arrival_counts_from_its_time():
    ops = [(Op.COMPUTE, 10), (Op.SLEEP_UNTIL, 4), (Op.COMPUTE, 3), (Op.SLEEP_UNTIL, 20), (Op.COMPUTE, 1)]
    for cores in (None, (1,)):
        engine = run(make_tape([thread(*ops)]), cores=cores)
        assert engine.bursts == [(0, 0, 10, 10), (0, 4, 13, 3), (0, 20, 21, 1)]


@pytest.mark.parametrize("cores", [None, (1,)])
@pytest.mark.parametrize("scan_ns", [None, 5])
def test_a_stuck_tape_names_its_threads(cores, scan_ns):
    tape = make_tape([thread((Op.READ, 0)), thread((Op.COMPUTE, 3), (Op.WAIT, 0))], [page()], channels=[0])
    with pytest.raises(Stuck) as error:
        run(tape, by(seniority), cores, (1,), scan_ns=scan_ns)
    assert error.value.args == ([1],)


# -- everything at once


class Watched(PlainEngine):
    """When time passes, no page queues while a frame is legal for it."""

    @property
    def now(self):
        return self.__dict__["now"]

    @now.setter
    def now(self, ns):
        self.__dict__["now"] = ns
        for p in getattr(self, "frame_queue", ()):
            frames = [f for f in self.frames if self.entities[p].allowed(f.node)]
            assert all(f.holder >= 0 and not self.entities[f.holder].legal() for f in frames)


@st.composite
def tapes(draw):
    channels, pages, owners = 2, draw(st.integers(1, 6)), draw(st.integers(1, 2))
    ns = st.integers(0, 40)
    number = {op: ns for op in (Op.COMPUTE, Op.SLEEP, Op.YIELD, Op.EXIT)} | {Op.SLEEP_UNTIL: st.integers(0, 300)}
    number |= {op: st.integers(0, pages - 1) for op in (Op.READ, Op.WRITE, Op.COLD, Op.PAGEOUT, Op.DONTNEED)}
    number |= {op: st.integers(0, channels - 1) for op in (Op.WAIT, Op.SIGNAL)}
    kinds = [Op.READ, Op.READ, Op.WRITE, Op.COMPUTE, Op.SIGNAL, *number]
    kinds.remove(Op.EXIT)

    def one_op():
        op = draw(st.sampled_from(kinds) if draw(st.integers(0, 30)) else st.just(Op.EXIT))
        return op, draw(number[op]), draw(st.integers(0, 3))

    threads = []
    for _ in range(draw(st.integers(1, 5))):
        ops = [one_op() for _ in range(draw(st.integers(0, 12)))]
        end = next((i for i, op in enumerate(ops) if op[0] == Op.EXIT), len(ops))
        ops = [*draw(with_locks(ops[:end])), *ops[end:]]
        where = {"owner": draw(st.integers(0, owners - 1)), "affinity": draw(st.sampled_from([-1, -1, 1, 2]))}
        threads.append(thread(*ops, arrival_ns=draw(ns), think_ns=draw(st.integers(0, 9)), **where))
    flag = st.integers(0, 1)
    where = [(draw(st.integers(0, owners - 1)), draw(st.sampled_from([-1, -1, 1, 2]))) for _ in range(pages)]
    kinds = [page(o, a, draw(flag), n == 0 and draw(flag), draw(flag)) for n, (o, a) in enumerate(where)]
    return make_tape(threads, kinds, draw(st.lists(st.integers(0, 3), min_size=2, max_size=2)), owners)


@st.composite
def rule_sets(draw):
    cost = st.integers(0, 6)
    per_node = st.none() | st.tuples(st.integers(1, 2), st.integers(1, 3))
    names = [name for name in FREE if name not in ("lanes", "remote_line_ns")]
    costs = {name: draw(cost) for name in names} | {"lanes": draw(st.integers(1, 2))}
    costs["remote_line_ns"] = costs["local_line_ns"] + draw(cost)
    costs["decision_ns"] = draw(st.sampled_from([0, 1, 6]))
    moves = 2 * costs["page_move_ns"] + costs["shootdown_ns"] + 5 * costs["shootdown_core_ns"]
    overhead = 2 * (moves + costs["decision_ns"])  # of a scan
    scan_ns = st.integers(2 * overhead + 1, 2 * overhead + 60)  # shorter ones may leave no time for service
    periods = {"scan_ns": draw(st.none() | scan_ns), "tick_ns": draw(st.none() | st.integers(21, 60))}
    ways = {"tiers": draw(st.booleans()), "hint_ns": draw(st.none() | st.integers(0, 30))}
    ways |= {"reclaim": draw(st.sampled_from(["global", "local"])), "may_idle": draw(st.booleans())}
    return Rules(draw(per_node), draw(per_node), **costs, **periods, **ways)


@settings(max_examples=600, deadline=None)
@given(tapes(), rule_sets(), st.integers(0, 99))
def test_whatever_is_chosen_the_tape_ends(tape, rules, seed):
    engine = Watched(tape, rules, hashed(seed))
    try:
        engine.run()
    except Stuck as error:
        assert error.args[0] == [t.id for t in engine.threads if t.status != Status.EXITED]
        assert not any(t.status in (Status.RUNNING, Status.CPU_WAIT, Status.SLEEPING) for t in engine.threads)
        held = {p.id for p in engine.pages if p.state == State.WAITING}
        assert held == engine.frame_queue and (not held or any(p.pinned for p in engine.pages))
    else:
        assert not engine.frame_queue and all(t.status == Status.EXITED for t in engine.threads)
        assert len(engine.times) == len(tape.threads)
    again = PlainEngine(tape, rules, hashed(seed))
    try:
        again.run()
    except Stuck:
        assert again.live
    assert (again.verbs, again.decisions, again.bursts) == (engine.verbs, engine.decisions, engine.bursts)
