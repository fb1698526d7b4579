"""What the suite does, as hashes: `python tests/behaviour.py` compares, with --write it writes them down anew.

The tapes are 200 draws of `strategies` (kept as a file: another Hypothesis would draw others) and some longer ones,
which hold what no family and no recording has: YIELD, COLD, PAGEOUT, DONTNEED, pinned pages. A hash per policy and id
says who changed. Written down again only by a change that is meant to change behaviour, and says so.
"""

import gzip
import hashlib
import json
import sys
from functools import cache
from pathlib import Path

import gymnasium as gym
import numpy as np
from scribe import chosen, events_of, scribe

import sos_gym
import sos_gym.envs.vector
from sos_gym.engine.simulation import Simulation, StuckError
from sos_gym.learned import INPUTS, LearnedClaim
from sos_gym.metrics import metrics
from sos_gym.policy import policy_named
from sos_gym.resource import DEFAULT_WEIGHT, Op, Resource
from sos_gym.settings.environment import build_settings
from sos_gym.settings.presets import PRESETS
from sos_gym.view.columns import COLUMNS, CONTEXT
from sos_gym.workload import OPS, OWNERS, PAGES, THREADS, Tape

GOLDEN = Path(__file__).parent / "golden"
HASHES, TAPES = GOLDEN / "behaviour.json", GOLDEN / "tapes.json.gz"
SEEDS, STEPS, ENVIRONMENTS = range(3), 1000, 8
ADVISORS = ("lru", "turns", "sieve")
TABLES = {"ops": OPS, "threads": THREADS, "pages": PAGES, "owners": OWNERS}
LONGER = 24  # tapes beside the drawn ones


class Digest:
    """A running hash of numbers, texts, arrays and what is made of them."""

    def __init__(self):
        self._hash = hashlib.sha256()

    def add(self, value) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                self.add(key)
                self.add(value[key])
        elif isinstance(value, np.ndarray) and value.dtype == object:
            self.add(value.tolist())
        elif isinstance(value, np.ndarray):
            self._hash.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.add(item)
        else:
            self._hash.update(f"{type(value).__name__} {value!r};".encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]


# -- tapes


def as_lists(tape: Tape) -> dict:
    """A tape as JSON."""
    lists = {
        name: {field: getattr(tape, name)[field].tolist() for field in kind.names if kind[field].kind != "V"}
        for name, kind in TABLES.items()
    }
    return {**lists, "channels": tape.channels.tolist()}


def from_lists(lists: dict) -> Tape:
    tables = {}
    for name, kind in TABLES.items():
        tables[name] = np.zeros(len(next(iter(lists[name].values()))), kind)
        for field, values in lists[name].items():
            tables[name][field] = values
    return Tape(**tables, channels=np.array(lists["channels"], np.int64), card={"name": "drawn"})


def _longer(number: int) -> tuple[Tape, dict, int]:
    """Enough ops of every kind for queues to fill, ghosts to return and shares to move."""
    rng = np.random.default_rng(number)
    pages, threads = int(rng.integers(12, 40)), int(rng.integers(2, 6))
    kinds = [Op.READ] * 14 + [Op.WRITE] * 4 + [Op.COMPUTE] * 3 + [Op.COLD] * 3
    kinds += [Op.PAGEOUT, Op.DONTNEED, Op.YIELD, Op.YIELD, Op.SLEEP, Op.SLEEP_UNTIL, Op.SIGNAL, Op.WAIT]
    favourites = rng.permutation(pages)
    programs = []
    for _ in range(threads):
        program, now = [], 0
        for _ in range(int(rng.integers(80, 200))):
            op, page = kinds[rng.integers(len(kinds))], int(favourites[int(pages * rng.random() ** 2)])
            now += int(rng.integers(200))
            argument = {
                Op.COMPUTE: int(rng.integers(60)),
                Op.SLEEP: int(rng.integers(60)),
                Op.SLEEP_UNTIL: now,
                Op.SIGNAL: 0,
                Op.WAIT: 0,
                Op.YIELD: 0,
            }.get(op, page)
            program.append((op, argument, 2) if op in (Op.READ, Op.WRITE) else (op, argument))
        programs.append(program)
    used = {op[1] for program in programs for op in program if op[0] in (Op.READ, Op.WRITE)}
    tape = Tape.build(
        programs,
        arrival_ns=rng.integers(50, size=threads).tolist(),
        think_ns=rng.integers(9, size=threads).tolist(),
        deadline_ns=rng.integers(20, 400, size=threads).tolist(),
        owner=[t // 2 for t in range(threads)],
        weight=[int(w) for w in rng.choice([1, 512, DEFAULT_WEIGHT, 2048], threads)],
        affinity=[int(mask) for mask in rng.choice([-1, -1, 1, 2] if number % 5 < 4 else [-1], threads)],
        pages={page: {"file": int(page % 3 == 0), "pinned": int(page == min(used))} for page in sorted(used)},
        channels=[400],
    )
    settings = {
        "nodes": 2,
        "frames": tuple(int(n) for n in rng.integers(2, 7, 2)),
        "cores": None if number % 3 == 0 else (1, 1 + number % 2),
        "tick_ns": 60,
        "switch_ns": 3,
        "move_ns": (2, 7),
        "scan_ns": 400 if number % 4 else None,
        "tiers": number % 5 == 4,
        "hint_ns": 50 if number % 5 == 4 else None,
        "reclaim": ("global", "local")[number % 2],
        "lanes": 2,
        **dict.fromkeys(("page_move_ns", "minor_fault_ns", "first_touch_ns", "shootdown_ns"), 5),
        **{"swap_in_ns": 30, "write_back_ns": 9, "shootdown_core_ns": 0, "local_line_ns": 2, "remote_line_ns": 5},
    }
    return tape, settings, number


@cache
def cases() -> list[tuple[Tape, dict, int]]:
    """Tapes with the settings and the seed of each."""
    with gzip.open(TAPES, "rt") as file:
        drawn = json.load(file)
    kept = [(from_lists(case["tape"]), _tuples(case["settings"]), case["seed"]) for case in drawn]
    return kept + [_longer(number) for number in range(LONGER)]


def _tuples(settings: dict) -> dict:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def draw_tapes(count: int = 200) -> None:
    """Write the file of drawn tapes."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st
    from strategies import settings_of, tapes

    found: list[dict] = []

    @settings(max_examples=3000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(tapes(), settings_of(), st.integers(0, 99))
    def draw(tape, keywords, seed):
        if tape is None or len(tape.ops) < 12:
            return
        try:
            Simulation(tape, build_settings({"nodes": 2, **keywords}))
        except sos_gym.SettingError:
            return
        found.append({"tape": as_lists(tape), "settings": {"nodes": 2, **keywords}, "seed": seed})

    draw()
    step = len(found) / count
    chosen = [found[int(i * step)] for i in range(count)]
    GOLDEN.mkdir(exist_ok=True)
    with open(TAPES, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
        packed.write(json.dumps(chosen).encode())


# -- what is hashed


def of_a_policy(found: dict) -> dict:
    """Metrics, or what `evaluate` says, without what an agent alone can cause: no policy chooses a masked-out row."""
    assert found["masked_out"] == 0
    return {name: value for name, value in found.items() if name not in ("masked_out", "privileged")}


def policy_on_ids(name: str) -> str:
    """All metrics of all ids."""
    digest = Digest()
    for env_id in PRESETS:
        digest.add([of_a_policy(run) for run in sos_gym.evaluate(env_id, name, seed=SEEDS[0], episodes=len(SEEDS))])
    return str(digest)


def policy_on_tapes(name: str) -> str:
    """Metrics where it decides, its choices where it advises and another decides."""
    digest, host = Digest(), policy_named(name).host()
    for tape, keywords, seed in cases():
        settings = build_settings({"may_idle": policy_named(name).idles, **keywords})
        alone = Simulation(tape, settings, [host], driver=0, seed=seed)
        asked = Simulation(tape, settings, [host], seed=seed, listing=True)
        try:
            alone.advance()
            digest.add(of_a_policy(metrics(alone)))
            asked.advance()
            while asked.undecided:
                digest.add([int(asked.decision["number"]), int(asked.arrays["advice"][0])])
                asked.advance(chosen(int(asked.decision["number"]), seed, asked.contenders.tolist()))
            digest.add(of_a_policy(metrics(asked)))
        except StuckError:
            digest.add("stuck")
    return str(digest)


def _is_yield(resource: Resource, event: tuple) -> bool:
    """What policies were not told before `cool` stood for it: the release that follows says it too."""
    return resource == Resource.CPU and event[0] == "cool"


def events() -> str:
    """What policies are told and asked."""
    digest, host = Digest(), scribe()
    for tape, keywords, seed in cases():
        simulation = Simulation(tape, build_settings(keywords), [host], seed=seed, listing=True)
        try:
            simulation.advance()
            while simulation.undecided:
                decision = simulation.decision
                fields = ("number", "now", "kind", "cause", "resource", "entity", "slot", "node", "may_wait", "vacancy")
                digest.add([int(decision[name]) for name in fields])
                digest.add(simulation.contenders.tolist())
                simulation.advance(chosen(int(decision["number"]), seed, simulation.contenders.tolist()))
            digest.add(of_a_policy(metrics(simulation)))
        except StuckError:
            digest.add("stuck")
        for resource in Resource:
            digest.add([list(event) for event in events_of(simulation, resource) if not _is_yield(resource, event)])
    return str(digest)


def scalar_steps(env_id: str, **keywords) -> str:
    """Rows, context, mask, reward and info over random legal steps."""
    digest, rng = Digest(), np.random.default_rng(7)
    env, over, seed = gym.make(env_id, advisors=ADVISORS, **keywords), True, 0
    for _ in range(STEPS):
        if over:
            observation, info = env.reset(seed=seed)
            seed, over = seed + 1, False
            digest.add([observation, info])
        action = int(rng.choice(np.flatnonzero(observation["action_mask"])))
        observation, reward, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        digest.add([observation, reward, terminated, truncated, info])
    return str(digest)


def vector_steps(env_id: str, mode: str, **keywords) -> str:
    """Likewise of several environments; every seventh step takes any row."""
    digest, rng = Digest(), np.random.default_rng(7)
    envs = gym.make_vec(
        env_id, ENVIRONMENTS, vector_kwargs={}, advisors=ADVISORS, autoreset_mode=mode, tape_group=2, **keywords
    )
    observation, info = envs.reset(seed=3)
    digest.add([observation, info])
    for step in range(STEPS):
        scores = rng.random(observation["action_mask"].shape)
        actions = (scores * (observation["action_mask"] if step % 7 else 1)).argmax(1)
        observation, *rest = envs.step(actions)
        digest.add([observation, *rest])
    envs.close()
    return str(digest)


def learned(env_id: str) -> str:
    """A network of two layers, in whole episodes."""
    rng, digest = np.random.default_rng(5), Digest()
    layers = [(rng.normal(size=(len(INPUTS), 8)), rng.normal(size=8)), (rng.normal(size=(8, 1)), np.zeros(1))]
    for claim in (LearnedClaim(layers, (0.3, 0.1)), LearnedClaim.linear({"payoff": -1.0, "distance": 0.2})):
        digest.add([of_a_policy(run) for run in sos_gym.evaluate(env_id, claim, seed=1, episodes=2)])
    return str(digest)


REWARDED = {"reward": "foresight", "horizon_ns": 30_000_000}


def parts() -> dict:
    """Name -> what makes its hash."""
    made = {f"ids {name}": lambda name=name: policy_on_ids(name) for name in sos_gym.policies()}
    made |= {f"tapes {name}": lambda name=name: policy_on_tapes(name) for name in sos_gym.policies()}
    made["events"] = events
    for env_id in PRESETS:
        made[f"steps {env_id}"] = lambda env_id=env_id: scalar_steps(env_id)
        made[f"steps {env_id} foresight"] = lambda env_id=env_id: scalar_steps(env_id, **REWARDED)
        made[f"vector {env_id}"] = lambda env_id=env_id: vector_steps(env_id, "NextStep")
        made[f"vector {env_id} same step"] = lambda env_id=env_id: vector_steps(env_id, "SameStep", **REWARDED)
        made[f"learned {env_id}"] = lambda env_id=env_id: learned(env_id)
    made["columns"] = lambda: hashlib.sha256(" ".join((*COLUMNS, *CONTEXT)).encode()).hexdigest()[:16]
    return made


def main(arguments: list[str]) -> int:
    if "--draw" in arguments:
        draw_tapes()
    found = {name: make() for name, make in parts().items()}
    if "--write" in arguments:
        HASHES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    kept = json.loads(HASHES.read_text(encoding="utf-8"))
    unlike = [name for name in kept | found if kept.get(name) != found.get(name)]
    print("\n".join(f"differs: {name}" for name in unlike) or f"all {len(kept)} equal")
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
