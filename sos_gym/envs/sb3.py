"""The native vector environment as Stable-Baselines3 wants it. Needs the extra `learn`; import it by name."""

import copy
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer
from stable_baselines3.common.buffers import DictReplayBuffer, DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from sos_gym.envs.vector import SosVectorEnv
from sos_gym.settings.ranges import SettingError
from sos_gym.view.info import singles_of


class LastStep(NamedTuple):
    """What buffers need of a step, for all environments; where an episode ended it is of the end."""

    rewards: np.ndarray  # f4 (N,)
    discounts: np.ndarray  # f8 (N,), info["service_discount"]
    truncated: np.ndarray  # bool (N,), and not terminated


class SosVecEnv(VecEnv):
    """`num_envs` environments of one id for PPO, MaskablePPO, DQN and A2C with "MultiInputPolicy".

    Observations are those of `gym.make`, so that a model goes from one to the other. MaskablePPO finds the mask by
    `env_method("action_masks")`; others see it in the observation, may choose a masked-out row, and get a random legal
    one. Infos have the keys of `SosEnv`, but `metrics` at the end alone. What ends is reset at once: its info is that
    of the end, with `terminal_observation`, `TimeLimit.truncated` and `episode` (r: sum of rewards, l: decisions, t:
    seconds since the start, as of `VecMonitor`).

    Args:
        env_id: one of the registered ids.
        num_envs: N.
        keywords: as for `SosVectorEnv`, `start="spread"` among them; `autoreset_mode` is SAME_STEP.
    """

    def __init__(self, env_id: str, num_envs: int = 64, **keywords: Any):
        self.vector = SosVectorEnv(num_envs, AutoresetMode.SAME_STEP, preset=env_id, **keywords)
        super().__init__(num_envs, self.vector.single_observation_space, self.vector.single_action_space)
        self._started = time.perf_counter()
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, int)
        self._actions = np.zeros(num_envs, int)
        self.last = LastStep(np.zeros(num_envs, np.float32), np.ones(num_envs), np.zeros(num_envs, bool))

    def reset(self) -> dict[str, np.ndarray]:
        """Begin everywhere, with the seeds and options that `seed` and `set_options` left."""
        seeds = self._seeds if any(seed is not None for seed in self._seeds) else None
        if any(options != self._options[0] for options in self._options):
            raise SettingError("options", self._options, "the same for all", "give `each` to the constructor instead")
        observation, found = self.vector.reset(seed=seeds, options=self._options[0])
        self._returns[:], self._lengths[:] = 0.0, 0
        self.reset_infos = self._told(found)
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self):
        observation, rewards, terminated, truncated, found = self.vector.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        infos, over, discounts = self._told(found), terminated | truncated, found["service_discount"]
        if over.any():
            discounts = np.where(over, found["final_info"]["service_discount"], discounts)
            ends = singles_of(found["final_info"], self.num_envs)
            for i in np.flatnonzero(over).tolist():
                infos[i] = ends[i] | self._ended(i, found["final_obs"][i])
        self.last = LastStep(rewards.astype(np.float32), discounts, truncated & ~terminated)
        for info, cut in zip(infos, self.last.truncated.tolist(), strict=True):
            info["TimeLimit.truncated"] = cut
        self._returns[over], self._lengths[over] = 0.0, 0
        return observation, self.last.rewards.copy(), over, infos  # learners add to what they get

    def _told(self, found: dict[str, Any]) -> list[dict[str, Any]]:
        left_out = ("metrics", "final_obs", "final_info")
        return singles_of({name: value for name, value in found.items() if name not in left_out}, self.num_envs)

    def _ended(self, i: int, final: dict[str, np.ndarray]) -> dict[str, Any]:
        elapsed = round(time.perf_counter() - self._started, 6)
        summary = {"r": float(self._returns[i]), "l": int(self._lengths[i]), "t": elapsed}
        return {"terminal_observation": final, "episode": summary}

    def action_masks(self) -> np.ndarray:  # bool (N, K)
        """Which rows may be chosen."""
        return self.vector.action_masks()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Environment i gets seed + i // tape_group at the next reset; None: a random one."""
        first = int(np.random.SeedSequence().generate_state(1)[0] >> 1) if seed is None else seed
        self._seeds = [first + i // self.vector.tape_group for i in range(self.num_envs)]
        return self._seeds

    def close(self) -> None:
        self.vector.close()

    def __copy__(self) -> "SosVecEnv":
        return copy.deepcopy(self)  # two that share episodes would both write to them

    # -- what VecEnv asks of single environments

    def env_method(self, method_name: str, *method_args, indices=None, **method_kwargs) -> list[Any]:
        """Call a method of each environment's `Episodes`; `action_masks` comes from the batch."""
        chosen = self._get_indices(indices)
        if method_name == "action_masks":
            masks = self.action_masks()
            return [masks[i] for i in chosen]
        return [getattr(self.vector.episodes[i], method_name)(*method_args, **method_kwargs) for i in chosen]

    def get_attr(self, attr_name: str, indices=None) -> list[Any]:
        """An attribute of each environment's `Episodes`, or one of the two that learners look for."""
        chosen = self._get_indices(indices)
        if attr_name == "action_masks":
            return [lambda i=i: self.action_masks()[i] for i in chosen]
        if attr_name == "render_mode":
            return [None for _ in chosen]
        return [getattr(self.vector.episodes[i], attr_name) for i in chosen]

    def set_attr(self, attr_name: str, value: Any, indices=None) -> None:
        for i in self._get_indices(indices):
            setattr(self.vector.episodes[i], attr_name, value)

    def env_is_wrapped(self, wrapper_class, indices=None) -> list[bool]:
        """Never, but for the monitor, whose work is done here."""
        from stable_baselines3.common.monitor import Monitor

        return [wrapper_class is Monitor for _ in self._get_indices(indices)]


# -- buffers that discount by service


class ByService(RolloutBuffer):
    """Discounts a decision by gamma, and by the service until the next one: info["service_discount"].

    What one decision does is soon lost in the noise of the return: after so much service, not after so many decisions,
    of which ten may come at one instant. With service discounts .9 and .5, values 2, 3 and then 4, rewards of 1, and
    gamma and lambda 1, the advantages are 1 + .9 * (3 + 0) - 2 = 1.7 and 1 + .5 * 4 - 3 = 0.

    Args:
        env: that the learner steps; nothing between the two may change rewards.
        keywords: as of the buffer. PPO("MultiInputPolicy", env, gamma=1.0, rollout_buffer_class=ServiceRolloutBuffer,
            rollout_buffer_kwargs={"env": env}); MaskablePPO takes `MaskableServiceRolloutBuffer`.
    """

    discounts: np.ndarray  # f4 (buffer_size, N)

    def __init__(self, *args: Any, env: SosVecEnv, **keywords: Any):
        self.env = env
        super().__init__(*args, **keywords)

    def reset(self) -> None:
        self.discounts = np.ones((self.buffer_size, self.n_envs), np.float32)
        super().reset()

    def add(self, *args: Any, **keywords: Any) -> None:
        """Keep the last step: observation, action, reward, and more.

        Where it was truncated, gamma times the value of its last observation has been added to the reward.
        """
        observation, action, reward, *others = args
        paid, self.discounts[self.pos] = self.env.last.rewards, self.env.last.discounts
        reward = paid + self.discounts[self.pos] * (reward - paid)
        super().add(observation, action, reward, *others, **keywords)

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: np.ndarray) -> None:
        """GAE with a discount of each step's own."""
        value, goes_on = last_values.clone().cpu().numpy().flatten(), 1.0 - dones.astype(np.float32)
        advantage = np.zeros(self.n_envs, np.float32)
        for k in reversed(range(self.buffer_size)):
            discount = self.gamma * self.discounts[k] * goes_on
            advantage = self.rewards[k] + discount * (value + self.gae_lambda * advantage) - self.values[k]
            self.advantages[k] = advantage
            value, goes_on = self.values[k], 1.0 - self.episode_starts[k]
        self.returns = self.advantages + self.values


class ServiceRolloutBuffer(ByService, DictRolloutBuffer):
    """For PPO and A2C."""


class MaskableServiceRolloutBuffer(ByService, MaskableDictRolloutBuffer):
    """For MaskablePPO."""


class ServiceReplayBuffer(DictReplayBuffer):
    """The same for DQN: a discount d is kept as the share 1 - d of an end, which is worth as much.

    Args:
        env: that the learner steps.
        keywords: as of the buffer. DQN("MultiInputPolicy", env, gamma=1.0, replay_buffer_class=ServiceReplayBuffer,
            replay_buffer_kwargs={"env": env}).
    """

    def __init__(self, *args: Any, env: SosVecEnv, **keywords: Any):
        self.env = env
        super().__init__(*args, **{**keywords, "handle_timeout_termination": False})  # the share says it

    def add(self, obs: Any, next_obs: Any, action: Any, reward: Any, done: np.ndarray, infos: Any) -> None:
        ended = done & ~self.env.last.truncated
        super().add(obs, next_obs, action, reward, 1.0 - self.env.last.discounts * ~ended, infos)


class OneThreadRollouts(BaseCallback):
    """Torch keeps to one thread while decisions are collected, and has all of them for the updates.

    Threads of torch wait for their next part in a loop, on cores that the environment's own threads need meanwhile; for
    as few rows as a rollout asks for at once they gain little (docs/benchmarks.md, with and without).
    """

    def _on_training_start(self) -> None:
        self._threads = torch.get_num_threads()

    def _on_rollout_start(self) -> None:
        torch.set_num_threads(1)

    def _on_rollout_end(self) -> None:
        torch.set_num_threads(self._threads)

    def _on_training_end(self) -> None:  # a rollout that another callback stopped has no end
        torch.set_num_threads(self._threads)

    def _on_step(self) -> bool:
        return True
