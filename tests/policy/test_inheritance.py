"""Priority inheritance: on paper, against a plain reading of who waits for whom, and on the family made for it."""

import pytest
from beside_plain import TIMES, rules_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_engine import PlainEngine, Stuck
from runs import host, run
from strategies import COSTS, settings_of, tapes

from sos_gym import PlainPolicy, Tape, evaluate
from sos_gym.engine.simulation import Simulation, StuckError
from sos_gym.resource import NONE, Kind, Op, Why
from sos_gym.settings.environment import SettingError, build_settings

FREE = {**dict.fromkeys((*COSTS, "remote_line_ns", "move_ns"), 0), "tick_ns": None}
LOW, MIDDLE, HIGH = 15, 1024, 88_761


def locked(lock, *work):
    return [(Op.LOCK, lock), *work, (Op.UNLOCK, lock)]


def times_of(simulation):
    threads = simulation.arrays["threads"]
    return [{name: int(thread[name]) for name in (*TIMES, "exit_ns") if thread[name]} for thread in threads]


# -- on paper


@pytest.mark.parametrize(
    ("policy", "high", "middle", "low"),
    [
        (
            "priority",
            {"service": 15, "lock_wait": 135, "exit_ns": 155},
            {"service": 100, "exit_ns": 110},
            {"service": 50, "cpu_wait": 5 + 100 + 10, "exit_ns": 165},
        ),
        (
            "inheritance",
            {"service": 15, "lock_wait": 35, "exit_ns": 55},
            {"service": 100, "cpu_wait": 45, "exit_ns": 155},
            {"service": 50, "cpu_wait": 5 + 10 + 100, "exit_ns": 165},
        ),
    ],
)
def test_the_high_one_waits_for_the_critical_section_or_for_all_the_middle_ones_work(policy, high, middle, low):
    """One core, nothing costs. Low holds the lock for 40 from 0 on; high comes at 5, works for 5, wants the lock for
    10; middle comes at 10 and works for 100.

    At 10 high waits for the lock, of which low has 35 left. Priority: middle 10-110, low 110-145, high 145-155, low the
    10 behind its section. Inheritance: low 10-45, high 45-55, middle 55-155, low 155-165.
    """
    programs = [
        [*locked(0, (Op.COMPUTE, 40)), (Op.COMPUTE, 10)],
        [(Op.COMPUTE, 100)],
        [(Op.COMPUTE, 5), *locked(0, (Op.COMPUTE, 10))],
    ]
    tape = Tape.build(programs, arrival_ns=[0, 10, 5], weight=[LOW, MIDDLE, HIGH])
    assert times_of(run(tape, policy, cores=1, **FREE)) == [low, middle, high]


def test_inheritance_goes_along_a_chain():
    """One core, nothing costs. Low holds lock 0 for 20 from 0 on; the second, from 5 on, takes lock 1, works for 5,
    wants lock 0 for 5; high, from 12 on, wants lock 1 for 5; middle works for 50 from 13 on.

    Low runs 0-5 and, while the second waits for lock 0, from 10 on; high leaves at once. Inheritance: low to 25, the
    second 25-30, high 30-35, middle 35-85. Priority: low has run 8 when middle comes: middle 13-63, low 63-75, the
    second 75-80, high 80-85.
    """
    second = locked(1, (Op.COMPUTE, 5), *locked(0, (Op.COMPUTE, 5)))
    programs = [locked(0, (Op.COMPUTE, 20)), second, [(Op.COMPUTE, 50)], locked(1, (Op.COMPUTE, 5))]
    tape = Tape.build(programs, arrival_ns=[0, 5, 13, 12], weight=[LOW, LOW + 1, MIDDLE, HIGH])
    found = times_of(run(tape, "inheritance", cores=1, **FREE))
    assert [times["exit_ns"] for times in found] == [25, 30, 85, 35]
    found = times_of(run(tape, "priority", cores=1, **FREE))
    assert [times["exit_ns"] for times in found] == [75, 80, 63, 85]


def test_inheritance_is_of_all_locks_that_are_held():
    """One core, nothing costs. Low holds locks 0 and 1 for 20 from 0 on; the second wants lock 1 at 5 for 5, high wants
    lock 0 at 7 for 5; middle works for 50 from 8 on.

    Both leave at once. Inheritance, which must look past the second: low to 20, high 20-25, middle 25-75, the second
    75-80. Priority: middle 8-58, low 58-70, high 70-75, the second 75-80.
    """
    low = locked(0, *locked(1, (Op.COMPUTE, 20)))
    programs = [low, locked(1, (Op.COMPUTE, 5)), [(Op.COMPUTE, 50)], locked(0, (Op.COMPUTE, 5))]
    tape = Tape.build(programs, arrival_ns=[0, 5, 8, 7], weight=[LOW, LOW + 1, MIDDLE, HIGH])
    found = times_of(run(tape, "inheritance", cores=1, **FREE))
    assert [times["exit_ns"] for times in found] == [20, 80, 75, 25]
    found = times_of(run(tape, "priority", cores=1, **FREE))
    assert [times["exit_ns"] for times in found] == [70, 80, 58, 75]


# -- what policies see


class Inherits(PlainPolicy):
    """The same in plain Python, by recursion."""

    def weightiest(self, my, t):
        weight, lock = my.entities[t].weight, my.threads[t].held
        while lock != NONE:
            assert my.locks[lock].holder == t
            waiter = my.locks[lock].queue_head
            while waiter != NONE:
                assert my.threads[waiter].lock == lock
                weight = max(weight, self.weightiest(my, waiter))
                waiter = my.threads[waiter].next
            lock = my.locks[lock].below
        return weight

    def release(self, my, e):
        """Who waits for a lock is in its queue when it loses its core."""
        if my.why == Why.LOCK:
            lock = my.threads[e].lock
            assert my.locks[lock].queue_tail == e and my.locks[lock].holder not in (e, NONE)

    def claim(self, my, entity):
        return self.weightiest(my, entity.id), entity.use_seq


def test_plain_policies_see_locks_and_decide_alike():
    name = "inversion(periods=6)"
    plain, own = (evaluate("sos/CPU-v0", policy, name)[0] | {"policy": ""} for policy in (Inherits, "inheritance"))
    assert plain == own and own["lock_wait_ns"] > 0


# -- against a plain reading


def weightiest(engine, thread):
    """Of a thread and all who wait for it, as the paper has it."""
    waiters = [w for lock in engine.locks.values() if lock.holder == thread.id for w in lock.queue]
    return max([thread.weight, *(weightiest(engine, waiter) for waiter in waiters)])


def chosen(decision):
    """ADMIT the strongest, EVICT the weakest; ties and vacancies as in the contract of policies."""
    engine, evict = decision.engine, decision.kind == Kind.EVICT
    vacancies, entities = ([c for c in decision.contenders if (c < 0) == free] for free in (True, False))
    if not entities or (evict and vacancies):
        return max(vacancies)  # the lowest slot

    def strength(e):
        entity = engine.entities[e]
        thread = engine.threads[entity.last_user if e >= len(engine.threads) else e]
        return max(entity.weight, weightiest(engine, thread)), entity.use_seq

    def order(e):
        weight, use_seq = strength(e)
        entity = engine.entities[e]
        return (
            (weight, use_seq, e != decision.entity)
            if evict
            else (-weight, -use_seq, e != decision.entity, entity.want_seq)
        )

    return min(entities, key=order)


def of(tape, made):
    try:
        return Simulation(tape, made, [host("inheritance")], driver=0)
    except SettingError:  # a thread may run on no node that has cores
        assume(False)


@pytest.mark.parametrize("frames", [st.none(), None])
def test_whoever_waits_for_whom_the_claims_are_those_of_a_plain_reading(frames):
    met = set()

    @settings(max_examples=400, deadline=None, derandomize=True)
    @given(tapes(), settings_of(st.sampled_from([(1, 0), (1, 1), (2, 1)]), frames))
    def check(tape, keywords):
        assume(tape is not None)
        made = build_settings({"nodes": 2, **keywords, "sight": "exact"})  # for the plain one does not look
        engine, simulation = PlainEngine(tape, rules_of(made), chosen), of(tape, made)
        try:
            engine.run()
        except Stuck:
            with pytest.raises(StuckError):
                simulation.advance()
            return
        simulation.advance()
        for t, thread in enumerate(simulation.arrays["threads"]):
            assert {name: int(thread[name]) for name in TIMES} == {name: engine.times[t][name] for name in TIMES}
            met.add(int(thread["lock_wait"]) > 0)
        assert int(simulation.record["decisions"][0]) == len(engine.decisions)

    check()
    assert met == {False, True}


@pytest.mark.parametrize(
    ("env", "family"),
    [("CPU", "hyperexponential"), ("Memory", "phases"), ("System", "working_sets"), ("Tier", "tiered")],
)
def test_without_locks_it_is_priority(env, family):
    plain, own = (
        evaluate(f"sos/{env}-v0", name, f"{family}(weight_spread=100)", seed=3)[0] | {"policy": ""}
        for name in ("priority", "inheritance")
    )
    assert own == plain
