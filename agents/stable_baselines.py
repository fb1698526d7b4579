"""A model of Stable-Baselines3 as a learner: one update at a time, and all of its state at hand.

A model's own `save` leaves out the environment and the generators, so that one that was loaded goes on elsewhere.
"""

import random
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import report
import torch
import training
from configuration import Count, OfOneId, Share
from run_folder import RunFolder
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import FloatSchedule

from sos_gym.envs.sb3 import ByService, OneThreadRollouts, SosVecEnv

KEPT = (  # where a model is, besides its networks and optimizers
    "num_timesteps",
    "_n_updates",
    "_n_calls",
    "_episode_num",
    "_last_obs",
    "_last_episode_starts",
    "ep_info_buffer",
    "ep_success_buffer",
    "replay_buffer",
    "exploring",
)


class Falling:
    """A rate that falls from `first` to `last` in a straight line over the budget."""

    def __init__(self, first: float, last: float):
        self.first, self.last = first, last

    def at(self, share: float) -> float:
        """After this share of the budget: of 1e-3 and 1e-4 it is 5.5e-4 after one half."""
        return self.first + (self.last - self.first) * min(1.0, share)


@dataclass(frozen=True, kw_only=True)
class ModelTraining(OfOneId):
    """What the files of PPO and of DQN may both say."""

    decisions: Count = 1_500_000  # the budget
    check: Count = 100_000  # decisions
    reward: Literal["progress", "stall", "foresight"] = "progress"
    environments: Count = 64
    discount: Literal["decision", "service"] = "decision"
    discount_service_ns: Count | None = None  # None: the environment's
    gamma: Share = 0.99  # per decision, whatever the discount
    learning_rate: float = 1e-3  # at first
    last_learning_rate: float = 1e-4
    width: Count = 32  # of the hidden layers

    @property
    def is_privileged(self) -> bool:
        return self.reward == "foresight"


def environments(given: ModelTraining) -> SosVecEnv:
    """Of the train split; the model seeds them."""
    settings = {"workload": given.workload, "reward": given.reward}
    if given.discount_service_ns is not None:
        settings["discount_service_ns"] = given.discount_service_ns
    return SosVecEnv(given.env, given.environments, split="train", **settings)


class ModelLearner:
    """What PPO and DQN have in common; a subclass makes the model and says what its claim is.

    Args:
        model: whose generators have just been seeded.
        given: the configuration.
        piece: decisions of one update.
    """

    def __init__(self, model: BaseAlgorithm, given: ModelTraining, piece: int):
        self.model, self.given, self.total, self.piece = model, given, given.decisions, piece
        self.learning_rate = Falling(given.learning_rate, given.last_learning_rate)
        model.set_logger(Logger(None, []))  # its numbers are read from it

    @property
    def done(self) -> int:
        return self.model.num_timesteps

    def update(self) -> dict[str, float]:
        """Learn from one more piece."""
        self.set_rates(self.done / self.total)
        self.model.learn(self.piece, OneThreadRollouts(), log_interval=None, reset_num_timesteps=False)
        found = self.model.logger.name_to_value
        scalars = {name.removeprefix("train/"): float(value) for name, value in found.items() if "train/" in name}
        found.clear()
        return scalars

    def set_rates(self, share: float) -> None:
        """`learn` is called once per update, so that its own schedules would begin anew each time."""
        self.model.lr_schedule = FloatSchedule(self.learning_rate.at(share))

    def state(self) -> dict[str, Any]:
        model = self.model
        kept = {name: vars(model)[name] for name in KEPT if name in vars(model)}
        return {"networks": model.get_parameters(), "env": model.env, "kept": kept, "generators": generators()}

    def restore(self, state: dict[str, Any]) -> None:
        model = self.model
        model.set_parameters(state["networks"])
        model.env = state["env"]
        vars(model).update(state["kept"])
        if isinstance(getattr(model, "rollout_buffer", None), ByService):
            model.rollout_buffer.env = model.env
        seed_again(state["generators"])


def trained(kind: type[Any], given: ModelTraining, folder: RunFolder) -> training.Best:
    """Train a learner of a kind, and compare its best claim with the baselines."""
    torch.set_num_threads(given.threads)
    return report.trained(kind(given), given, folder)


def generators() -> dict[str, Any]:
    """Those that Stable-Baselines3 draws from: it knows no others than the global ones."""
    legacy = np.random.get_state()  # noqa: NPY002  # which Stable-Baselines3 shuffles with
    return {"python": random.getstate(), "numpy": legacy, "torch": torch.get_rng_state()}


def seed_again(state: dict[str, Any]) -> None:
    """Be where `generators()` was taken."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
