"""What the default of each environment is like: spread, decisions, what K rows cost.

    python -m measurements.defaults [--episodes 8] [--out docs/defaults.md]

Stall is weighted stall, over the episodes of the `train` split. `one row`: share of decisions with a single legal row
under lottery. `clairvoyant in K rows`: the same rule, but it may only choose what is shown.
"""

import numpy as np
from rich.progress import track

import sos_gym
from measurements import page
from sos_gym.envs.env import SosEnv
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS

SEED = 0
SPLIT = "train"


def stall(runs: list[dict]) -> float:
    return float(np.mean([run["weighted_stall_ns"] for run in runs]))


def clairvoyant_row(env: SosEnv) -> int:
    """The row that SRPT or MIN would choose among the rows shown."""
    kind = env.simulation.decision["kind"]
    futures = env.simulation.arrays["entities"]["future"]
    shown = np.array(env.candidates)
    if kind == 0 and (shown < 0).any():
        return int(np.argmax(shown < 0))
    future = np.where(shown < 0, np.inf, futures[shown]) if kind else futures[shown]
    return int(np.argmin(future) if kind else np.argmax(future))


def in_rows(env_id: str, seed: int) -> dict:
    """An episode of the clairvoyant that sees K rows only."""
    env = SosEnv(env_id, split=SPLIT, reward="foresight")
    env.reset(seed=seed)
    while True:
        _, _, terminated, truncated, info = env.step(clairvoyant_row(env))
        if terminated or truncated:
            return info["metrics"]


def one_row(env_id: str, seed: int) -> float:
    """Share of an episode's decisions with a single legal row."""
    env = SosEnv(env_id, split=SPLIT, advisors=("lottery",))
    observation, info = env.reset(seed=seed)
    alone, decisions, over = 0, 0, False
    while not over:
        alone, decisions = alone + (observation["action_mask"].sum() == 1), decisions + 1
        observation, _, terminated, truncated, info = env.step(info["advice"]["lottery"])
        over = terminated or truncated
    return alone / decisions


def describe(env_id: str, episodes: int) -> dict[str, str]:
    """One line of the table."""
    runs = {
        name: sos_gym.evaluate(env_id, name, seed=SEED, episodes=episodes, split=SPLIT) for name in sos_gym.policies()
    }
    base = stall(runs["lottery"])
    online = {name: stall(runs[name]) for name, card in sos_gym.policies().items() if not card.privileged}
    best = min(online, key=lambda name: online[name])
    limited = stall([in_rows(env_id, SEED + episode) for episode in range(episodes)])
    full = stall(runs["clairvoyant"])
    decisions = [[run["decisions"] for run in runs[name]] for name in ("lottery", "clairvoyant")]
    service = float(np.mean([run["service_ns"] for run in runs["lottery"]]))
    return {
        "id": env_id,
        "clairvoyant / lottery": f"{full / base:.2f}",
        "lru / lottery": f"{online['recency'] / base:.2f}",
        "fcfs / lottery": f"{online['seniority'] / base:.2f}",
        "best online / lottery": f"{online[best] / base:.2f} ({best})",
        "clairvoyant in K rows / full": f"{limited / full:.3f}",
        "decisions lottery": f"{np.mean(decisions[0]):.0f}",
        "decisions clairvoyant": f"{np.mean(decisions[1]):.0f}",
        "one row": f"{np.mean([one_row(env_id, SEED + e) for e in range(2)]):.1%}",
        "stall / service, lottery": f"{base / service:.2f}",
    }


def main() -> None:
    given = page.options(__doc__, episodes=8)
    rows = [describe(env_id, given.episodes) for env_id in track(PRESETS, "environments", auto_refresh=False)]
    measured = table(list(rows[0]), [list(row.values()) for row in rows])
    page.put(f"# The defaults, measured\n\n{page.made()}\n\n{measured}\n", given.out)


if __name__ == "__main__":
    main()
