"""What the shipped recordings look like: python benchmarks/recordings.py --out docs/recordings.md

A picture per tape beside the page, in the folder `recordings`: pages touched so far and within the last tenth, misses
of LRU and MIN at twelve sizes; bursts, sleeps, and waits for a core under round robin on the recorded machine's cores.
"""

import argparse
import sys
from pathlib import Path

import matplotlib
import numpy as np
from rich.progress import track

import sos_gym
from sos_gym.cards import number, table
from sos_gym.engine.simulation import Simulation
from sos_gym.metrics import bucket_ns
from sos_gym.policy import policy_named
from sos_gym.resource import Op, Resource
from sos_gym.settings.environment import build_settings
from sos_gym.workload import Tape
from sos_gym.workload.recordings import SPLIT_OF

matplotlib.use("Agg")
from matplotlib import pyplot

SIDES = {"memory": "Page references", "cpu": "Schedules", "joint": "Both"}
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


def section(name: str, tape: Tape) -> str:
    card = tape.card
    facts = {
        "program": card["program"],
        "command": f"`{card['command']}`",
        "recorded": f"{card['date']}, {card['kernel']}",
        "by": card["source"],
        "extent": card["end"] + (f"; without {card['skipped']}" if card.get("skipped", "nothing") != "nothing" else ""),
    }
    counted = ("references", "footprint_pages", "instructions", "threads", "processes", "cores", "work_ns", "waits")
    facts["size"] = ", ".join(f"{key} {number(card[key])}" for key in counted if key in card)
    facts["split"] = SPLIT_OF[name]
    return (
        f"### `{name}`\n\n{card['summary']}\n\n{table(['', ''], facts.items())}\n\n![{name}](recordings/{name}.png)\n"
    )


def page() -> str:
    names = [name for name, card in sos_gym.workloads().items() if card.recorded]
    parts = [
        "# The recordings\n\nWritten by `python benchmarks/recordings.py --out docs/recordings.md`; recorded by "
        "`python benchmarks/tapes.py`, whose programs are in `benchmarks/programs`; how: [recording.md](recording.md). "
        "`sos_gym.workload(NAME)` is the whole tape; `recorded_memory`, `recorded_cpu`, `recorded_joint` are families "
        "that draw one, from a split if one is given; `sha256sum -c SHA256SUMS` in `sos_gym/workload/recorded` checks "
        "the files. CPU recordings were made beside other work: time on the run queue is not in them.\n\n"
        "Pictures: pages touched so far and within the last tenth of all references; misses of LRU and MIN by frames; "
        "bursts, sleeps, and waits for a core under round robin (1 ms) on as many cores as the recorded machine had; "
        "work of each thread.\n"
    ]
    for side, title in SIDES.items():
        parts.append(f"## {title}\n")
        parts += [section(name, sos_gym.workload(name)) for name in names if sos_gym.workloads()[name].side == side]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    folder = given.out.parent / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, card in sos_gym.workloads().items() if card.recorded]
    for name in track(names, "drawing"):
        picture(sos_gym.workload(name), folder / f"{name}.png")
    given.out.write_text(page(), encoding="utf-8")
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
