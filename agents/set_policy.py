"""A policy over a set of rows for MaskablePPO: one claim per row from shared weights, whatever the rows' order.

Its actor is what `LearnedClaim` computes, so that what was trained runs inside the engine. The critic pools the rows
that are there, padding left out, and has weights of its own.
"""

import numpy as np
import torch
from claim_network import ClaimNetwork
from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from sos_gym import COLUMNS, CONTEXT, LearnedClaim

VALID = COLUMNS.index("valid")  # 1 in each row that is there


class RowsAndContext(BaseFeaturesExtractor):
    """Candidates, then context, as one vector; the mask of the observation is no feature: MaskablePPO applies it."""

    def __init__(self, space):
        super().__init__(space, sum(int(np.prod(space[key].shape)) for key in ("candidates", "context")))

    def forward(self, observations: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.cat([observations["candidates"].flatten(1), observations["context"]], dim=1)


class SetActorCritic(nn.Module):
    """From flat features (candidates, then context) to logits (K,) and what the value is read from."""

    def __init__(self, rows: int, width: int):
        super().__init__()
        self.rows = rows
        self.actor = ClaimNetwork(width, depth=2)
        self.critic = nn.Sequential(nn.Linear(len(COLUMNS) + len(CONTEXT), width), nn.ReLU(), nn.Linear(width, width))
        self.latent_dim_pi, self.latent_dim_vf = rows, width

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        return self.actor(*self._parts(features))

    def forward_critic(self, features: torch.Tensor) -> torch.Tensor:
        rows, context = self._parts(features)
        there = rows[:, :, VALID].sum(dim=1, keepdim=True).clamp(min=1.0)
        pooled = rows.sum(dim=1) / there  # padding is zero
        return torch.relu(self.critic(torch.cat([pooled, context], dim=1)))

    def _parts(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = self.rows * len(COLUMNS)
        return features[:, :flat].view(-1, self.rows, len(COLUMNS)), features[:, flat:]


class SetPolicy(MaskableMultiInputActorCriticPolicy):
    """For observations of `SosVecEnv` and `gym.make`. `width`: of the hidden layers."""

    def __init__(self, *args, width: int = 32, **keywords):
        self.width = width
        super().__init__(*args, **{"features_extractor_class": RowsAndContext, **keywords})

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = SetActorCritic(int(self.action_space.n), self.width)

    def _build(self, lr_schedule) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()  # the logits are there already
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)

    def claim(self, name: str, privileged: bool = False) -> LearnedClaim:
        """The actor as NumPy arrays; `privileged`: it was paid by who knows the future."""
        return self.mlp_extractor.actor.claim(name, privileged=privileged)
