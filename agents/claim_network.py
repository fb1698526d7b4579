"""What `LearnedClaim` computes, as a torch module: for learners that follow gradients."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from sos_gym import LearnedClaim, SettingError
from sos_gym.learned import ADMIT_COLUMN, INPUTS, OWN_COLUMNS, PAIR, PAIR_COLUMNS

NEVER = -1e9  # a logit that leaves no probability, and stays finite when it is divided by a small temperature


class ClaimNetwork(nn.Module):
    """Logits of rows: sign * claim(row, context) - pair costs. `depth` hidden layers of `width` ReLU units."""

    def __init__(self, width: int, depth: int):
        super().__init__()
        sizes = [len(INPUTS), *[width] * depth, 1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.pair_costs = nn.Parameter(torch.zeros(len(PAIR)))

    def forward(self, candidates: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """(n, K, F), (n, G) → (n, K). The context's part of the first layer is computed once, not for each row."""
        first, own = self.layers[0], len(OWN_COLUMNS)
        shared = context @ first.weight[:, own:].T + first.bias
        hidden = candidates[:, :, OWN_COLUMNS] @ first.weight[:, :own].T + shared[:, None]
        for layer in self.layers[1:]:
            hidden = layer(torch.relu(hidden))
        sign = torch.where(context[:, ADMIT_COLUMN] == 1.0, 1.0, -1.0)
        return sign[:, None] * hidden.squeeze(2) - candidates[:, :, PAIR_COLUMNS] @ self.pair_costs

    def log_shares(self, candidates: torch.Tensor, context: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Log probability of each row (n, K) by softmax among those that the mask allows."""
        return torch.log_softmax(self(candidates, context).masked_fill(mask == 0, NEVER), dim=1)

    def begin_at(self, claim: LearnedClaim) -> None:
        """Compute what a claim of the same shape does.

        Raises:
            SettingError: it has other layers.
        """
        sizes = [len(INPUTS), *(layer.out_features for layer in self.layers)]
        if claim.sizes.tolist() != sizes:
            raise SettingError("start", claim.sizes.tolist(), f"a claim of {sizes}", "change the width")
        with torch.no_grad():
            for layer, (weights, biases) in zip(self.layers, claim.layers, strict=True):
                layer.weight.copy_(torch.from_numpy(weights.T))
                layer.bias.copy_(torch.from_numpy(biases))
            self.pair_costs.copy_(torch.from_numpy(claim.pair_costs))

    def claim(self, name: str, scale: float = 1.0, privileged: bool = False) -> LearnedClaim:
        """As NumPy arrays, with logits times `scale`, > 0: which row is the greatest does not depend on it."""
        layers = [(_numbers(layer.weight).T, _numbers(layer.bias)) for layer in self.layers]
        weights, biases = layers[-1]
        layers[-1] = weights * scale, biases * scale
        return LearnedClaim(layers, _numbers(self.pair_costs) * scale, name, privileged)


def entropy_nats(log_shares: torch.Tensor) -> torch.Tensor:  # (n,)
    """Of the draws by softmax; 0 for certain, log k for k rows that are alike."""
    return -(log_shares.exp() * log_shares).sum(dim=1)


def _numbers(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().cpu().numpy().copy()
