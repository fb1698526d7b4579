"""How all policies do on the standard workloads, on both resources.

    python -m measurements.policies [--episodes 8] [--out docs/policies-measured.md]

The standard workloads are the defaults of the four ids, episodes of the `train` split. Stall is weighted stall, as a
ratio to that of `lottery` on the same tapes; miss ratio and mean response are means over episodes.
"""

import numpy as np
from rich.progress import track

import sos_gym
from measurements import page
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS, short_id

SEED = 0
SPLIT = "train"
BASE = "lottery"
CARDS = "† knows the future. What each policy is: [policies.md](policies.md)."


def mean(runs: list[dict], metric: str) -> float:
    return float(np.mean([run[metric] for run in runs]))


def measure(episodes: int) -> dict[str, dict[str, list[dict]]]:
    """Policy -> id -> metrics of its episodes."""
    pairs = [(name, env_id) for name in sos_gym.policies() for env_id in PRESETS]
    runs: dict[str, dict[str, list[dict]]] = {name: {} for name in sos_gym.policies()}
    for name, env_id in track(pairs, "policies", auto_refresh=False):
        runs[name][env_id] = sos_gym.evaluate(env_id, name, seed=SEED, episodes=episodes, split=SPLIT)
    return runs


def row(name: str, runs: dict[str, list[dict]], base: dict[str, list[dict]]) -> list[str]:
    stalls = [mean(runs[id_], "weighted_stall_ns") / mean(base[id_], "weighted_stall_ns") for id_ in PRESETS]
    miss = mean(runs["sos/Memory-v0"], "miss_ratio")
    response = [mean(runs[id_], "mean_response_ns") / 1e6 for id_ in ("sos/CPU-v0", "sos/System-v0")]
    marked = f"`{name}`" + " †" * sos_gym.policies()[name].privileged
    return [marked, f"{miss:.3f}", *(f"{ms:.2f}" for ms in response), *(f"{stall:.2f}" for stall in stalls)]


def main() -> None:
    given = page.options(__doc__, episodes=8)
    runs = measure(given.episodes)
    order = sorted(runs, key=lambda name: mean(runs[name]["sos/System-v0"], "weighted_stall_ns"))
    heads = ["policy", "miss ratio, Memory", "mean response, CPU (ms)", "mean response, System (ms)"]
    heads += [f"stall, {short_id(preset)}" for preset in PRESETS]
    measured = table(heads, [row(name, runs[name], runs[BASE]) for name in order])
    said = __doc__.split("\n\n")[-1].strip()
    page.put(f"# Policies, measured\n\n{page.made()}\n\n{said} {CARDS}\n\n{measured}\n", given.out)


if __name__ == "__main__":
    main()
