"""All policies on both resources: what they are there, and how they do on the standard workloads.

    python benchmarks/policies.py [--episodes 8] [--out docs/policies.md]

The standard workloads are the defaults of the four ids, episodes of the `train` split. Stall is weighted stall, as a
ratio to that of `lottery` on the same tapes; miss ratio and mean response are means over episodes.
"""

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.progress import track

import sos_gym
from sos_gym import cards
from sos_gym.settings.presets import PRESETS

SEED = 0
SPLIT = "train"
BASE = "lottery"


def mean(runs: list[dict], metric: str) -> float:
    return float(np.mean([run[metric] for run in runs]))


def measure(episodes: int) -> dict[str, dict[str, list[dict]]]:
    """Policy -> id -> metrics of its episodes."""
    pairs = [(name, env_id) for name in sos_gym.policies() for env_id in PRESETS]
    runs: dict[str, dict[str, list[dict]]] = {name: {} for name in sos_gym.policies()}
    for name, env_id in track(pairs, "policies"):
        runs[name][env_id] = sos_gym.evaluate(env_id, name, seed=SEED, episodes=episodes, split=SPLIT)
    return runs


def row(name: str, runs: dict[str, list[dict]], base: dict[str, list[dict]]) -> list[str]:
    stalls = [mean(runs[id_], "weighted_stall_ns") / mean(base[id_], "weighted_stall_ns") for id_ in PRESETS]
    miss = mean(runs["sos/Memory-v0"], "miss_ratio")
    response = [mean(runs[id_], "mean_response_ns") / 1e6 for id_ in ("sos/CPU-v0", "sos/System-v0")]
    return [cards.marked(name), f"{miss:.3f}", *(f"{ms:.2f}" for ms in response), *(f"{stall:.2f}" for stall in stalls)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    runs = measure(arguments.episodes)
    order = sorted(runs, key=lambda name: mean(runs[name]["sos/System-v0"], "weighted_stall_ns"))
    heads = ["policy", "miss ratio, Memory", "mean response, CPU (ms)", "mean response, System (ms)"]
    heads += [f"stall, {cards.short(preset)}" for preset in PRESETS.values()]
    made = f"`python {' '.join(sys.argv)}`, sos-gym {version('sos-gym')}, Python {platform.python_version()}."
    table = cards.table(heads, [row(name, runs[name], runs[BASE]) for name in order])
    said = __doc__.split("\n\n")[-1].strip()
    text = f"{cards.policies_page()}\n## How they do\n\n{made}\n\n{said}\n\n{table}\n"
    print(table)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
