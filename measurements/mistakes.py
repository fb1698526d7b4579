"""What policies do wrong where it can be read, and what one decision does elsewhere.

    python -m measurements.mistakes [--episodes 10] [--out docs/mistakes.md]

The first table is `rounds` on Memory: a page's number says when it is due again, so that evictions are counted by what
they took. The second changes one decision of LRU, and asks by how much the stall at the end differs: what a learner has
to hear through. Both are of the `val` split. With --out what stands below the mark in the page is replaced.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

import numpy as np
from rich.progress import track

import sos_gym
from measurements import page
from sos_gym.markdown import table
from sos_gym.resource import Op
from sos_gym.workload.families.diagnosis import ONCE, class_of

MARK = "<!-- below: measurements/mistakes.py -->\n"
ENV, SPLIT, SEED = "sos/Memory-v0", "val", 0
POLICIES = (
    "clairvoyant",
    "learned",
    "learned_all",
    "gap",
    "lirs",
    "arc",
    "s3fifo",
    "lruk",
    "sieve",
    "linux",
    "lru",
    "turns",
    "lottery",
)
CHANGED = ("rounds", "loop", "scan", "zipf", "phases", "localities")  # families in which one decision is changed
CLASSES, PER_CLASS = (sos_gym.workloads()["rounds"].parameters[name].default for name in ("classes", "pages_per_class"))


class Due:
    """When pages of a tape with one thread are used, in touches since its start."""

    def __init__(self, tape: sos_gym.Tape):
        self.touched = tape.ops["arg"][np.isin(tape.ops["op"], (Op.READ, Op.WRITE))].tolist()
        self.times: dict[int, list[int]] = {}
        for time, number in enumerate(self.touched):
            self.times.setdefault(number, []).append(time)

    def after(self, number: int, time: int) -> float:
        """The next touch of the page behind touch `time`; infinite if there is none."""
        times = self.times[number]
        place = bisect_right(times, time)
        return times[place] if place < len(times) else math.inf


def evictions(run: dict, due: Due) -> Iterator[tuple[int, bool]]:
    """Of each: the class of the page, and whether a page in another frame was due later."""
    time, held = -1, set()
    for event in run["events"]:
        number = event.e - len(run["threads"])
        if event.verb in ("want", "use") and due.touched[max(time, 0)] != number:
            time = due.times[number][bisect_right(due.times[number], time)]
        if event.verb == "hold":
            held.add(number)
        elif event.verb == "release":
            held.discard(number)
            if event.why == "evicted":
                latest = max(due.after(other, time) for other in held)
                yield class_of(number, PER_CLASS, CLASSES), due.after(number, time) < latest


def mistakes(policy: str, episodes: int) -> list[str]:
    """A row of the table: evictions by class, per episode, those that were wrong, and the stall."""
    runs = sos_gym.evaluate(ENV, policy, "rounds", SEED, episodes, SPLIT, detail=True)
    found = [one for run in runs for one in evictions(run, Due(sos_gym.workload("rounds", run["seed"], SPLIT)))]
    by_class = Counter(kind for kind, _ in found)
    wrong = sum(was_wrong for _, was_wrong in found) / len(found)
    stall = np.mean([run["stall_ns"] for run in runs]) / 1e6
    counts = [f"{by_class[kind] / episodes:.0f}" for kind in (*range(CLASSES), ONCE)]
    return [f"`{policy}`", *counts, f"{100 * wrong:.0f}", f"{stall:.2f}"]


def one_changed(family: str, number: int, seed: int) -> float:
    """Stall in ms when the `number`-th decision is another one than LRU's; NaN if there is no other or no such one."""
    changed = []

    def decide(observation: dict, info: dict) -> int:
        row = info["advice"]["lru"]
        if info["decision"]["number"] != number:
            return row
        others = np.flatnonzero(observation["action_mask"]).tolist()
        others.remove(row)
        changed.extend(others)
        return others[seed % len(others)] if others else row

    run = sos_gym.evaluate(ENV, decide, family, seed, split=SPLIT, advisors=("lru",))[0]
    return run["stall_ns"] / 1e6 if changed else np.nan


def effects(family: str, episodes: int) -> list[str]:
    """A row: the stall, and how much one decision changes it, in ms."""
    runs = sos_gym.evaluate(ENV, "lru", family, SEED, episodes, SPLIT)
    base = [run["stall_ns"] / 1e6 for run in runs]
    at = np.random.default_rng(SEED).random(episodes)
    numbers = [int(share * run["decisions"] / 2) for share, run in zip(at, runs, strict=True)]
    other = [one_changed(family, number, SEED + k) for k, number in enumerate(numbers)]
    differs = np.abs(np.subtract(other, base))
    half, most = np.nanquantile(differs, (0.5, 0.9))
    return [f"`{family}`", f"{np.mean(base):.1f}", f"{half:.3f}", f"{most:.3f}"]


def main() -> None:
    given = page.options(__doc__, episodes=10)
    head = ["policy", *(f"due every {1 << k}" for k in range(CLASSES)), "used once", "wrong, %", "stall ms"]
    rows = [mistakes(name, given.episodes) for name in track(POLICIES, "policies", auto_refresh=False)]
    changed = [effects(name, given.episodes) for name in track(CHANGED, "one decision", auto_refresh=False)]
    parts = [page.made(), "Evictions per episode, by when the page was due again in rounds:"]
    parts.append(table(head, rows, "l" + "r" * (len(head) - 1)))
    parts.append(f"One decision of LRU changed, {given.episodes} episodes: how far the stall at the end moves, ms.")
    parts.append(table(["family", "stall ms", "half of them less than", "nine of ten less than"], changed, "lrrr"))
    prose = given.out.read_text(encoding="utf-8").split(MARK)[0] if given.out and given.out.exists() else ""
    page.put(prose + MARK + "\n" + "\n\n".join(parts) + "\n", given.out)


if __name__ == "__main__":
    main()
