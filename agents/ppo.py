"""MaskablePPO with a set policy, on the native vector environment.

    sos-gym train --config ppo-memory

What a decision is worth is looked for within some service: each is discounted by gamma, and with `discount: service`
also by exp(-service until the next / discount_service_ns). `reward: foresight` is privileged (it knows the next use, in
training only); nothing later matters then, so that gamma belongs to be 0. Writes runs/NAME-SEED/: see run_folder.py.
"""

from dataclasses import dataclass

import training
from configuration import Count, Share, claim_to_start_at
from run_folder import RunFolder
from sb3_contrib import MaskablePPO
from set_policy import SetPolicy
from stable_baselines import ModelLearner, ModelTraining, environments, trained

from sos_gym import LearnedClaim
from sos_gym.envs.sb3 import MaskableServiceRolloutBuffer


@dataclass(frozen=True, kw_only=True)
class Training(ModelTraining):
    """What a file in configs/ may say."""

    n_steps: Count = 128  # decisions per environment and update
    batch_size: Count = 2048
    n_epochs: Count = 4
    gae_lambda: Share = 0.95
    ent_coef: float = 0.001
    start: str | None = None  # the claim of that shape at which the actor begins: a file, or `learned`; None: at a draw


class Ppo(ModelLearner):
    """MaskablePPO under way."""

    def __init__(self, given: Training):
        env = environments(given)
        names = ("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "ent_coef", "seed")
        numbers = {name: getattr(given, name) for name in names}
        if given.discount == "service":
            numbers |= {"rollout_buffer_class": MaskableServiceRolloutBuffer, "rollout_buffer_kwargs": {"env": env}}
        model = MaskablePPO(SetPolicy, env, policy_kwargs={"width": given.width}, device="cpu", **numbers)
        if given.start is not None:
            model.policy.mlp_extractor.actor.begin_at(claim_to_start_at(given.start, given.env))
        super().__init__(model, given, piece=given.environments * given.n_steps)

    def claim(self) -> LearnedClaim:
        return self.model.policy.claim(self.given.name, privileged=self.given.is_privileged)


def train(given: Training, folder: RunFolder) -> training.Best:
    return trained(Ppo, given, folder)


if __name__ == "__main__":
    training.main(Training, train, __doc__)
