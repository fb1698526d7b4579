"""The native vector environment as Stable-Baselines3 wants it. Needs the extra `learn`; import it by name."""

import copy
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from sos_gym.envs.env import spaces_of
from sos_gym.envs.vector import SosVectorEnv
from sos_gym.settings.ranges import SettingError


class SosVecEnv(VecEnv):
    """`num_envs` environments of one id for PPO, MaskablePPO, DQN and A2C with "MultiInputPolicy".

    An observation has `candidates` and `context`; the mask, which SB3 would take for a feature, is what
    `env_method("action_masks")` gives and MaskablePPO asks for. Others may choose a masked-out row and get the first
    legal one. What ends is reset at once: its info has `terminal_observation`, `TimeLimit.truncated`, `episode` (r: sum
    of rewards, l: decisions, t: seconds since the start, as of `VecMonitor`) and `metrics`.

    Args:
        env_id: one of the registered ids.
        num_envs: N.
        keywords: as for `SosVectorEnv`; `autoreset_mode` is SAME_STEP.
    """

    def __init__(self, env_id: str, num_envs: int = 64, **keywords: Any):
        self.vector = SosVectorEnv(num_envs, AutoresetMode.SAME_STEP, preset=env_id, **keywords)
        single, _ = spaces_of(self.vector.episodes[0].scenario.settings.rows)
        self._keys = [key for key in single.spaces if key != "action_mask"]
        space = spaces.Dict({key: single[key] for key in self._keys})
        super().__init__(num_envs, space, self.vector.single_action_space)
        self._started = time.perf_counter()
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, int)
        self._actions = np.zeros(num_envs, int)

    def reset(self) -> dict[str, np.ndarray]:
        """Begin everywhere, with the seeds and options that `seed` and `set_options` left."""
        seeds = self._seeds if any(seed is not None for seed in self._seeds) else None
        if any(options != self._options[0] for options in self._options):
            raise SettingError("options", self._options, "the same for all", "give `each` to the constructor instead")
        observation, _ = self.vector.reset(seed=seeds, options=self._options[0])
        self._returns[:], self._lengths[:] = 0.0, 0
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return self._seen(observation)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self):
        observation, rewards, terminated, truncated, found = self.vector.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        over = terminated | truncated
        for i in np.flatnonzero(over).tolist():
            infos[i] = self._ended(i, found) | {"TimeLimit.truncated": bool(truncated[i] and not terminated[i])}
        self._returns[over], self._lengths[over] = 0.0, 0
        return self._seen(observation), rewards.astype(np.float32), over, infos

    def _ended(self, i: int, found: dict[str, Any]) -> dict[str, Any]:
        final, metrics = found["final_obs"], found["final_info"]["metrics"]
        elapsed = round(time.perf_counter() - self._started, 6)
        return {
            "terminal_observation": {key: final[key][i] for key in self._keys},
            "episode": {"r": float(self._returns[i]), "l": int(self._lengths[i]), "t": elapsed},
            "metrics": {name: array[i].item() for name, array in metrics.items() if name[0] != "_"},
        }

    def _seen(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: observation[key] for key in self._keys}

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
