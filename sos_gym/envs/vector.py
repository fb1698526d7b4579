"""Many environments in one compiled call: the native VectorEnv of every id."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from sos_gym.envs.batch import STEP, Batch
from sos_gym.envs.env import CAUSES, KINDS, RESOURCES, ActionError, SosEnv
from sos_gym.metrics import metrics
from sos_gym.resource import NONE
from sos_gym.settings.ranges import SettingError
from sos_gym.view.columns import COLUMNS, CONTEXT
from sos_gym.view.observation import OUTCOME

ENVIRONMENTS_PER_THREAD = 32  # fewer are not worth the handing over
SAME_FOR_ALL = ("rows", "advisors", "strict", "reward", "render_mode", "preset")
NAMES = {"kind": np.array(KINDS), "cause": np.array(CAUSES), "resource": np.array(RESOURCES)}


class SosVectorEnv(gym.vector.VectorEnv):
    """`num_envs` environments of one id, stepped by one compiled call, on several threads when there are many.

    Environment i does step for step what `SosEnv` does with the same seed. Spaces, rewards and keywords are those of
    `SosEnv`, batched; returned arrays are fresh and never written again.

    Args:
        num_envs: N, 1 or more.
        autoreset_mode: NEXT_STEP (default), SAME_STEP or DISABLED, as a member of `AutoresetMode` or its value.
        tape_group: so many neighbours share their seeds, and with them tapes and drawn costs, episode by episode
            (input-driven baselines); it divides N.
        each: keyword -> values, cycled over the environments: {"workload": ["zipf", "loop"], "frames": range(40, 60)}.
        threads: None: one per core, if there are 32 environments or more for each.
        keywords: as for `SosEnv`, the same for all; `render_mode` is not among them.

    Info: the keys of `SosEnv` as arrays (N,), each with its mask `_KEY`; nested ones as dicts of arrays; strings as
    arrays of str. SAME_STEP adds `final_obs` and `final_info` where an episode ended.
    """

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        tape_group: int = 1,
        each: Mapping[str, Sequence[Any]] | None = None,
        threads: int | None = None,
        **keywords: Any,
    ):
        if keywords.get("render_mode") is not None:
            raise SettingError("render_mode", keywords["render_mode"], "left out", "look at one environment: gym.make")
        self.num_envs = _whole("num_envs", num_envs, 1, 1 << 20)
        self.tape_group = _whole("tape_group", tape_group, 1, self.num_envs)
        if self.num_envs % self.tape_group:
            raise SettingError("tape_group", tape_group, f"a divisor of num_envs={num_envs}", "choose one")
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {**SosEnv.metadata, "autoreset_mode": self.autoreset_mode}
        self.envs = [SosEnv(**keywords, **chosen) for chosen in _of_each(each or {}, keywords, self.num_envs)]
        first = self.envs[0]
        self.advisors = first.advisors
        self.single_observation_space, self.single_action_space = first.observation_space, first.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        discounts_ns = np.array([env.settings.discount_ns for env in self.envs], float)
        helped = _threads(threads, self.num_envs)
        self.batch = Batch(discounts_ns, first.settings.rows, len(self.advisors), helped)
        self._over = np.ones(self.num_envs, bool)  # no episode is in progress
        self._last: _Found | None = None
        self._everyone = np.arange(self.num_envs)

    # -- Gymnasium

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None):
        """Begin episodes. An int seeds environment i with seed + i // tape_group, a sequence one by one.

        Options: as for `SosEnv`; `reset_mask` bool (N,): only these, the others stay as they are.
        """
        self._refuse_closed()
        options = dict(options or {})
        chosen = _reset_mask(options.pop("reset_mask", None), self.num_envs)
        if self._last is None and not chosen.all():
            raise gym.error.ResetNeeded("reset_mask leaves environments as they are: call reset() without it first")
        for i, own in zip(np.flatnonzero(chosen).tolist(), self._seeds(seed)[chosen], strict=True):
            self._begin(i, own, options)
        found = _Found(self)
        if self._last:
            found.keep(self._last)
        found.step(np.flatnonzero(chosen), begins=chosen, actions=np.zeros(self.num_envs, np.int64))
        self._over[chosen], self._last = False, found
        return found.observation(), found.infos(stepped=np.zeros(self.num_envs, bool))

    def step(self, actions):
        """Choose a row in every environment; actions: int (N,).

        Raises:
            ActionError: no such row; or, when strict, a masked-out one; it names the environment.
            StuckError: a tape can go no further.
            gym.error.ResetNeeded: before the first reset; when autoreset is disabled, also after an end.
            gym.error.ClosedEnvironmentError: after close().
        """
        self._refuse_closed()
        begins = self._over.copy()
        if begins.any() and (self.autoreset_mode != AutoresetMode.NEXT_STEP or self._last is None):
            raise gym.error.ResetNeeded(f"environments {np.flatnonzero(begins).tolist()} need a reset first")
        actions = self._checked(actions, begins)
        for i in np.flatnonzero(begins).tolist():
            self._begin(i, None, {})
        found = _Found(self)
        found.step(self._everyone, begins, actions)
        rewards, terminated, truncated = found.ends()
        over = terminated | truncated
        infos = found.infos(~begins, over)
        if over.any() and self.autoreset_mode == AutoresetMode.SAME_STEP:
            found, infos = self._begin_at_once(found, infos, over)
        else:
            self._over = over.copy()  # the other stands in the infos
        self._last = found
        return found.observation(), rewards, terminated, truncated, infos

    def action_masks(self) -> np.ndarray:  # bool (N, K)
        """Which rows may be chosen."""
        return self.batch.masks.astype(bool)

    def close_extras(self, **kwargs: Any) -> None:
        """Let the threads go."""
        self.batch.crew.dismiss()

    # -- parts

    def _refuse_closed(self) -> None:
        if self.closed:
            raise gym.error.ClosedEnvironmentError("the environments are closed: make them again")

    def _seeds(self, seed: int | Sequence[int | None] | None) -> np.ndarray:  # object (N,)
        if seed is None:
            groups = self.num_envs // self.tape_group
            drawn = self.np_random.integers(1 << 31, size=groups) if self.tape_group > 1 else [None] * groups
            seeds = [None if own is None else int(own) for own in drawn for _ in range(self.tape_group)]
        elif isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
            seeds = [int(seed) + i // self.tape_group for i in range(self.num_envs)]
        else:
            seeds = [None if own is None else int(own) for own in seed]
            if len(seeds) != self.num_envs:
                raise SettingError("seed", seed, f"an int or {self.num_envs} of them", "pass one per environment")
        return np.array(seeds, object)

    def _begin(self, i: int, seed: int | None, options: dict[str, Any]) -> None:
        self.envs[i].begin(seed, options, self.batch.sims[i : i + 1])

    def _begin_at_once(self, ended: "_Found", infos: dict[str, Any], over: np.ndarray):
        """SAME_STEP: what ended becomes `final_obs` and `final_info`, and the next episodes begin."""
        found = ended.copy()
        for i in np.flatnonzero(over).tolist():
            self._begin(i, None, {})
        found.step(np.flatnonzero(over), over, np.zeros(self.num_envs, np.int64))
        final: dict[str, Any] = {}
        _put(final, "final_obs", _masked(ended.observation(), over), over)
        _put(final, "final_info", _only(infos, over), over)
        return found, found.infos(~over) | final

    def _checked(self, actions: Any, begins: np.ndarray) -> np.ndarray:  # i8 (N,)
        given = np.asarray(actions)
        rows = self.batch.masks.shape[1]
        if given.shape != (self.num_envs,) or given.dtype.kind not in "iu":
            allowed = f"it must be {self.num_envs} integers"
            raise ActionError(f"actions={actions!r} are not allowed: {allowed}; pass one row per environment")
        wrong = (given < 0) | (given >= rows)
        if wrong.any():
            i = int(np.argmax(wrong))
            allowed = f"it must be a row in [0, {rows - 1}]"
            raise ActionError(f"actions[{i}]={given[i]} is not allowed: {allowed}; choose one where action_mask is 1")
        if self.envs[0].strict:
            wrong = (self.batch.masks[self._everyone, given] == 0) & ~begins
            if wrong.any():
                i = int(np.argmax(wrong))
                legal = np.flatnonzero(self.batch.masks[i]).tolist()
                raise ActionError(
                    f"actions[{i}]={given[i]} is not allowed: its row is masked out; choose one of the rows {legal}"
                )
        return given.astype(np.int64)


class _Found:
    """The arrays that one step returns; written while it is made, never after."""

    def __init__(self, vector: SosVectorEnv):
        n, rows = vector.batch.shown.shape
        self.vector = vector
        self.candidates = np.empty((n, rows, len(COLUMNS)), np.float32)
        self.context = np.empty((n, len(CONTEXT)), np.float32)
        self.outcomes, self.steps = np.zeros(n, OUTCOME), np.zeros(n, STEP)
        self.advised = np.zeros((n, len(vector.advisors)), np.int32)
        self.steps["fallback_row"] = NONE
        self.masks = vector.batch.masks

    def _written(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("candidates", "context", "outcomes", "steps", "advised")}

    def keep(self, other: "_Found") -> None:
        """Begin with a copy of what another found."""
        for name, array in other._written().items():
            getattr(self, name)[...] = array

    def copy(self) -> "_Found":
        other = _Found(self.vector)
        other.keep(self)
        return other

    def step(self, which: np.ndarray, begins: np.ndarray, actions: np.ndarray) -> None:
        """Apply, run and describe, on all threads."""
        self.vector.batch.step(which, begins, actions, self._written())
        self.masks = self.vector.batch.masks.copy()
        if self.steps["stuck"].any():
            for i in which[self.steps["stuck"][which]].tolist():
                self.vector.envs[i].simulation.raise_if_stuck()

    def observation(self) -> dict[str, np.ndarray]:
        return {"candidates": self.candidates, "context": self.context, "action_mask": self.masks}

    def ends(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards f8 (N,), terminated and truncated bool (N,)."""
        return self.outcomes["reward"].copy(), self.steps["terminated"].copy(), self.steps["truncated"].copy()

    def infos(self, stepped: np.ndarray, over: np.ndarray | None = None) -> dict[str, Any]:
        """`stepped` bool (N,): it did not just begin; `over` bool (N,): its episode has ended."""
        steps, outcomes, vector = self.steps, self.outcomes, self.vector
        told = {"number": steps["number"], "now_ns": steps["now"], "contenders": steps["count"]}
        told |= {name: names[steps[name]] for name, names in NAMES.items()}
        infos: dict[str, Any] = {}
        _put(infos, "decision", _masked(told, steps["open"]), steps["open"])
        advice = dict(zip(vector.advisors, self.advised.T, strict=True))
        _put(infos, "advice", _masked(advice, steps["open"]), np.ones(len(steps), bool))
        if stepped.any():
            passed = {"dt_ns": outcomes["dt_ns"], "work_ns": outcomes["work_ns"], "discount": steps["discount"]}
            infos |= _masked(passed, stepped)
            cost = {"service_ns": outcomes["work_ns"], "weighted_stall_ns": outcomes["stall_weighted_ns"]}
            _put(infos, "cost", _masked(cost, stepped), stepped)
            if vector.envs[0].settings.reward == "foresight":
                _put(infos, "privileged", stepped, stepped)
        fell = stepped & (steps["fallback_row"] != NONE)
        if fell.any():
            _put(infos, "fallback_row", steps["fallback_row"], fell)
        if over is not None and over.any():
            _put(infos, "metrics", self._metrics(over), over)
        return infos

    def _metrics(self, over: np.ndarray) -> dict[str, np.ndarray]:
        """Of the episodes that ended; 0 elsewhere."""
        ended = {i: metrics(self.vector.envs[i].simulation) for i in np.flatnonzero(over).tolist()}
        arrays = {}
        for name, value in next(iter(ended.values())).items():
            arrays[name] = np.zeros(len(over), type(value))
            for i, found in ended.items():
                arrays[name][i] = found[name]
        return _masked(arrays, over)


def _put(infos: dict[str, Any], name: str, value: Any, mask: np.ndarray) -> None:
    """Gymnasium's form of a vector's info: a value, and of whom it is."""
    infos[name], infos[f"_{name}"] = value, mask


def _masked(arrays: Mapping[str, np.ndarray], mask: np.ndarray) -> dict[str, np.ndarray]:
    infos: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        _put(infos, name, array, mask)
    return infos


def _only(infos: Mapping[str, Any], chosen: np.ndarray) -> dict[str, Any]:
    """The same with all masks narrowed to `chosen`."""
    return {
        name: _only(value, chosen) if isinstance(value, dict) else value & chosen if name[0] == "_" else value
        for name, value in infos.items()
    }


def _of_each(each: Mapping[str, Sequence[Any]], keywords: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    for name, values in each.items():
        if name in keywords:
            raise SettingError(f"each[{name!r}]", values, "left out when the keyword is given", "give one of them")
        if name in SAME_FOR_ALL:
            raise SettingError(f"each[{name!r}]", values, f"none of {SAME_FOR_ALL}", "give it as a keyword, for all")
        if isinstance(values, str) or len(values) == 0:
            raise SettingError(f"each[{name!r}]", values, "a sequence of values", "pass [value, ...]")
    return [{name: _plain(values[i % len(values)]) for name, values in each.items()} for i in range(count)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise SettingError(name, value, f"a whole number in [{low}, {high}]", "choose one in that range")
    return int(value)


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        allowed = "one of " + ", ".join(repr(mode.value) for mode in AutoresetMode)
        raise SettingError("autoreset_mode", mode, allowed, "choose one of these") from None


def _reset_mask(given: Any, count: int) -> np.ndarray:  # bool (N,)
    if given is None:
        return np.ones(count, bool)
    mask = np.asarray(given)
    if mask.shape != (count,) or mask.dtype != bool or not mask.any():
        raise SettingError("options['reset_mask']", given, f"{count} bools, one or more True", "or leave it out")
    return mask


def _threads(threads: int | None, count: int) -> int:
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = max(1, min(cores, count // ENVIRONMENTS_PER_THREAD))
    return _whole("threads", threads, 1, 1024)
