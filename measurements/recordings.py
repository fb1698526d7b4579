"""Pictures of the shipped recordings: python -m measurements.recordings [NAME ...] [--out docs/recordings]

One per tape: pages touched so far and within the last tenth, misses of LRU and MIN at twelve sizes; bursts, sleeps, and
waits for a core under round robin on the recorded machine's cores. `make docs` writes the page that shows them.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from rich.progress import track

import sos_gym
from sos_gym.engine.simulation import Simulation
from sos_gym.metrics import bucket_ns
from sos_gym.policy import policy_named
from sos_gym.resource import Op, Resource
from sos_gym.settings.environment import build_settings
from sos_gym.workload import Tape

matplotlib.use("Agg")
from matplotlib import pyplot

SIZES = 12
INK, SOFT = "#1f4e79", "#c0792a"


def touched(tape: Tape) -> np.ndarray:
    """Pages in order of reference, thread by thread in turns of equal shares."""
    parts = []
    for thread in tape.threads:
        ops = tape.ops[thread["first"] : thread["last"]]
        parts.append(ops["arg"][np.isin(ops["op"], (Op.READ, Op.WRITE))])
    place = np.concatenate([(np.arange(len(part)) + 0.5) / max(len(part), 1) for part in parts])
    return np.concatenate(parts)[np.argsort(place, kind="stable")]


def draw_footprint(axes, tape: Tape) -> None:
    pages = touched(tape)
    first = np.zeros(len(pages), bool)
    first[np.unique(pages, return_index=True)[1]] = True
    window = max(len(pages) // 10, 1)
    at = np.linspace(window, len(pages), 60).astype(int)
    axes.plot(np.arange(len(pages)) / 1000, np.cumsum(first), color=INK, label="so far")
    axes.plot(at / 1000, [len(np.unique(pages[i - window : i])) for i in at], color=SOFT, label="in a tenth")
    axes.set(xlabel="thousand references", ylabel="pages", ylim=(0, None))
    axes.legend(fontsize=7)


def draw_misses(axes, tape: Tape) -> None:
    flat = Tape.from_references(touched(tape))
    sizes = np.unique(np.geomspace(4, len(flat.pages), SIZES).astype(int))
    for policy, colour in (("lru", INK), ("clairvoyant", SOFT)):
        runs = [
            sos_gym.evaluate("sos/Memory-v0", policy, workload=flat, nodes=1, frames=int(n), scan_ns=None)[0]
            for n in sizes
        ]
        axes.plot(sizes, [run["miss_ratio"] for run in runs], color=colour, marker=".", label=policy)
    axes.set(xscale="log", yscale="log", xlabel="frames", ylabel="miss ratio")
    axes.legend(fontsize=7)


def bursts_of(tape: Tape) -> np.ndarray:
    """Work between blocks of each thread, ns; a joint tape's without its references."""
    ends = np.isin(tape.ops["op"], (Op.SLEEP, Op.SLEEP_UNTIL, Op.WAIT, Op.EXIT))
    burst = np.cumsum(ends) + tape.op_thread()  # a thread's end ends its burst
    work = np.bincount(burst, np.where(tape.ops["op"] == Op.COMPUTE, tape.ops["arg"], 0))
    return work[work > 0]


def waits_of(tape: Tape) -> tuple[np.ndarray, np.ndarray]:
    """Waits for a core under round robin: ns, and how many."""
    made = build_settings({"cores": int(tape.card["cores"]), "nodes": 1, "frames": None})
    simulation = Simulation(tape, made, [policy_named("round_robin").host()], driver=0)
    simulation.advance()
    counts = simulation.arrays["waits"].reshape(len(Resource), -1)[Resource.CPU]
    at = np.flatnonzero(counts)
    return np.array([bucket_ns(int(i)) for i in at], float), counts[at]


def draw_times(axes, tape: Tape) -> None:
    sleeps = tape.ops["arg"][tape.ops["op"] == Op.SLEEP]
    waits, counts = waits_of(tape)
    for name, values, weights, colour in (
        ("bursts", bursts_of(tape), None, INK),
        ("sleeps", sleeps, None, SOFT),
        ("waits", waits, counts, "#5b8c3a"),
    ):
        if len(values):
            order = np.argsort(values)
            share = np.cumsum(np.ones(len(values)) if weights is None else weights[order])
            at_ms = np.maximum(values[np.append(order[0], order)], 1) / 1e6
            axes.step(at_ms, np.append(0, share / share[-1]), color=colour, where="post", label=name)
    axes.set(xscale="log", xlabel="ms", ylabel="share at most so long", ylim=(0, 1))
    axes.legend(fontsize=7)


def draw_threads(axes, tape: Tape) -> None:
    """Work of each thread, the busiest first."""
    work = np.bincount(tape.op_thread(), np.where(tape.ops["op"] == Op.COMPUTE, tape.ops["arg"], 0)) / 1e6
    axes.bar(np.arange(len(work)), np.sort(work)[::-1], color=INK, width=1.0)
    axes.set(xlabel="threads, the busiest first", ylabel="work, ms")


def picture(tape: Tape, path: Path) -> None:
    drawn = {
        "memory": (draw_footprint, draw_misses),
        "cpu": (draw_times, draw_threads),
        "joint": (draw_footprint, draw_misses, draw_times),
    }[tape.card["side"]]
    figure, axes = pyplot.subplots(1, len(drawn), figsize=(3.4 * len(drawn), 2.4), layout="constrained")
    for one, place in zip(drawn, axes, strict=True):
        one(place, tape)
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=7)
    figure.savefig(path, dpi=72, metadata={"Software": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m measurements.recordings", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="recordings; default: all")
    parser.add_argument("--out", type=Path, default=Path("docs/recordings"), help="folder of the pictures")
    given = parser.parse_args()
    names = [name for name, card in sos_gym.workloads().items() if card.recorded]
    if unknown := set(given.names) - set(names):
        parser.error(f"no recording is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in track(given.names or names, "drawing", auto_refresh=False):
        picture(sos_gym.workload(name), given.out / f"{name}.png")
    print(f"drew into {given.out}; `make docs` puts new pictures on the page")


if __name__ == "__main__":
    main()
