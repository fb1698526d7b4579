"""DQN over a set of rows that never takes, explores or looks ahead to one that is masked out.

    sos-gym train --config dqn-memory

Its Q network is what `LearnedClaim` computes, so that what was trained runs inside the engine. Stable-Baselines3 knows
no masks here: a masked-out row gets a value that no maximum takes, and exploration draws among legal rows. Discounted
as in ppo.py. Writes runs/NAME-SEED/: see run_folder.py; a checkpoint holds the replay, some 5 kB a transition.
"""

from dataclasses import dataclass

import numpy as np
import torch
import training
from claim_network import NEVER, ClaimNetwork
from configuration import Count, Share
from run_folder import RunFolder
from set_policy import RowsAndContext
from stable_baselines import Falling, ModelLearner, ModelTraining, environments, trained
from stable_baselines3 import DQN
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork

from sos_gym import LearnedClaim
from sos_gym.envs.sb3 import ServiceReplayBuffer


@dataclass(frozen=True, kw_only=True)
class Training(ModelTraining):
    """What a file in configs/ may say."""

    piece: Count = 8192  # decisions between two places where it can be stopped
    buffer_size: Count = 50_000  # transitions of the replay
    learning_starts: Count = 10_000  # decisions, by random legal rows
    batch_size: Count = 512
    gradient_steps: Count = 1  # per step of all environments
    target_update_interval: Count = 8192  # decisions
    exploration: Share = 1.0  # at first
    last_exploration: Share = 0.02
    exploration_share: Share = 0.3  # of the budget, over which it falls
    depth: Count = 2  # hidden layers


class MaskedQNetwork(QNetwork):
    """Values of rows; NEVER where the mask forbids one."""

    def __init__(self, *args, width: int, depth: int, **keywords):
        super().__init__(*args, **keywords)
        self.q_net = ClaimNetwork(width, depth)

    def forward(self, obs: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.q_net(obs["candidates"], obs["context"]).masked_fill(obs["action_mask"] == 0, NEVER)


class MaskedPolicy(DQNPolicy):
    """For observations of `SosVecEnv`. `width` and `depth`: of the hidden layers."""

    def __init__(self, *args, width: int = 32, depth: int = 2, **keywords):
        self.sizes = {"width": width, "depth": depth}
        super().__init__(*args, **{"features_extractor_class": RowsAndContext, **keywords})

    def make_q_net(self) -> MaskedQNetwork:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return MaskedQNetwork(**arguments, **self.sizes).to(self.device)


class MaskedDqn(DQN):
    """Explores among legal rows, each environment by itself."""

    def _sample_action(self, learning_starts: int, action_noise=None, n_envs: int = 1):
        rate = 1.0 if self.num_timesteps < learning_starts else self.exploration_rate
        rows, _ = self.policy.predict(self._last_obs, deterministic=True)
        keys = self.exploring.random((n_envs, self.action_space.n)) * (self._last_obs["action_mask"] == 1)
        rows = np.where(self.exploring.random(n_envs) < rate, keys.argmax(axis=1), rows)
        return rows, rows

    def _setup_model(self) -> None:
        super()._setup_model()
        self.exploring = np.random.default_rng(self.seed)


class Dqn(ModelLearner):
    """DQN under way."""

    def __init__(self, given: Training):
        env = environments(given)
        names = ("buffer_size", "learning_starts", "batch_size", "gamma", "gradient_steps", "target_update_interval")
        numbers = {name: getattr(given, name) for name in (*names, "seed")}
        if given.discount == "service":
            numbers |= {"replay_buffer_class": ServiceReplayBuffer, "replay_buffer_kwargs": {"env": env}}
        policy = {"width": given.width, "depth": given.depth}
        model = MaskedDqn(MaskedPolicy, env, train_freq=1, policy_kwargs=policy, device="cpu", **numbers)
        super().__init__(model, given, given.piece)

    def set_rates(self, share: float) -> None:
        given = self.given
        super().set_rates(share)
        exploration = Falling(given.exploration, given.last_exploration).at(share / max(given.exploration_share, 1e-9))
        self.model.exploration_schedule = FloatSchedule(exploration)
        self.model.exploration_rate = exploration

    def claim(self) -> LearnedClaim:
        return self.model.q_net.q_net.claim(self.given.name, privileged=self.given.is_privileged)


def train(given: Training, folder: RunFolder) -> training.Best:
    return trained(Dqn, given, folder)


if __name__ == "__main__":
    training.main(Training, train, __doc__)
