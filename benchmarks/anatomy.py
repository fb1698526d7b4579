"""Where the time goes

What a decision, a job and a reference are made of, in ns, on one thread. `select` (which rows), `describe` (their
columns) and the listing of contenders are called by themselves on 256 environments in turn; `engine` is what the
compiled call takes beside them: apply a choice, run to the next decision, charge. `next episodes` is the drawing of
tapes and the layout of records, in NumPy, per decision; `Python` what is left of a step. The job rows are 100 000 jobs
of the table above: records laid out, the run, the metrics of all bursts. A reference is a hit in 10 000 frames when all
pages fit, a miss when twice as many are touched in a circle.

No kernel stands out. Two threads could not pass 2 / (engine + listing + select + describe) decisions a second if all
Python were free. What bounds a step of many environments is memory: 256 of them with their tapes are 20 to 70 MB, more
than the cores' own caches (1 024 cost more per decision than 256, see `environments, agent` below); the records of the
next environments are brought ahead (`envs/batch.py`). `select` and `describe` read the records of all contenders and
write all columns of 16 of them. A job of round robin is several decisions (it comes, is preempted, goes), each of which
lists who may be chosen, asks a policy through an address, and keeps the sums of thread, owner and core, where the C
loop moves one number in a ring. A hit of LRU is an append to a log, the use marked, the service charged; a miss is
want, choose, vacate, occupy, write back, page in, charge.
"""

import time
import timeit

import gymnasium as gym
import numpy as np

from benchmarks.growth import PLAIN
from benchmarks.jobs import RULES, poisson, rule_of
from benchmarks.scale import Scale
from benchmarks.timing import Stopwatch
from sos_gym import Tape
from sos_gym.engine.decisions import _list_evict
from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel, part_of, table_of, view_as
from sos_gym.metrics import metrics
from sos_gym.policy import policy_named
from sos_gym.resource import Kind
from sos_gym.settings.environment import build_settings
from sos_gym.settings.presets import PRESETS, preset_named
from sos_gym.view.candidates import select
from sos_gym.view.columns import CANDIDATE_RECORD, COLUMNS, CONTEXT, CONTEXT_RECORD
from sos_gym.view.observation import describe

ENVIRONMENTS, ROWS, F, G = 256, 16, len(COLUMNS), len(CONTEXT)
JOBS, FRAMES = 100_000, 10_000
REPLAYED = ("lru", "turns", "second_chance")


def cases(scale: Scale) -> list[str]:
    return [*PRESETS, *RULES, *REPLAYED]


def measure(case: str, scale: Scale) -> list[dict]:
    unit = "decision" if case in PRESETS else "job" if case in RULES else "reference"
    parts = {"decision": _decision, "job": _job, "reference": _reference}[unit](case, scale)
    return [{"of": case, "part": part, "ns": 1e9 * seconds, "per": unit} for part, seconds in parts.items()]


def draw(figure, rows: list[dict]) -> None:
    """A panel for decisions, jobs and references each: their scales differ."""
    units = list(dict.fromkeys(row["per"] for row in rows))
    heights = [len({row["of"] for row in rows if row["per"] == unit}) for unit in units]
    for axes, unit in zip(figure.subplots(len(units), height_ratios=heights), units, strict=True):
        chosen = [row for row in rows if row["per"] == unit]
        left = dict.fromkeys((row["of"] for row in chosen), 0.0)
        for part in dict.fromkeys(row["part"] for row in chosen):
            widths = {row["of"]: row["ns"] for row in chosen if row["part"] == part}
            axes.barh(list(widths), list(widths.values()), 0.6, [left[case] for case in widths], label=part)
            left = {case: start + widths[case] for case, start in left.items()}
        axes.invert_yaxis()
        axes.set_xlabel(f"ns per {unit}, on one thread")
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


# -- a decision of a vector environment


@kernel
def _select_all(sims, shown):
    for i in range(sims.size):
        if sims[i].undecided:
            select(sims[i], sims[i].decision[0], part_of(table_of(shown), i * ROWS, ROWS))


@kernel
def _describe_all(sims, shown, candidates, context, masks):
    for i in range(sims.size):
        if sims[i].undecided:
            rows = part_of(table_of(shown), i * ROWS, ROWS)
            records = part_of(view_as(table_of(candidates), CANDIDATE_RECORD), i * ROWS, ROWS)
            situation = part_of(view_as(table_of(context), CONTEXT_RECORD), i, 1)
            mask = part_of(table_of(masks), i * ROWS, ROWS)
            count = min(ROWS, sims[i].decision[0].count)
            describe(sims[i], sims[i].decision[0], rows, count, records, situation, mask)


@kernel
def _list_all(sims):
    for i in range(sims.size):
        if sims[i].undecided and sims[i].decision[0].kind == Kind.EVICT:
            _list_evict(sims[i], sims[i].decision[0])


def _decision(env_id: str, scale: Scale) -> dict[str, float]:
    """Seconds per decision of each part, under random actions, from the second episode of each environment on."""
    vector = gym.make_vec(env_id, num_envs=ENVIRONMENTS, rows=ROWS, threads=1).unwrapped
    rng, n, begun = np.random.default_rng(0), ENVIRONMENTS, 0
    vector.reset(seed=0)
    while begun < n:
        _, _, terminated, truncated, _ = vector.step(rng.integers(ROWS, size=n))
        begun += int((terminated | truncated).sum())
    steps = max(64, round(scale.seconds * 1000))
    drawing, compiled = Stopwatch(vector, "_begin"), Stopwatch(vector.batch, "step")
    start = time.perf_counter()
    for _ in range(steps):
        vector.step(rng.integers(ROWS, size=n))
    whole = time.perf_counter() - start
    shown, masks = vector.batch.shown.copy(), np.zeros((n, ROWS), np.int8)
    arrays = shown, np.zeros((n, ROWS, F), np.float32), np.zeros((n, G), np.float32), masks
    sims = vector.batch.sims
    listing = _mean(lambda: _list_all(sims)) / n
    selecting = _mean(lambda: _select_all(sims, shown)) / n
    describing = _mean(lambda: _describe_all(sims, *arrays)) / n
    return {
        "engine": compiled.seconds / steps / n - listing - selecting - describing,
        "listing": listing,
        "select": selecting,
        "describe": describing,
        "next episodes": drawing.seconds / steps / n,
        "Python": (whole - compiled.seconds - drawing.seconds) / steps / n,
    }


def _mean(work) -> float:
    """Seconds of a call, once it is compiled."""
    work()
    calls, seconds = timeit.Timer(work).autorange()
    return seconds / calls


# -- a job, a reference


def _job(rule: str, scale: Scale) -> dict[str, float]:
    policy, keywords = rule_of(rule)
    tape, best = Tape.from_jobs(*poisson(JOBS).T), {}
    for _ in range(scale.rounds + 1):
        parts = _episode(tape, "sos/CPU-v0", policy, keywords)
        best = {part: min(seconds, best.get(part, seconds)) for part, seconds in parts.items()}
    return {part: seconds / JOBS for part, seconds in best.items()}


def _reference(policy: str, scale: Scale) -> dict[str, float]:
    count, keywords = scale.growth_references, PLAIN | {"frames": FRAMES}
    pages = {"a hit": np.random.default_rng(0).integers(FRAMES, size=count), "a miss": np.arange(count) % (2 * FRAMES)}
    found = {}
    for what, touched in pages.items():
        tape = Tape.from_references(touched)
        runs = [_episode(tape, "sos/Memory-v0", policy, keywords)["run"] for _ in range(scale.rounds + 1)]
        found[what] = min(runs) / count
    return found


def _episode(tape: Tape, env_id: str, policy: str, keywords: dict) -> dict[str, float]:
    """Seconds of the parts of an episode inside the engine."""
    settings = build_settings({**preset_named(env_id).settings, **keywords})
    times = [time.perf_counter()]
    simulation = Simulation(tape, settings, [policy_named(policy).host()], driver=0)
    times.append(time.perf_counter())
    simulation.advance()
    times.append(time.perf_counter())
    metrics(simulation)
    times.append(time.perf_counter())
    return dict(zip(("layout", "run", "metrics"), np.diff(times).tolist(), strict=True))
