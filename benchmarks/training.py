"""Training: how much of it is the environment

Stable-Baselines3's MaskablePPO trains its default network (two layers of 64) on `SosVecEnv` with 256 environments.
`environment %` is the share of the whole time inside the native vector environment, `adapter %` what the adapter adds
to it, masks included. The rest is SB3 and torch, which keeps to one thread while decisions are collected
(`OneThreadRollouts`), or does not. Next episodes: tapes are drawn and laid out.
"""

import time

from benchmarks.scale import Scale
from benchmarks.timing import Stopwatch
from sos_gym.settings.presets import PRESETS

ENVIRONMENTS = 256
STEPS = 64  # per environment and update
UPDATES_PER_SECOND = 4  # of `Scale.seconds`: enough for every environment to begin anew


def cases(scale: Scale) -> list[tuple[str, bool]]:
    return [(env_id, quiet) for env_id in PRESETS for quiet in (True, False)]


def measure(case: tuple[str, bool], scale: Scale) -> list[dict]:
    from sb3_contrib import MaskablePPO

    from sos_gym.envs.sb3 import OneThreadRollouts, SosVecEnv

    env_id, quiet = case
    env, callback = SosVecEnv(env_id, ENVIRONMENTS), OneThreadRollouts() if quiet else None
    model = MaskablePPO("MultiInputPolicy", env, n_steps=STEPS, batch_size=4096, n_epochs=4, seed=0, device="cpu")
    model.learn(ENVIRONMENTS * STEPS, callback=callback)  # compiles
    drawing = Stopwatch(env.vector, "_begin")
    inside, adapter = Stopwatch(env.vector, "step"), Stopwatch(env, "step_wait", "env_method")
    updates = max(1, round(UPDATES_PER_SECOND * scale.seconds))
    start = time.perf_counter()
    model.learn(updates * ENVIRONMENTS * STEPS, callback=callback)
    seconds = time.perf_counter() - start
    return [
        {
            "id": env_id,
            "torch in rollouts": "one thread" if quiet else "all threads",
            "decisions/s": updates * ENVIRONMENTS * STEPS / seconds,
            "environment %": 100 * inside.seconds / seconds,
            "of it next episodes %": 100 * drawing.seconds / seconds,
            "adapter %": 100 * (adapter.seconds - inside.seconds) / seconds,
        }
    ]


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    ids, left = [f"{row['id']}, {row['torch in rollouts']}" for row in rows], [0.0] * len(rows)
    for name in ("environment %", "adapter %"):
        shares = [row[name] for row in rows]
        axes.barh(ids, shares, left=left, label=name.removesuffix(" %"))
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    axes.set_xlabel("% of the time of training")
    axes.legend(fontsize=8, frameon=False)
