"""Decisions per second, with observations

`gymnasium.utils.performance` steps each id with 16 rows, through `gym.make` and through `gym.make_vec` with 256
environments, resets included: actions are drawn at random, and a masked-out one becomes another. An advisor
is a policy that follows the episode and is asked at every decision. Park (Mao et al., NeurIPS 2019), the nearest
ancestor, is not a package on the registry (`park` there is a key-value store); it needs the `gym` of 2019.
"""

import gymnasium as gym
from gymnasium.utils.performance import benchmark_step, benchmark_vector_step

from benchmarks.scale import Scale
from sos_gym.settings.presets import PRESETS

ENVIRONMENTS = 256
ADVISORS = ("lru", "sieve", "gap")
ASKED = (0, 1, 3)  # of these


def cases(scale: Scale) -> list[tuple[str, int]]:
    return [(env_id, asked) for env_id in PRESETS for asked in ASKED]


def measure(case: tuple[str, int], scale: Scale) -> list[dict]:
    env_id, asked = case
    row = {"id": env_id, "advisors": asked}
    scalar = gym.make(env_id, advisors=ADVISORS[:asked])
    benchmark_step(scalar, 0, seed=0)  # compiles
    row["gym.make /s"] = benchmark_step(scalar, scale.seconds, seed=0)
    vector = gym.make_vec(env_id, num_envs=ENVIRONMENTS, advisors=ADVISORS[:asked])
    row["gym.make_vec /s"] = benchmark_vector_step(vector, scale.seconds, seed=0)
    return [row | {"vector environment": type(vector.unwrapped).__name__}]


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    labels = [f"{row['id']}, {row['advisors']} advisors" for row in rows]
    for name, marker in (("gym.make /s", "o"), ("gym.make_vec /s", "s")):
        axes.plot([row[name] for row in rows], labels, marker, label=name.removesuffix(" /s"))
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("decisions per second (log scale)")
    axes.grid(axis="y", color="#d9d9d9", linewidth=0.6)
    axes.legend(fontsize=8, frameon=False)
