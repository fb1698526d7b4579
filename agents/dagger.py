"""Imitation: what an advisor would choose, on the states that the learner itself comes to.

    sos-gym train --config dagger-memory

Each round plays the claim as it is on the train split, writes down what the advisor would have chosen in each decision,
and learns from all rounds so far (DAgger: Ross et al., AISTATS 2011). The advisor is `clairvoyant` by default, who
knows the future: such a claim is marked †. Then the logits are scaled so that draws by softmax have an entropy of
`entropy_nats`: which row is best does not change, but who goes on from here by drawing rows does not begin with a
near-uniform sampler. Writes runs/NAME-SEED/: see run_folder.py.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import training
from claim_network import ClaimNetwork, entropy_nats
from configuration import Count, OfOneId
from pydantic import Field
from report import trained
from run_folder import RunFolder

from sos_gym import LearnedClaim
from sos_gym.experience import experience
from sos_gym.policy import policy_of
from sos_gym.scenario import Scenario
from sos_gym.streams import stream

SEEDS = 1 << 31  # tapes come from so many
COLDEST, HOTTEST = 1e-3, 1e3  # temperatures that are tried
HALVINGS = 40  # of the span between them

Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Training(OfOneId):
    """What a file in configs/ may say."""

    advisor: str = "clairvoyant"
    rounds: Count = 5  # the budget
    check: Count = 1  # rounds
    episodes: Count = 6  # of a round
    epochs: Count = 6  # over all rounds so far, in each
    batch_size: Count = 1024
    learning_rate: Positive = 2e-3
    entropy_nats: Positive = 1.0
    width: Count = 32  # of the hidden layers
    depth: Count = 2  # hidden layers


@dataclass(frozen=True)
class Lessons:
    """Decisions with more than one legal row, and what the advisor chose."""

    candidates: torch.Tensor  # float (n, K, F)
    context: torch.Tensor  # float (n, G)
    mask: torch.Tensor  # int8 (n, K)
    rows: torch.Tensor  # int64 (n,)

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self) -> tuple[torch.Tensor, ...]:
        return self.candidates, self.context, self.mask, self.rows

    @classmethod
    def joined(cls, lessons: Sequence["Lessons"]) -> "Lessons":
        return cls(*map(torch.cat, zip(*(one.parts() for one in lessons), strict=True)))


class Imitator:
    """The learner under way; its budget is counted in rounds.

    Its state has the claims that were played, not what they saw: they are played again.
    """

    def __init__(self, given: Training, pool: Executor):
        self.given, self.pool, self.total = given, pool, given.rounds
        torch.manual_seed(given.seed)
        self.network = ClaimNetwork(given.width, given.depth)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=given.learning_rate)
        self.scenario = Scenario.of(given.env, given.workload, "train", advisors=(given.advisor,))
        self.privileged = policy_of(given.advisor).privileged
        self.played: list[LearnedClaim] = []
        self.lessons: list[Lessons] = []
        self.temperature = 1.0

    @property
    def done(self) -> int:
        return len(self.played)

    def update(self) -> dict[str, float]:
        """A round."""
        rng = stream(self.given.seed, f"order of round {self.done}")
        claim = self.claim()
        self.lessons.append(self._seen_by(claim, self.done))
        self.played.append(claim)
        lessons = Lessons.joined(self.lessons)
        given = self.given
        losses = [epoch(self.network, self.optimizer, lessons, given.batch_size, rng)[0] for _ in range(given.epochs)]
        self.temperature = temperature_for(self.given.entropy_nats, self._entropy_of(self.lessons[-1]))
        return {"loss": losses[-1], "temperature": self.temperature}

    def claim(self) -> LearnedClaim:
        return self.network.claim(self.given.name, 1 / self.temperature, self.privileged)

    def state(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("played", "temperature")}
        return {"own": own, "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        vars(self).update(state["own"])
        self.lessons = [self._seen_by(claim, number) for number, claim in enumerate(self.played)]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _seen_by(self, claim: LearnedClaim, number: int) -> Lessons:
        """What the advisor says on the claim's own states, on the tapes of a round."""
        seeds = stream(self.given.seed, f"tapes of round {number}").integers(SEEDS, size=self.given.episodes).tolist()
        found = list(self.pool.map(lambda seed: experience(self.scenario.episode(seed), claim, 0.0), seeds))
        parts = [np.concatenate([getattr(e, name) for e in found]) for name in ("candidates", "context", "mask")]
        rows = np.concatenate([episode.advised[:, 0] for episode in found]).astype(np.int64)
        open_ = parts[2].sum(axis=1) > 1
        return Lessons(*(torch.from_numpy(part[open_]) for part in (*parts, rows)))

    def _entropy_of(self, lessons: Lessons) -> Callable[[float], float]:
        """Temperature → mean entropy of the draws, nats."""
        candidates, context, mask, _ = lessons.parts()
        with torch.no_grad():
            log_shares = self.network.log_shares(candidates, context, mask)
        return lambda temperature: entropy_nats(torch.log_softmax(log_shares / temperature, dim=1)).mean().item()


def epoch(
    network: ClaimNetwork,
    optimizer: torch.optim.Optimizer,
    lessons: Lessons,
    batch_size: int,
    rng: np.random.Generator,
    steepest: float = math.inf,
) -> tuple[float, float]:
    """Once over all lessons, in gradients of norm `steepest` at most; mean loss, and the share of rows agreed on."""
    found = []
    for chosen in torch.from_numpy(rng.permutation(len(lessons))).split(batch_size):
        candidates, context, mask, rows = (part[chosen] for part in lessons.parts())
        log_shares = network.log_shares(candidates, context, mask)
        loss = -log_shares.gather(1, rows[:, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), steepest)
        optimizer.step()
        found.append((loss.item(), (log_shares.argmax(dim=1) == rows).float().mean().item()))
    loss, agreed = np.mean(found, axis=0).tolist()
    return loss, agreed


def temperature_for(wanted: float, entropy: Callable[[float], float]) -> float:
    """The temperature at which `entropy`, which grows with it, is as wanted; an end of the range where it never is."""
    low, high = np.log(COLDEST), np.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if entropy(float(np.exp(middle))) < wanted else (low, middle)
    return float(np.exp((low + high) / 2))


def train(given: Training, folder: RunFolder) -> training.Best:
    torch.set_num_threads(given.threads)
    with ThreadPoolExecutor(given.threads) as pool:
        return trained(Imitator(given, pool), given, folder)


if __name__ == "__main__":
    training.main(Training, train, __doc__)
