"""MaskablePPO with a set policy, on the native vector environment.

    sos-gym train --config ppo-memory

With `discount: service` a decision is discounted by the service done until the next one, exp(-service / τ), else each
by gamma. With the reward `foresight` (privileged: it knows the next use, in training only) nothing later matters, so
that gamma is 0. Writes runs/NAME-SEED/: see run_folder.py.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import training
from configuration import Count, OfOneId, Share
from report import AgainstTheBest, finish
from run_folder import RunFolder
from sb3_contrib import MaskablePPO
from set_policy import SetPolicy
from stable_baselines import Falling, ModelLearner

from sos_gym import LearnedClaim
from sos_gym.envs.sb3 import SosVecEnv


@dataclass(frozen=True, kw_only=True)
class Training(OfOneId):
    """What a file in configs/ may say."""

    decisions: Count = 1_500_000  # the budget
    check: Count = 100_000  # decisions
    reward: Literal["progress", "stall", "foresight"] = "progress"
    environments: Count = 64
    n_steps: Count = 128  # decisions per environment and update
    batch_size: Count = 2048
    n_epochs: Count = 4
    gamma: Share = 0.99  # per decision
    gae_lambda: Share = 0.95
    learning_rate: float = 1e-3  # at first
    last_learning_rate: float = 1e-4
    ent_coef: float = 0.001
    width: Count = 32  # of the hidden layers


class Ppo(ModelLearner):
    """MaskablePPO under way."""

    def __init__(self, given: Training):
        self.given = given
        env = SosVecEnv(given.env, given.environments, workload=given.workload, split="train", reward=given.reward)
        names = ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "seed")
        model = MaskablePPO(
            SetPolicy,
            env,
            policy_kwargs={"width": given.width},
            device="cpu",
            **{name: getattr(given, name) for name in names},
        )
        rate = Falling(given.learning_rate, given.last_learning_rate)
        super().__init__(model, given.decisions, given.environments * given.n_steps, rate)

    def claim(self) -> LearnedClaim:
        return self.model.policy.claim(self.given.name, privileged=self.given.reward == "foresight")


def train(given: Training, folder: RunFolder) -> training.Best:
    torch.set_num_threads(given.threads)
    best = training.train(Ppo(given), AgainstTheBest(given), given, folder)
    finish(given, best.claim, folder)
    return best


if __name__ == "__main__":
    training.main(Training, train, __doc__)
