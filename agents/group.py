"""Policy gradient whose baseline is what other copies of the same tape came to: no critic.

    sos-gym train --config group-memory

Of each tape of the train split some copies are played, which differ only in the rows that chance drew. What a decision
led to is the stall that followed, discounted by the service done since; what was to be expected is what the other
copies had ahead of them when they had done as much service. The difference is the advantage, in a clipped update as of
PPO (Schulman et al. 2017). Baselines that know the input: Mao et al., Variance reduction for RL in input-driven
environments, ICLR 2019. Writes runs/NAME-SEED/: see run_folder.py.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import training
from claim_network import ClaimNetwork, entropy_nats
from configuration import Count, OfOneId, Share, claim_to_start_at
from pydantic import Field
from report import trained
from run_folder import RunFolder

from sos_gym import LearnedClaim
from sos_gym.experience import Experience, experience
from sos_gym.scenario import Scenario
from sos_gym.streams import stream

NS_PER_MS = 1e6
SEEDS = 1 << 31  # tapes and draws come from so many
FARTHEST = 6.0  # standard deviations of an advantage; what lies beyond is cut
STEEPEST = 0.5  # norm of a gradient

Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Training(OfOneId):
    """What a file in configs/ may say."""

    decisions: Count = 1_500_000  # the budget
    check: Count = 150_000  # decisions
    tape_group: Annotated[int, Field(ge=2)] = 4  # copies of a tape
    update_decisions: Count = 30_000  # some, for each update
    discount_service_ns: Count | None = None  # the discount is exp(-service / this); None: the environment's
    used: Share = 1.0  # of an update's decisions, in each epoch; 0 to 1
    epochs: Count = 3
    batch_size: Count = 1024  # with 8192 the policy hardly moves: KL 4e-5 an update, with 1024 4e-3
    learning_rate: Positive = 1e-3  # at first
    last_learning_rate: Positive = 1e-4
    entropy: float = 0.003  # its price
    clip: Share = 0.2
    width: Count = 32  # of the hidden layers
    depth: Count = 2  # hidden layers
    start: str | None = None  # the claim of that shape at which it begins: a file, or `learned`; None: at a draw


class SameTape:
    """The learner under way; its budget is counted in decisions."""

    def __init__(self, given: Training, pool: Executor):
        self.given, self.pool, self.total = given, pool, given.decisions
        self.done, self.updates, self.tapes = 0, 0, 1
        torch.manual_seed(given.seed)
        self.network = ClaimNetwork(given.width, given.depth)
        if given.start is not None:
            self.network.begin_at(claim_to_start_at(given.start, given.env))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=given.learning_rate)
        horizon = {} if given.discount_service_ns is None else {"discount_service_ns": given.discount_service_ns}
        self.scenario = Scenario.of(given.env, given.workload, "train", **horizon)

    def update(self) -> dict[str, float]:
        """Some tapes played by the network as it is, then gradients."""
        rng = stream(self.given.seed, f"update {self.updates}")
        groups = self._played(rng)
        advantages = np.concatenate([a for group in groups for a in group_advantages(group)])
        batch = Batch.of([episode for group in groups for episode in group], advantages)
        scalars = self._improve(batch, rng)
        self.done, self.updates = self.done + len(batch), self.updates + 1
        self.tapes = max(1, round(self.given.update_decisions * self.tapes / len(batch)))
        return scalars

    def claim(self) -> LearnedClaim:
        return self.network.claim(self.given.name)

    def state(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("done", "updates", "tapes")}
        return {"counts": counts, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        vars(self).update(state["counts"])
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _played(self, rng: np.random.Generator) -> list[list[Experience]]:
        """The copies of each tape."""
        seeds = rng.integers(SEEDS, size=self.tapes).tolist()
        draws = rng.integers(SEEDS, size=(self.tapes, self.given.tape_group)).tolist()
        jobs = [(seed, draw) for seed, own in zip(seeds, draws, strict=True) for draw in own]
        claim = self.claim()
        found = list(self.pool.map(lambda job: experience(self.scenario.episode(job[0]), claim, seed=job[1]), jobs))
        return [found[k : k + self.given.tape_group] for k in range(0, len(found), self.given.tape_group)]

    def _improve(self, batch: "Batch", rng: np.random.Generator) -> dict[str, float]:
        """Some epochs over a part of the decisions that have a choice."""
        self._fall()
        losses = []
        for _ in range(self.given.epochs):
            chosen = rng.permutation(batch.open)[: max(1, int(self.given.used * len(batch.open)))]
            losses += [self._descend(batch, part) for part in torch.from_numpy(chosen).split(self.given.batch_size)]
        return {name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}

    def _descend(self, batch: "Batch", chosen: torch.Tensor) -> dict[str, float]:
        """A step down the gradient of a mini-batch."""
        log_shares = self.network.log_shares(batch.candidates[chosen], batch.context[chosen], batch.mask[chosen])
        log_now = log_shares.gather(1, batch.rows[chosen, None]).squeeze(1)
        ratio, advantages = (log_now - batch.log_then[chosen]).exp(), batch.advantages[chosen]
        entropy = entropy_nats(log_shares).mean()
        loss = clipped(ratio, advantages, self.given.clip) - self.given.entropy * entropy
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), STEEPEST)
        self.optimizer.step()
        return {"entropy": entropy.item(), "kl": (batch.log_then[chosen] - log_now).mean().item()}

    def _fall(self) -> None:
        """The learning rate falls evenly over the budget."""
        first, last = self.given.learning_rate, self.given.last_learning_rate
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = first + (last - first) * min(1.0, self.done / self.total)


@dataclass(frozen=True)
class Batch:
    """The decisions of an update, as tensors."""

    candidates: torch.Tensor  # float (n, K, F)
    context: torch.Tensor  # float (n, G)
    mask: torch.Tensor  # int8 (n, K)
    rows: torch.Tensor  # int64 (n,)
    log_then: torch.Tensor  # float (n,), log probability when they were drawn
    advantages: torch.Tensor  # float (n,), mean 0, standard deviation 1
    open: np.ndarray  # int64, the decisions with more than one legal row

    @classmethod
    def of(cls, episodes: Sequence[Experience], advantages: np.ndarray) -> "Batch":
        seen = [np.concatenate([getattr(e, name) for e in episodes]) for name in ("candidates", "context", "mask")]
        taken = np.concatenate([episode.taken for episode in episodes])
        rows, log_then = taken["row"].astype(np.int64), taken["log_probability"].astype(np.float32)
        tensors = map(torch.from_numpy, (*seen, rows, log_then, standardised(advantages).astype(np.float32)))
        return cls(*tensors, open=np.flatnonzero(seen[2].sum(axis=1) > 1))

    def __len__(self) -> int:
        return len(self.rows)


# -- what a decision was worth


def group_advantages(copies: Sequence[Experience]) -> list[np.ndarray]:
    """Of each copy, for each decision: what followed, less what the others had ahead at the same service, mean."""
    stall_ms = [copy.taken["weighted_stall_ns"] / NS_PER_MS for copy in copies]
    work_ns = [copy.taken["work_ns"].astype(float) for copy in copies]
    return advantages(stall_ms, work_ns, [copy.taken["service_discount"] for copy in copies])


def advantages(
    stall_ms: Sequence[np.ndarray], work_ns: Sequence[np.ndarray], discounts: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The same from what follows each decision until the next, one array (n,) per copy.

    A worked number: after two decisions each, with 1 ms of service and a discount of 1/e, copy a stalls for 1 and 0 ms,
    copy b for 0 and 1. At the start a has -1 ahead and b -1/e; the advantages are -.632 and .632 there, 1 and -1 then.
    """
    ahead = [returns(-stall, discount) for stall, discount in zip(stall_ms, discounts, strict=True)]
    before = [np.concatenate([[0.0], np.cumsum(work)[:-1]]) for work in work_ns]
    return [own - _of_others(k, before, ahead) for k, own in enumerate(ahead)]


def _of_others(k: int, before: Sequence[np.ndarray], ahead: Sequence[np.ndarray]) -> np.ndarray:
    """What the other copies had ahead when they had done as much service, between two decisions linearly; the mean."""
    return np.mean([np.interp(before[k], before[j], ahead[j]) for j in range(len(ahead)) if j != k], axis=0)


def returns(rewards: np.ndarray, discounts: np.ndarray) -> np.ndarray:
    """Of each decision: its reward, and what follows times its discount."""
    sums, later = np.empty(len(rewards)), 0.0
    for k in reversed(range(len(rewards))):
        later = sums[k] = rewards[k] + discounts[k] * later
    return sums


def standardised(advantages: np.ndarray) -> np.ndarray:
    """Mean 0, standard deviation 1, then cut at FARTHEST."""
    return np.clip((advantages - advantages.mean()) / (advantages.std() + 1e-8), -FARTHEST, FARTHEST)


def clipped(ratio: torch.Tensor, advantages: torch.Tensor, clip: float) -> torch.Tensor:
    """PPO's loss: nothing is gained beyond 1 ± clip."""
    return -torch.min(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()


def train(given: Training, folder: RunFolder) -> training.Best:
    torch.set_num_threads(given.threads)
    with ThreadPoolExecutor(given.threads) as pool:
        return trained(SameTape(given, pool), given, folder)


if __name__ == "__main__":
    training.main(Training, train, __doc__)
