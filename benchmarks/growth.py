"""How the cost of a decision grows

One size at a time. `frames, replay` and `pages, replay`: an LRU replay inside the engine of a zipf trace, pages ten
times the frames, or frames 100. `frames, agent`: `gym.make("sos/Memory-v0")` on a loop over twice as many pages as
frames, so that every reference is a decision; contenders are listed slot by slot there. `cores, replay`: round robin
inside the engine at load .9 of every core. `environments, agent`: `gym.make_vec("sos/Memory-v0")`.
"""

import gymnasium as gym
import numpy as np
from gymnasium.utils.performance import benchmark_step, benchmark_vector_step

import sos_gym
from benchmarks.jobs import QUANTUM_NS, poisson
from benchmarks.replay import ours, zipf_references
from benchmarks.scale import Scale
from benchmarks.timing import timed
from sos_gym import Tape

FEW_FRAMES, ALPHA = 100, 1.0
PLAIN = {"nodes": 1, "scan_ns": None}


def cases(scale: Scale) -> list[tuple[str, int]]:
    tens = [10**n for n in range(2, 7)]
    sizes = {
        "frames, replay": tens,
        "pages, replay": tens,
        "frames, agent": tens[:-1],
        "cores, replay": [4**n for n in range(5)],
        "environments, agent": [n for n in (4**n for n in range(7)) if n <= scale.most_environments],
    }
    return [(what, size) for what in sizes for size in sizes[what]]


def measure(case: tuple[str, int], scale: Scale) -> list[dict]:
    what, size = case
    per_second = {
        "frames, replay": lambda: _replay(10 * size, size, scale),
        "pages, replay": lambda: _replay(size, FEW_FRAMES, scale),
        "frames, agent": lambda: _agent(size, scale),
        "cores, replay": lambda: _cores(size, scale),
        "environments, agent": lambda: _environments(size, scale),
    }[what]()
    unit = "reference" if what in ("frames, replay", "pages, replay") else "decision"
    return [{"what": what, "size": size, "ns": 1e9 / per_second, "per": unit}]


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    for what in dict.fromkeys(row["what"] for row in rows):
        line = [(row["size"], row["ns"]) for row in rows if row["what"] == what]
        axes.plot(*zip(*line, strict=True), "o-", markersize=4, label=what)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("size")
    axes.set_ylabel("ns per reference or decision")
    axes.grid(color="#d9d9d9", linewidth=0.6)
    axes.legend(fontsize=8, frameon=False)


def _replay(pages: int, frames: int, scale: Scale) -> float:
    """References per second: the best of the rounds, as neighbours only slow it down."""
    tape = Tape.from_references(zipf_references(scale.growth_references, pages, ALPHA))
    return len(tape) / min(ours(tape, "lru", frames)[0] for _ in range(scale.rounds + 1))


def _agent(frames: int, scale: Scale) -> float:
    references = 3 * frames + 100_000
    tape = Tape.from_references(np.arange(references) % (2 * frames))
    env = gym.make("sos/Memory-v0", workload=tape, frames=frames, **PLAIN)
    benchmark_step(env, 0, seed=0)  # compiles
    return benchmark_step(env, scale.seconds, seed=0)


def _cores(cores: int, scale: Scale) -> float:
    """Decisions per second."""
    arrival, service = poisson(scale.growth_references // 30).T
    tape = Tape.from_jobs(arrival // cores, service)
    free = {"nodes": 1, "cores": cores, "switch_ns": 0, "move_ns": 0, "tick_ns": QUANTUM_NS}
    runs = [
        timed(lambda: sos_gym.evaluate("sos/CPU-v0", "turns", workload=tape, **free)) for _ in range(scale.rounds + 1)
    ]
    return runs[0][1][0]["decisions"] / min(seconds for seconds, _ in runs)


def _environments(environments: int, scale: Scale) -> float:
    return benchmark_vector_step(gym.make_vec("sos/Memory-v0", num_envs=environments), scale.seconds, seed=0)
