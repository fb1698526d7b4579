"""Every policy on every environment: it ends, nothing leaks, and each way of running it gives the same bits."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from invariants import PARTS, invariants
from strategies import COSTS, settings_of, tapes

from sos_gym import SettingError, Tape, evaluate, policies, workload
from sos_gym.engine.simulation import Simulation, StuckError
from sos_gym.envs.env import SosEnv
from sos_gym.policy import policy_named
from sos_gym.resource import Op, State
from sos_gym.settings.environment import build_settings
from sos_gym.settings.presets import PRESETS

IDS, NAMES = tuple(PRESETS), tuple(policies())
SEEDS = (0, 1, 2)
PER_NODE = st.tuples(st.integers(1, 2), st.integers(1, 3))
THREADS_KEPT = (*PARTS, "exit_ns", "pc", "node")
ENTITIES_KEPT = ("use_seq", "want_seq", "hold_seq", "slot", "state", "uses_total", "last_gap", "dirty", "home")


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", NAMES)
def test_it_ends_and_every_invariant_holds(name, env_id):
    env = SosEnv(env_id, advisors=(name,))
    inside = env.scenario.episode(0, driver=0)
    inside.advance()
    assert inside.record["finished"][0]
    invariants(inside)
    _, info = env.reset(seed=0)
    over, steps = False, 0
    while not over:
        _, _, terminated, truncated, info = env.step(info["advice"][name])
        over, steps = terminated or truncated, steps + 1
        if steps % 400 == 0 or over:
            invariants(env.simulation)
    assert _same(inside, env.simulation) == []


def _same(a, b) -> list[str]:
    """The names of what differs at the end."""
    unlike = [name for name in ("bursts", "waits") if (a.arrays[name] != b.arrays[name]).any()]
    unlike += [name for name in THREADS_KEPT if (a.arrays["threads"][name] != b.arrays["threads"][name]).any()]
    unlike += [name for name in ENTITIES_KEPT if (a.arrays["entities"][name] != b.arrays["entities"][name]).any()]
    counts = ("now", "decisions", "faults", "evictions", "switches", "moves", "write_backs", "stall_weighted", "seq")
    return unlike + [name for name in counts if a.record[name] != b.record[name]]


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", NAMES)
def test_through_the_engine_equals_through_gym(name, env_id):
    ways = [evaluate(env_id, name, seed=SEEDS[0], episodes=len(SEEDS), through=way) for way in ("engine", "gym")]
    assert ways[0] == ways[1]
    assert len({run["weighted_stall_ns"] for run in ways[0]}) == len(SEEDS)


# -- seeds


def digest(seed: int, names=("lottery", "recency")) -> str:
    """All metrics of the four ids."""
    runs = [evaluate(env_id, name, seed=seed) for env_id in IDS for name in names]
    return hashlib.sha256(json.dumps(runs, sort_keys=True).encode()).hexdigest()


def test_the_seed_decides_in_every_process():
    """The other process hashes its strings otherwise."""
    mine = digest(5)
    assert mine == digest(5) != digest(6)
    here = os.path.dirname(os.path.abspath(__file__))
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_contract; print(test_contract.digest(5))"
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    other = subprocess.run(
        [sys.executable, "-c", code, here], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == mine


def test_drawn_costs_come_from_the_seed_alone():
    runs = {name: evaluate("sos/Memory-v0", name, cost_scale=(0.5, 2.0), episodes=2) for name in ("lru", "lottery")}
    again = evaluate("sos/Memory-v0", "lru", cost_scale=(0.5, 2.0), episodes=2)
    assert again == runs["lru"]
    plain = evaluate("sos/Memory-v0", "lru", episodes=2)
    assert [run["tape"] for run in plain] == [run["tape"] for run in again]
    assert all(a["service_ns"] != b["service_ns"] for a, b in zip(plain, again, strict=True))
    for lru, lottery in zip(runs["lru"], runs["lottery"], strict=True):  # service depends on costs, not on who decides
        assert lru["service_ns"] == lottery["service_ns"]


# -- advisors


def _shown(env) -> set[int]:
    return set(env.candidates)


@pytest.mark.parametrize("env_id", IDS)
def test_the_draws_of_rows_ignore_who_is_asked(env_id):
    """Advisors' choices replace the last draws, one each; every other row stays."""
    tape = workload("hyperexponential", threads=40) if env_id == "sos/CPU-v0" else None
    sides = (), ("lru", "lottery", "gap"), ("fifo", "lottery")
    envs = [SosEnv(env_id, workload=tape, advisors=side) for side in sides]
    for env in envs:
        env.reset(seed=11)
    rng, crowded, replaced = np.random.default_rng(0), 0, 0
    rows_shown = envs[0].settings.rows
    for _ in range(400):
        alone, *others = map(_shown, envs)
        assert len({env.simulation.decision.tobytes() for env in envs}) == 1
        count = int(envs[0].simulation.decision["count"])
        crowded += count > rows_shown
        for env, rows in zip(envs[1:], others, strict=True):
            advice = set(env.simulation.arrays["advice"].tolist())
            assert advice <= rows and len(rows) == len(alone) == min(count, rows_shown)
            assert rows - advice <= alone
            assert len(alone - rows) == len(advice - alone)
            replaced += len(advice - alone)
        choice = rng.choice(sorted(alone.intersection(*others)))
        ends = [env.step(env.candidates.index(choice)) for env in envs]
        assert len({(reward, terminated) for _, reward, terminated, *_ in ends}) == 1
        if ends[0][2]:
            break
    assert crowded > 20 and replaced > 0


@pytest.mark.parametrize("env_id", IDS)
def test_followed_among_others_a_policy_does_as_it_does_alone(env_id):
    alone = evaluate(env_id, "second_chance")[0]
    env = SosEnv(env_id, advisors=("lottery", "clock", "belady", "turns"))
    _, info = env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(info["advice"]["clock"])
        over = terminated or truncated
    assert {name: alone[name] for name in info["metrics"]} == info["metrics"]


# -- memory: kernels do not check an index


MARGIN = 1 << 13  # bytes of guard on either side


def guarded(simulation: Simulation):
    """Lay every table between guards; returns what checks them."""
    guards = {}
    for name, table in simulation.arrays.items():
        buffer = np.full(table.nbytes + 2 * MARGIN + 64, 0xA5, np.uint8)
        start = MARGIN + -(buffer.ctypes.data + MARGIN) % 64  # a table begins with a cache line
        inner = buffer[start : start + table.nbytes].view(table.dtype)
        inner[...] = table
        simulation.arrays[name], guards[name] = inner, (buffer, start, start + table.nbytes)
    simulation._attach()
    return lambda: [
        name for name, (buffer, a, b) in guards.items() if (buffer[:a] != 0xA5).any() or (buffer[b:] != 0xA5).any()
    ]


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("name", NAMES)
def test_no_kernel_writes_beyond_its_tables(name, env_id):
    env = SosEnv(env_id, advisors=(name,))
    env.reset(seed=0)
    overwritten = guarded(env.simulation)
    rng, over = np.random.default_rng(0), False
    while not over:
        over = env.step(int(rng.choice(np.flatnonzero(env.action_masks()))))[2]
    assert overwritten() == []
    inside = Simulation(env.tape, env.settings, env.scenario.hosts, driver=0)
    overwritten = guarded(inside)
    inside.advance()
    assert overwritten() == [] and inside.record["finished"][0]


def test_the_guards_notice():
    simulation = Simulation(Tape.from_jobs([0], [5]), build_settings({"cores": 1, "nodes": 1}))
    overwritten = guarded(simulation)
    simulation.arrays["slots"].base[MARGIN + 64 + simulation.arrays["slots"].nbytes] = 0
    assert overwritten() == ["slots"]


# -- the invariants themselves


WRONGED = [
    ("threads", "service", 1),
    ("threads", "sleep", 1),
    ("threads", "pc", 1),
    ("slots", "holder", 1),
    ("slots", "busy", 1),
    ("owners", "holding", 1),
    ("owners", "active", -1),
    ("owners", "live", 1),
    ("instances", "holding", -1),
    ("instances", "waiters", 1),
    ("instances", "active_weight", 1),
    ("nodes", "vacant", 1),
    ("nodes", "legal", 1),
    ("nodes", "misplaced", 1),
    ("entities", "queued", 1),
    ("entities", "slot", 1),
    ("record", "references", 1),
    ("record", "faults", 1),
    ("record", "stall_weighted", 1),
    ("record", "running", -1),
]


@pytest.mark.parametrize(("table", "field", "change"), WRONGED)
def test_the_invariants_notice(table, field, change):
    """One number that is off by one, in the middle of an episode on System."""
    env = SosEnv("sos/System-v0")
    env.reset(seed=0)
    for _ in range(500):
        env.step(int(np.argmax(env.action_masks())))
    simulation = env.simulation
    invariants(simulation)
    wronged = simulation.record if table == "record" else simulation.arrays[table]
    row = int(np.argmax(wronged["slot"] != -1)) if (table, field) == ("entities", "slot") else 0
    wronged[field][row] = 1 - wronged[field][row] if field == "queued" else wronged[field][row] + change
    with pytest.raises((AssertionError, IndexError)):
        invariants(simulation)


FREE_OF_COST = {name: 0 for name in (*COSTS, "remote_line_ns", "move_ns")}


@pytest.mark.parametrize("frames", [(30,), (4,)])
def test_an_item_is_on_the_agenda_once(frames):
    """Where nothing costs time a thread wants a core again and again at one instant; the agenda must not grow."""
    files = {page: {"file": 1} for page in range(15)}  # whose faults take threads off their core
    tape = Tape.build([[(Op.READ, 5 * t + i) for i in range(5)] for t in range(3)], pages=files)
    made = build_settings({"nodes": 1, "cores": 1, "frames": frames, **FREE_OF_COST})
    simulation = Simulation(tape, made, listing=True)
    overwritten = guarded(simulation)
    simulation.advance()
    while simulation.undecided:
        size = int(simulation.arrays["agenda"][0]["source"])
        items = simulation.arrays["agenda"][1 : 1 + size]
        assert len(items) == len({(item["what"], item["source"]) for item in items}), f"{size} items"
        simulation.advance(int(simulation.contenders[0]))
    assert overwritten() == []
    invariants(simulation)


# -- victims without a list


QUICK = tuple(name for name, policy in policies().items() if not policy.needs_list)
BY_CLAIM = {
    "clairvoyant",
    "edf",
    "recency",
    "turns",
    "frequency",
    "priority",
    "ageing",
    "resident_first",
    "attained",
}  # what goes is the weakest


def hosts_of(name):
    """The policy with its books, and what must decide alike: a scan by claim; else the same books beside a list."""
    policy = policy_named(name)
    scanned = dataclasses.replace(policy, victim=None, pick=None) if name in BY_CLAIM else policy
    return (policy.host(), False), (scanned.host(), True)


def _history(tape, made, host, listing):
    """Every decision with the policy's choice, then the end."""
    simulation = Simulation(tape, made, [host], listing=listing)
    overwritten = guarded(simulation)
    simulation.advance()
    decisions = []
    while simulation.undecided:
        d = simulation.decision
        choice = int(simulation.arrays["advice"][0])
        decisions.append((*(int(d[key]) for key in ("now", "kind", "cause", "entity", "slot", "count")), choice))
        simulation.advance(choice)
    assert overwritten() == []
    invariants(simulation)
    return decisions, simulation


def test_who_needs_no_list():
    scanned = {"seniority", "gap", "lottery", "fair_share", "cfs", "linux_eevdf"}
    scanned |= {"ladder", "eevdf", "stride", "shortest", "owner_share"}
    scanned |= {"spare_next", "whole_sets", "together", "guard", "nearest", "inheritance"}
    assert scanned | set(QUICK) == set(NAMES) and not scanned & set(QUICK)
    assert set(QUICK) > BY_CLAIM


@pytest.mark.parametrize("name", QUICK)
def test_a_victim_is_who_a_scan_finds(name):
    ways = hosts_of(name)

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(tapes(), settings_of(None, PER_NODE))
    def check(tape, keywords):
        assume(tape is not None)
        made = build_settings({"nodes": 2, **keywords})
        try:
            quick, scanned = (_history(tape, made, *way) for way in ways)
        except (SettingError, StuckError):
            assume(False)
        assert quick[0] == scanned[0]
        assert _same(quick[1], scanned[1]) == []

    check()


def long_tape(seed: int) -> Tape:
    """Thousands of references by four threads, every advice, pinned pages, affinity."""
    rng, each, pages = np.random.default_rng(seed), 900, 48
    kinds = np.array([Op.READ, Op.WRITE, Op.COLD, Op.PAGEOUT, Op.DONTNEED, Op.COMPUTE])
    programs = []
    for _ in range(4):
        op = rng.choice(kinds, each, p=(0.6, 0.2, 0.08, 0.04, 0.03, 0.05))
        hot = rng.integers(0, pages, 12)
        page = np.where(rng.random(each) < 0.6, rng.choice(hot, each), rng.integers(0, pages, each))
        programs.append([(int(o), int(p)) for o, p in zip(op, np.where(op == Op.COMPUTE, 500, page), strict=True)])
    used = sorted({arg for program in programs for op, arg in program if op != Op.COMPUTE})
    flags = {p: {"file": int(p % 7 == 0), "affinity": (-1, -1, -1, 1, 2)[p % 5], "pinned": int(p < 3)} for p in used}
    return Tape.build(programs, pages=flags, owner=[0, 0, 1, 1], weight=[1024, 1024, 512, 2048])


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("reclaim", ["global", "local"])
@pytest.mark.parametrize("cores", [None, (1, 1)])
def test_a_victim_is_who_a_scan_finds_on_long_tapes(name, reclaim, cores):
    for seed in range(2):
        made = build_settings(
            {"nodes": 2, "frames": (9, 12), "scan_ns": 40_000, "reclaim": reclaim, "cores": cores, "swap_in_ns": 9_000}
        )
        quick, scanned = (_history(long_tape(seed), made, *way) for way in hosts_of(name))
        assert quick[0] == scanned[0] and len(quick[0]) > 500
        assert _same(quick[1], scanned[1]) == []
        pinned = quick[1].arrays["entities"][4:]["pinned"] == 1
        assert pinned.sum() == 3 and (quick[1].arrays["entities"][4:]["state"][pinned] != State.ABSENT).any()


@pytest.mark.parametrize("name", QUICK)
def test_moves_alone_fill_no_table(name):
    """Two threads on two nodes take turns with three pages, which a scan brings after them; nobody is evicted."""
    own = [*((Op.READ, page) for page in range(3)), (Op.SLEEP, 20_000)]
    tape = Tape.build([own * 400] * 2, arrival_ns=[0, 10_000], owner=[0, 0], affinity=[1, 2])
    made = build_settings({"nodes": 2, "cores": (1, 1), "frames": (4, 4), "scan_ns": 5_000, **FREE_OF_COST})
    simulation = Simulation(tape, made, [policy_named(name).host()], driver=0)
    overwritten = guarded(simulation)
    simulation.advance()
    assert overwritten() == [] and simulation.record["evictions"][0] == 0
    assert simulation.record["moves"][0] > 500
