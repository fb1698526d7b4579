"""Training: how much of it is the environment

Stable-Baselines3's MaskablePPO trains its default network (two layers of 64) on `SosVecEnv` with 256 environments.
`environment %` is the share of the whole time inside the native vector environment, `adapter %` what the adapter adds
to it, masks included. The rest is SB3 and torch, which keeps to one thread while decisions are collected
(`OneThreadRollouts`). Episodes of a trained policy are short: half of the environment's share is the drawing of tapes.
"""

import time
from typing import Any

from .scale import Scale

ENVIRONMENTS = 256
STEPS = 64  # per environment and update
UPDATES_PER_SECOND = 4  # of `Scale.seconds`: enough for every environment to begin anew


def cases(scale: Scale) -> list[str]:
    return ["sos/Memory-v0", "sos/CPU-v0", "sos/System-v0", "sos/Tier-v0"]


class Stopwatch:
    """Seconds inside some methods."""

    def __init__(self, owner: Any, *names: str):
        self.seconds = 0.0
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, method):
        def call(*args, **keywords):
            start = time.perf_counter()
            found = method(*args, **keywords)
            self.seconds += time.perf_counter() - start
            return found

        return call


def measure(case: str, scale: Scale) -> list[dict]:
    from sb3_contrib import MaskablePPO

    from sos_gym.sb3 import OneThreadRollouts, SosVecEnv

    env = SosVecEnv(case, ENVIRONMENTS)
    model = MaskablePPO("MultiInputPolicy", env, n_steps=STEPS, batch_size=4096, n_epochs=4, seed=0, device="cpu")
    model.learn(ENVIRONMENTS * STEPS, callback=OneThreadRollouts())  # compiles
    inside, adapter = Stopwatch(env.vector, "step"), Stopwatch(env, "step_wait", "env_method")
    updates = max(1, round(UPDATES_PER_SECOND * scale.seconds))
    start = time.perf_counter()
    model.learn(updates * ENVIRONMENTS * STEPS, callback=OneThreadRollouts())
    seconds = time.perf_counter() - start
    return [
        {
            "id": case,
            "decisions/s": updates * ENVIRONMENTS * STEPS / seconds,
            "environment %": 100 * inside.seconds / seconds,
            "adapter %": 100 * (adapter.seconds - inside.seconds) / seconds,
        }
    ]


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    ids, left = [row["id"] for row in rows], [0.0] * len(rows)
    for name in ("environment %", "adapter %"):
        shares = [row[name] for row in rows]
        axes.barh(ids, shares, left=left, label=name.removesuffix(" %"))
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    axes.set_xlabel("% of the time of training")
    axes.legend(fontsize=8, frameon=False)
