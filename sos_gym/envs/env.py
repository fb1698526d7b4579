"""The Gymnasium skin: one environment class, four registered ids."""

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from sos_gym.engine.simulation import Simulation
from sos_gym.envs.render import History, ansi, timeline
from sos_gym.metrics import metrics
from sos_gym.policy import policy_named
from sos_gym.resource import Kind, Resource, Why
from sos_gym.settings.environment import Settings, build_settings
from sos_gym.settings.presets import preset_named
from sos_gym.settings.ranges import SettingError
from sos_gym.view.candidates import PADDING
from sos_gym.view.observation import COLUMNS, CONTEXT, OUTCOME, observe, observe_address, unsee
from sos_gym.workload import SPLITS, Tape, workload

KINDS = tuple(kind.name.lower() for kind in Kind)
CAUSES = tuple(why.name.lower() for why in Why)
RESOURCES = tuple(resource.name.lower() for resource in Resource)
MOST_ADVISORS = 8


class ActionError(ValueError):
    """An action that no row of the present decision allows."""


class SosEnv(gym.Env):
    """Decide who gets a slot and who goes without.

    Observation: a dict of `candidates` (K, 26) float32, the contenders shown; `context` (14,) float32; `action_mask`
    (K,) int8. The columns are named in `sos_gym.COLUMNS` and `sos_gym.CONTEXT` and mean the same for threads and
    pages. Action: the row to choose: in EVICT the one that goes without, in ADMIT the one that gets the slot.

    Reward: `progress` (default) pays stall_per_service * service - weighted stall since the last decision, `stall` the
    second term alone, both in units of reward_scale_ns. `foresight` is privileged and for training only.
    One worked number: 2 ms of service and 3 ms of stall at stall_per_service 0.5 and scale 1 ms pay 0.5*2 - 3 = -2.

    Episodes end (`terminated`) when every op of the tape is complete, and are truncated at `horizon_ns`.

    Args:
        preset: an id of `presets.PRESETS`; every setting of `settings.Settings` is a keyword and overrides it.
        workload: a name of `workloads()`, a `Tape`, or None for the preset's.
        split: "train", "val", "test" or "ood": from which seeds, and ranges, a family is drawn; None: its own stream.
        advisors: names of policies whose choices are rows and stand in info["advice"].
        strict: a masked-out action raises `ActionError` instead of falling back to the first legal row.
        render_mode: None, "ansi" or "rgb_array".

    Info: dt_ns, work_ns (service), discount = exp(-dt / discount_ns), cost (the reward's terms, ns), decision, advice
    (name -> row), fallback_row (only after a masked-out action), metrics (at the end).

    Version History:
        v0: first.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 30}  # noqa: RUF012

    def __init__(
        self,
        preset: str = "sos/Memory-v0",
        workload: str | Tape | None = None,
        split: str | None = None,
        advisors: Sequence[str] = (),
        strict: bool = False,
        render_mode: str | None = None,
        **settings: Any,
    ):
        self.preset = preset_named(preset)
        self.settings: Settings = build_settings({**self.preset.settings, **settings})
        self.workload = self.preset.workload if workload is None else workload
        self.split, self.strict = split, strict
        self.advisors = _advisors(advisors, self.settings.rows)
        self.hosts = [policy_named(name).host() for name in self.advisors]
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise SettingError("render_mode", render_mode, f"None or one of {self.metadata['render_modes']}", "choose")
        self.render_mode = render_mode
        self.history = None if render_mode is None else History()
        rows = self.settings.rows
        self.observation_space: spaces.Dict = spaces.Dict(
            candidates=spaces.Box(-4.0, 4.0, (rows, len(COLUMNS)), np.float32),
            context=spaces.Box(-4.0, 4.0, (len(CONTEXT),), np.float32),
            action_mask=spaces.Box(0, 1, (rows,), np.int8),
        )
        self.action_space = spaces.Discrete(rows)
        self._simulation: Simulation | None = None
        self._shown = np.full(rows, PADDING, np.int32)
        self._mask = np.zeros(rows, np.int8)
        self._outcome = np.zeros(1, OUTCOME)
        self._closing = False

    # -- Gymnasium

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begin an episode; the seed fixes tape, drawn costs, rows and every policy.

        Options: {"workload": a name, a Tape, or a split}.
        """
        self.begin(seed, options)
        self._closing = False
        observation = self._observe(0)
        unsee(self.simulation.record)
        if self.history:
            self.history.begin(self.simulation)
        return observation, self._info()

    def step(self, action):
        """Choose a row; see the class for what comes back.

        Raises:
            ActionError: no such row; or, when strict, a masked-out one.
            StuckError: the tape can go no further.
        """
        if self._closing:
            raise gym.error.ResetNeeded("step() needs an episode in progress: call reset() first")
        row, fallback = self._legal_row(action)
        if self.history and self.simulation.undecided:
            self.history.choose(self.simulation, int(self._shown[row]))
        observation = self._observe(int(self._shown[row]))
        if self.history:
            self.history.sample(self.simulation)
        terminated = bool(self.simulation.record["finished"][0])
        truncated = bool(self.simulation.record["truncated"][0])
        self._closing = terminated or truncated
        info = self._info() | self._cost()
        if fallback:
            info["fallback_row"] = row
        return observation, float(self._outcome["reward"][0]), terminated, truncated, info

    def action_masks(self) -> np.ndarray:  # bool (K,)
        """Which rows may be chosen; the name that MaskablePPO asks for."""
        return self._mask.astype(bool)

    def render(self):
        """The present instant as text ("ansi"), or the timeline of slots as a picture ("rgb_array")."""
        if self.render_mode is None or self._simulation is None:
            return None
        return ansi(self) if self.render_mode == "ansi" else timeline(self)

    # -- beyond Gymnasium

    @property
    def simulation(self) -> Simulation:
        """The episode in the engine.

        Raises:
            gym.error.ResetNeeded: before the first reset.
        """
        if self._simulation is None:
            raise gym.error.ResetNeeded("there is no episode yet: call reset() first")
        return self._simulation

    @property
    def candidates(self) -> list[int]:
        """The contender of each row of the open decision; padding left out."""
        return self._shown[self._shown != PADDING].tolist()

    def state(self) -> dict[str, Any]:
        """A copy of the episode, for `restore`: counterfactuals and search."""
        return {
            "simulation": self.simulation.state(),
            "shown": self._shown.copy(),
            "mask": self._mask.copy(),
            "closing": self._closing,
            "np_random": self.np_random.bit_generator.state,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put a `state()` of the same episode back, exactly."""
        self.simulation.restore(state["simulation"])
        self._shown, self._mask = state["shown"].copy(), state["mask"].copy()
        self._closing = state["closing"]
        self.np_random.bit_generator.state = state["np_random"]

    # -- parts

    def begin(
        self, seed: int | None, options: Mapping[str, Any] | None, record: np.ndarray | None = None
    ) -> Simulation:
        """Draw and lay out the next episode, in `record` (SIM, (1,)) if given; nothing of it has run yet."""
        super().reset(seed=seed)
        self.episode_seed = int(seed) if seed is not None else int(self.np_random.integers(1 << 31))
        self._simulation = Simulation(
            self.draw_tape(self.episode_seed, options),
            self.settings,
            self.hosts,
            seed=self.episode_seed,
            listing=True,
            observed=True,
            foresight=self.settings.reward == "foresight",
            record=record,
        )
        return self._simulation

    def draw_tape(self, seed: int, options: Mapping[str, Any] | None = None) -> Tape:
        """The tape of an episode, as `reset` draws it."""
        options = dict(options or {})
        self.tape = self._tape(seed, options.pop("workload", self.workload), options)
        return self.tape

    def _tape(self, seed: int, chosen: Any, options: dict[str, Any]) -> Tape:
        if options:
            name = next(iter(options))
            raise SettingError(f"options[{name!r}]", options[name], "the key 'workload'", "settings go to gym.make")
        split = self.split
        if isinstance(chosen, str) and chosen in SPLITS:
            chosen, split = self.workload, chosen
        if isinstance(chosen, Tape):
            return chosen
        if not isinstance(chosen, str):
            raise SettingError("workload", chosen, "a name, a Tape or a split", "see `sos-gym workloads`")
        return workload(chosen, seed=seed, split=split)

    def _observe(self, choice: int) -> dict[str, np.ndarray]:
        rows = self.settings.rows
        candidates = np.empty((rows, len(COLUMNS)), np.float32)
        context = np.empty(len(CONTEXT), np.float32)
        mask = np.empty(rows, np.int8)
        arrays = self._shown, candidates, context, mask, self._outcome
        observe(observe_address(), self.simulation.record, choice, *arrays)
        self.simulation.raise_if_stuck()
        self._mask = mask.copy()
        return {"candidates": candidates, "context": context, "action_mask": mask}

    def _legal_row(self, action) -> tuple[int, bool]:
        try:
            row = operator.index(action)
        except TypeError:
            row = -1
        if not 0 <= row < len(self._mask):
            allowed = f"it must be a row in [0, {len(self._mask) - 1}]"
            raise ActionError(f"action={action!r} is not allowed: {allowed}; choose one where action_mask is 1")
        if self._mask[row]:
            return row, False
        if self.strict:
            legal = np.flatnonzero(self._mask).tolist()
            raise ActionError(f"action={row} is not allowed: its row is masked out; choose one of the rows {legal}")
        return int(np.argmax(self._mask)), True

    def _cost(self) -> dict[str, Any]:
        """What passed since the last decision, and the reward's terms."""
        outcome = self._outcome[0]
        dt, work, stall = int(outcome["dt_ns"]), int(outcome["work_ns"]), float(outcome["stall_weighted_ns"])
        info: dict[str, Any] = {
            "dt_ns": dt,
            "work_ns": work,
            "discount": math.exp(-dt / self.settings.discount_ns),
            "cost": {"service_ns": work, "weighted_stall_ns": stall},
        }
        if self.settings.reward == "foresight":
            info["privileged"] = True
        if self._closing:
            info["metrics"] = metrics(self.simulation)
        return info

    def _info(self) -> dict[str, Any]:
        """The open decision, and which row each advisor would choose."""
        if not self.simulation.undecided:
            return {"decision": None, "advice": {}}
        decision = self.simulation.decision
        info: dict[str, Any] = {
            "decision": {
                "number": int(decision["number"]),
                "now_ns": int(decision["now"]),
                "kind": KINDS[decision["kind"]],
                "cause": CAUSES[decision["cause"]],
                "resource": RESOURCES[decision["resource"]],
                "contenders": int(decision["count"]),
            },
            "advice": {},
        }
        if self.advisors:
            at = {int(e): row for row, e in enumerate(self._shown)}
            advice = self.simulation.arrays["advice"]
            info["advice"] = {name: at[int(choice)] for name, choice in zip(self.advisors, advice, strict=True)}
        return info


def _advisors(names: Sequence[str], rows: int) -> tuple[str, ...]:
    if isinstance(names, str):
        raise SettingError("advisors", names, "a sequence of policy names", f"pass ({names!r},)")
    if len(names) > MOST_ADVISORS:
        raise SettingError("advisors", names, f"at most {MOST_ADVISORS} names", "ask fewer")
    if rows < 4 + len(names):
        raise SettingError("rows", rows, f"at least 4 + the number of advisors ({len(names)})", "raise rows")
    for name in names:
        policy_named(name)
    return tuple(names)
