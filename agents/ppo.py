"""MaskablePPO with a set policy, on the native vector environment.

    python agents/ppo.py configs/ppo-memory.yaml

With reward `foresight` (privileged: it knows the next use, in training only) nothing later matters, so gamma is 0.
Every `check` steps the claim as it is plays some episodes of the val split inside the engine, and the best one is kept.
Writes runs/NAME/: claim.npz, curve.png, val.txt.
"""

import time
from dataclasses import dataclass, field

import configuration
import report
import torch
from rich.progress import Progress
from sb3_contrib import MaskablePPO
from set_policy import SetPolicy
from stable_baselines3.common.callbacks import BaseCallback

from sos_gym import LearnedClaim
from sos_gym.envs.sb3 import OneThreadRollouts, SosVecEnv

CHECK_SEED, CHECK_EPISODES = 1000, 8  # of the val split; the final comparison begins at seed 0


@dataclass(frozen=True)
class Training:
    """What a file in configs/ may say."""

    env: str = "sos/Memory-v0"
    name: str = "ppo-memory"
    reward: str = "foresight"
    seed: int = 0
    steps: int = 1_500_000  # decisions in all
    check: int = 150_000  # decisions between looks at the val split
    environments: int = 64
    n_steps: int = 128  # decisions per environment and update
    batch_size: int = 2048
    n_epochs: int = 4
    gamma: float = 0.0
    gae_lambda: float = 0.95
    learning_rate: float = 1e-3
    ent_coef: float = 0.001
    width: int = 32
    baselines: list = field(default_factory=lambda: ["lru", "gap", "lirs", "linux", "clairvoyant"])
    val_episodes: int = 40
    workers: int = 2


class KeepBest(BaseCallback):
    """Plays the present claim now and then, and keeps the best."""

    def __init__(self, given: Training, progress: Progress):
        super().__init__()
        self.given, self.progress = given, progress
        self.task = progress.add_task(given.name, total=given.steps)
        episodes = "val", CHECK_SEED, CHECK_EPISODES, given.workers
        self.base = report.stalls(given.env, given.baselines[0], *episodes)
        self.curve: list[float] = []
        self.best: LearnedClaim | None = None

    def check(self) -> None:
        episodes = "val", CHECK_SEED, CHECK_EPISODES, self.given.workers
        claim = self.model.policy.claim(self.given.name, privileged=self.given.reward == "foresight")
        score = float((report.stalls(self.given.env, claim, *episodes) / self.base).mean())
        if not self.curve or score < min(self.curve):
            self.best = claim
        self.curve.append(score)
        self.progress.console.print(f"{self.num_timesteps:>9} decisions: stall / {self.given.baselines[0]} {score:.4f}")

    def _on_rollout_end(self) -> None:
        self.progress.update(self.task, completed=self.num_timesteps)
        if self.num_timesteps >= len(self.curve) * self.given.check:
            self.check()

    def _on_training_start(self) -> None:
        self.check()  # an untrained network is a policy, too

    def _on_training_end(self) -> None:
        self.check()

    def _on_step(self) -> bool:
        return True


def train(given: Training) -> KeepBest:
    """Train as configured; what comes back has the best claim and the curve."""
    torch.set_num_threads(given.workers)
    env = SosVecEnv(given.env, given.environments, split="train", reward=given.reward)
    names = ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "learning_rate", "ent_coef", "seed")
    model = MaskablePPO(
        SetPolicy,
        env,
        policy_kwargs={"width": given.width},
        device="cpu",
        **{name: getattr(given, name) for name in names},
    )
    with Progress() as progress:
        keep = KeepBest(given, progress)
        model.learn(given.steps, callback=[OneThreadRollouts(), keep])
    return keep


if __name__ == "__main__":
    given, out = configuration.asked(Training, __doc__)
    start = time.perf_counter()
    keep = train(given)
    print(f"trained in {time.perf_counter() - start:.0f} s")
    report.finish(given, keep.best, keep.curve, out)
