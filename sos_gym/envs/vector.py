"""Many environments in one compiled call: the native VectorEnv of every id."""

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from sos_gym.envs.batch import Batch
from sos_gym.envs.env import ActionError, HasEpisode, SosEnv, spaces_of
from sos_gym.metrics import metrics
from sos_gym.resource import NONE
from sos_gym.scenario import Scenario, warn_of_unknown
from sos_gym.settings.ranges import SettingError, listed, number_in
from sos_gym.view.columns import CANDIDATE_RECORD, COLUMNS, CONTEXT, CONTEXT_RECORD
from sos_gym.view.info import BatchForm, info_of, metrics_of_many, narrowed, put
from sos_gym.view.step import BEGIN, CHANCE, DISCOUNTS, STEP, discounts_of

ENVIRONMENTS_PER_THREAD = 32  # fewer are not worth the handing over
MOST_STEPS = 1 << 50
SAME_FOR_ALL = ("rows", "advisors", "strict", "reward", "render_mode", "preset")


class Episodes(HasEpisode):
    """The episodes of one environment of a batch, one after another."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self._random: np.random.Generator | None = None

    def begin(self, seed: int | None, options: Mapping[str, Any], record: np.ndarray) -> None:
        """Lay the next one out in `record`; without a seed it follows from the last seed that was given."""
        if seed is not None or self._random is None:
            self._random, _ = seeding.np_random(seed)
        self.lay_out(int(self._random.integers(1 << 31)) if seed is None else seed, options, record)

    def begin_again(self, record: np.ndarray) -> None:
        """Lay the present one out from its start."""
        self.lay_out(self.episode_seed, None, record)

    def move_to(self, record: np.ndarray) -> None:
        """Lay the present one, if any, out in `record`: SIM (1,)."""
        if self._simulation is not None:
            self._simulation.move_to(record)


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
        start: "together", or "spread": at a reset environment i of N begins at the share i / N of the decisions of its
            episode, those before it by random legal rows, so that not all of them end at once.
        max_episode_steps: truncate after so many steps, as Gymnasium's TimeLimit does; None: never.
        keywords: as for `SosEnv`, the same for all; `render_mode` is not among them.

    Info: the keys of `SosEnv` as arrays (N,), each with its mask `_KEY`; nested ones as dicts of arrays; the words of a
    decision as numbers of Kind, Why and Resource. SAME_STEP adds `final_obs` and `final_info` where an episode ended.
    All is as Gymnasium's SyncVectorEnv makes it of single environments.
    """

    def __init__(
        self,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        tape_group: int = 1,
        each: Mapping[str, Sequence[Any]] | None = None,
        threads: int | None = None,
        start: str = "together",
        max_episode_steps: int | None = None,
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
        own = {name: value for name, value in keywords.items() if name not in ("strict", "render_mode")}
        scenarios = [Scenario.of(**own, **chosen) for chosen in _of_each(each or {}, keywords, self.num_envs)]
        self.strict = keywords.get("strict", False)
        self.start, self.max_episode_steps = _start(start), _limit(max_episode_steps)
        self.advisors, rows = scenarios[0].advisors, scenarios[0].settings.rows
        self.episodes = [Episodes(scenario) for scenario in scenarios]
        self.privileged = np.array([scenario.privileged for scenario in scenarios])
        self.single_observation_space, self.single_action_space = spaces_of(rows)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        discounts = np.array([discounts_of(scenario.settings) for scenario in scenarios], DISCOUNTS)
        self.batch = Batch(discounts, rows, len(self.advisors), _threads(threads, self.num_envs))
        self._over = np.ones(self.num_envs, bool)  # no episode is in progress
        self._steps, self._warned = np.zeros(self.num_envs, np.int64), set[str]()
        self._last: Transitions | None = None
        self._everyone = np.arange(self.num_envs)

    # -- Gymnasium

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None):
        """Begin episodes. An int seeds environment i with seed + i // tape_group, a sequence one by one.

        Options: as for `SosEnv`; `reset_mask` bool (N,): only these, the others stay as they are.
        """
        self._refuse_closed()
        options = _options(options)
        chosen = _reset_mask(options.pop("reset_mask", None), self.num_envs)
        warn_of_unknown(options, self._warned)
        if self._last is None and not chosen.all():
            raise gym.error.ResetNeeded("reset_mask leaves environments as they are: call reset() without it first")
        self._refuse_options(chosen, options)
        for i, own in zip(np.flatnonzero(chosen).tolist(), self._seeds(seed)[chosen], strict=True):
            self._begin(i, own, options)
        found = Transitions(self)
        if self._last:
            found.keep(self._last)
        found.step(np.flatnonzero(chosen), np.full(self.num_envs, BEGIN))
        if self.start == "spread":
            self._spread(found, chosen)
        self._over[chosen], self._last = False, found
        return found.observation(), found.infos(chosen)

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
        actions[begins] = BEGIN
        found = Transitions(self)
        found.step(self._everyone, actions)
        self._steps[~begins] += 1
        rewards, terminated, truncated = found.ends(self._steps, ~begins)
        over = terminated | truncated
        infos = found.infos()
        if over.any() and self.autoreset_mode == AutoresetMode.SAME_STEP:
            found, infos = self._begin_at_once(found, infos, over)
        else:
            self._over = over.copy()  # the other stands in the infos
        self._last = found
        return found.observation(), rewards, terminated, truncated, infos

    def action_masks(self) -> np.ndarray:  # bool (N, K)
        """Which rows may be chosen."""
        return self.batch.masks.astype(bool)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """An attribute of each environment's episodes, or what its method returns; as of Gymnasium's vectors."""
        if name == "action_masks":
            return tuple(self.action_masks())
        found = [getattr(episodes, name) for episodes in self.episodes]
        return tuple(one(*args, **kwargs) if callable(one) else one for one in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of each environment's episodes: tape, settings, simulation, ..."""
        return self.call(name)

    def close_extras(self, **kwargs: Any) -> None:
        """Let the threads go."""
        self.batch.crew.dismiss()

    # -- copies

    def __copy__(self) -> "SosVectorEnv":
        return copy.deepcopy(self)  # two that share episodes would both write to them

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Copies of episodes have records of their own; here they lie side by side in the batch."""
        self.__dict__.update(state)
        for i, episodes in enumerate(self.episodes):
            episodes.move_to(self.batch.sims[i : i + 1])
        if self.closed:
            self.batch.crew.dismiss()

    # -- parts

    def _refuse_closed(self) -> None:
        if self.closed:
            raise gym.error.ClosedEnvironmentError("the environments are closed: make them again")

    def _refuse_options(self, chosen: np.ndarray, options: Mapping[str, Any]) -> None:
        """Before any of the environments has changed."""
        for i in np.flatnonzero(chosen).tolist() if options else ():
            self.episodes[i].scenario.under(options)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> np.ndarray:  # object (N,)
        if seed is None:
            groups = self.num_envs // self.tape_group
            drawn = self.np_random.integers(1 << 31, size=groups) if self.tape_group > 1 else [None] * groups
            seeds = [None if own is None else int(own) for own in drawn for _ in range(self.tape_group)]
        elif isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
            seeds = [int(seed) + i // self.tape_group for i in range(self.num_envs)]
        else:
            allowed = f"an integer >= 0, or {self.num_envs} of them"
            given = listed("seed", seed, f"{self.num_envs} integers")
            seeds = [None if own is None else number_in("seed", own, 0, exact=True, allowed=allowed) for own in given]
            if len(seeds) != self.num_envs:
                raise SettingError("seed", seed, allowed, "pass one per environment")
        return np.array(seeds, object)

    def _begin(self, i: int, seed: int | None, options: dict[str, Any]) -> None:
        self.episodes[i].begin(seed, options, self.batch.sims[i : i + 1])
        self.batch.discounts[i] = self.episodes[i].discounts
        self._steps[i] = 0

    def _spread(self, found: "Transitions", chosen: np.ndarray) -> None:
        """Bring the `chosen` to their share of an episode, whose length shows when it is played to the end."""
        lengths = found.go_on(np.where(chosen, self.max_episode_steps or MOST_STEPS, 0))
        for i in np.flatnonzero(chosen).tolist():
            self.episodes[i].begin_again(self.batch.sims[i : i + 1])
        found.step(np.flatnonzero(chosen), np.full(self.num_envs, BEGIN))
        groups = self.num_envs // self.tape_group
        self._steps[chosen] = found.go_on(lengths * (self._everyone // self.tape_group) // groups)[chosen]
        found.forget_the_way(chosen)

    def _begin_at_once(self, ended: "Transitions", infos: dict[str, Any], over: np.ndarray):
        """SAME_STEP: what ended becomes `final_obs` and `final_info`, and the next episodes begin."""
        found = ended.copy()
        for i in np.flatnonzero(over).tolist():
            self._begin(i, None, {})
        found.step(np.flatnonzero(over), np.full(self.num_envs, BEGIN))
        final: dict[str, Any] = {}
        put(final, "final_obs", ended.observations_of(over), over)
        put(final, "final_info", narrowed(infos, over), over)
        return found, found.infos() | final

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
        if self.strict:
            wrong = (self.batch.masks[self._everyone, given] == 0) & ~begins
            if wrong.any():
                i = int(np.argmax(wrong))
                legal = np.flatnonzero(self.batch.masks[i]).tolist()
                raise ActionError(
                    f"actions[{i}]={given[i]} is not allowed: its row is masked out; choose one of the rows {legal}"
                )
        return given.astype(np.int64)


class Transitions:
    """The arrays that one step returns; written while it is made, never after."""

    def __init__(self, vector: SosVectorEnv):
        n, rows = vector.batch.shown.shape
        self.vector = vector
        self.candidates = np.empty((n, rows, len(COLUMNS)), np.float32)
        self.context = np.empty((n, len(CONTEXT)), np.float32)
        self.advised = np.zeros((n, len(vector.advisors)), np.int32)
        self.steps = np.zeros(n, STEP)
        self.steps["fallback_row"] = NONE
        self.masks = vector.batch.masks

    def keep(self, other: "Transitions") -> None:
        """Begin with a copy of another's."""
        for name in ("candidates", "context", "steps", "advised"):
            getattr(self, name)[...] = getattr(other, name)

    def copy(self) -> "Transitions":
        """One that may be written."""
        other = Transitions(self.vector)
        other.keep(self)
        return other

    def step(self, which: np.ndarray, actions: np.ndarray) -> None:
        """Apply, run and describe, on all threads."""
        written = {"steps": self.steps, "advised": self.advised}
        written |= {"candidates": self.candidates.view(CANDIDATE_RECORD), "context": self.context.view(CONTEXT_RECORD)}
        self.vector.batch.step(which, actions, written)
        self.masks = self.vector.batch.masks.copy()
        if self.steps["stuck"].any():
            for i in which[self.steps["stuck"][which]].tolist():
                self.vector.episodes[i].simulation.raise_if_stuck()

    def observation(self) -> dict[str, np.ndarray]:
        """What `reset` and `step` return first."""
        return {"candidates": self.candidates, "context": self.context, "action_mask": self.masks}

    def observations_of(self, chosen: np.ndarray) -> np.ndarray:  # object (N,)
        """A single environment's observation of each of the `chosen`, None of the others; as Gymnasium's vectors do."""
        found = np.full(len(chosen), None, object)
        for i in np.flatnonzero(chosen).tolist():
            found[i] = {name: array[i].copy() for name, array in self.observation().items()}
        return found

    def go_on(self, most: np.ndarray) -> np.ndarray:  # i8 (N,)
        """Take random legal rows, up to `most` (N,) in each environment and to the end; how many it were."""
        taken = np.zeros(len(most), np.int64)
        while True:
            which = np.flatnonzero((taken < most) & ~self.steps["over"])
            if not len(which):
                return taken
            self.step(which, np.full(len(most), CHANCE))
            taken[which] += 1

    def forget_the_way(self, chosen: np.ndarray) -> None:
        """As after a reset: nothing has passed, no row was taken."""
        for name in ("reward", "dt_ns", "work_ns", "weighted_stall_ns"):
            self.steps[name][chosen] = 0
        for name in ("discount", "service_discount"):
            self.steps[name][chosen] = 1.0
        self.steps["fallback_row"][chosen] = NONE

    def ends(self, lengths: np.ndarray, stepped: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards f8, terminated and truncated, bool (N,).

        `lengths` (N,): steps of each episode; `stepped` bool (N,): the others have just begun.
        """
        truncated = self.steps["truncated"] | (lengths >= (self.vector.max_episode_steps or MOST_STEPS))
        return self.steps["reward"].copy(), self.steps["terminated"] & stepped, truncated & stepped

    def infos(self, told: np.ndarray | None = None) -> dict[str, Any]:
        """Of the environments that are `told`, bool (N,); None: all."""
        advised = dict(zip(self.vector.advisors, self.advised.T.astype(np.int64), strict=True))
        whom = np.ones(len(self.steps), bool) if told is None else told.copy()
        form = BatchForm(self.steps, advised, self.masks.copy(), self.vector.privileged.copy(), whom)
        infos = info_of(form, metrics_of_many(self._metrics(whom), len(whom)))
        return infos if told is None else narrowed(infos, told)

    def _metrics(self, told: np.ndarray) -> dict[int, dict[str, Any]]:
        """Of the episodes that ended."""
        ended = np.flatnonzero(self.steps["over"] & told).tolist()
        return {i: metrics(self.vector.episodes[i].simulation) for i in ended}


def _of_each(each: Mapping[str, Sequence[Any]], keywords: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    if not isinstance(each, Mapping):
        raise SettingError("each", each, "a dict: keyword -> values", 'pass for example {"frames": range(40, 60)}')
    cycled = {name: listed(f"each[{name!r}]", values, "values") for name, values in each.items()}
    for name, values in cycled.items():
        if name in keywords:
            raise SettingError(f"each[{name!r}]", values, "left out when the keyword is given", "give one of them")
        if name in SAME_FOR_ALL:
            raise SettingError(f"each[{name!r}]", values, f"none of {SAME_FOR_ALL}", "give it as a keyword, for all")
        if not values:
            raise SettingError(f"each[{name!r}]", values, "a sequence of values", "pass [value, ...]")
    return [{name: _plain(values[i % len(values)]) for name, values in cycled.items()} for i in range(count)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _whole(name: str, value: Any, low: int, high: int) -> int:
    allowed = f"a whole number in [{low}, {high}]"
    return number_in(name, value, low, high, exact=True, allowed=allowed, remedy="choose one in that range")


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        allowed = "one of " + ", ".join(repr(mode.value) for mode in AutoresetMode)
        raise SettingError("autoreset_mode", mode, allowed, "choose one of these") from None


def _start(given: str) -> str:
    if given not in ("together", "spread"):
        raise SettingError("start", given, "'together' or 'spread'", "choose one of these")
    return given


def _limit(given: int | None) -> int | None:
    return None if given is None else _whole("max_episode_steps", given, 1, MOST_STEPS)


def _options(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise SettingError("options", given, "a dict", 'pass for example {"frames": 32}')
    return dict(given or {})


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
