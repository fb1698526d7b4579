"""MaskablePPO with a set policy, on the native vector environment.

    sos-gym train --config ppo-memory

What a decision is worth is looked for within some service: each is discounted by gamma, and with `discount: service`
also by exp(-service until the next / discount_service_ns). `reward: foresight` is privileged (it knows the next use, in
training only); nothing later matters then, so that gamma belongs to be 0. Writes runs/NAME-SEED/: see run_folder.py.
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
from sos_gym.envs.sb3 import MaskableServiceRolloutBuffer, SosVecEnv


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
    discount: Literal["decision", "service"] = "decision"
    discount_service_ns: Count | None = None  # None: the environment's
    gamma: Share = 0.99  # per decision, whatever the discount
    gae_lambda: Share = 0.95
    learning_rate: float = 1e-3  # at first
    last_learning_rate: float = 1e-4
    ent_coef: float = 0.001
    width: Count = 32  # of the hidden layers


def environments(given: Training) -> SosVecEnv:
    """Of the train split; the model seeds them."""
    settings = {"workload": given.workload, "reward": given.reward}
    if given.discount_service_ns is not None:
        settings["discount_service_ns"] = given.discount_service_ns
    return SosVecEnv(given.env, given.environments, split="train", **settings)


class Ppo(ModelLearner):
    """MaskablePPO under way."""

    def __init__(self, given: Training):
        self.given = given
        env = environments(given)
        names = ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "seed")
        numbers = {name: getattr(given, name) for name in names}
        if given.discount == "service":
            numbers |= {"rollout_buffer_class": MaskableServiceRolloutBuffer, "rollout_buffer_kwargs": {"env": env}}
        model = MaskablePPO(SetPolicy, env, policy_kwargs={"width": given.width}, device="cpu", **numbers)
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
