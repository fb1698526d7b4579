"""The Gymnasium skin: one environment class, four registered ids."""

import copy
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from sos_gym.engine.simulation import Simulation
from sos_gym.envs.render import History, ansi, timeline
from sos_gym.metrics import BLANK, metrics
from sos_gym.scenario import Scenario, warn_of_unknown
from sos_gym.settings.environment import Settings
from sos_gym.settings.presets import Preset
from sos_gym.settings.ranges import SettingError
from sos_gym.view.candidates import PADDING
from sos_gym.view.columns import COLUMNS, CONTEXT
from sos_gym.view.info import FIELD, SingleForm, info_of
from sos_gym.view.step import BEGIN, STEP, discounts_of, row_of, step_address, take
from sos_gym.workload import Tape

REWARD, TERMINATED, TRUNCATED = FIELD["reward"], FIELD["terminated"], FIELD["truncated"]
OVER, STUCK = FIELD["over"], FIELD["stuck"]


def spaces_of(rows: int) -> tuple[spaces.Dict, spaces.Discrete]:
    """What an agent sees, and what it may answer, with so many rows."""
    seen = spaces.Dict(
        candidates=spaces.Box(-4.0, 4.0, (rows, len(COLUMNS)), np.float32),
        context=spaces.Box(-4.0, 4.0, (len(CONTEXT),), np.float32),
        action_mask=spaces.Box(0, 1, (rows,), np.int8),
    )
    return seen, spaces.Discrete(rows)


class ActionError(ValueError):
    """An action that no row of the present decision allows."""


class HasEpisode:
    """What has an episode in progress, or none yet, and the scenario of the next one."""

    scenario: Scenario
    _simulation: Simulation | None = None

    def lay_out(self, seed: int, options: Mapping[str, Any] | None = None, record: np.ndarray | None = None) -> None:
        """Begin an episode, in `record` if one is given; what `options` change stays changed."""
        scenario = self.scenario.under(options or {})
        self._simulation = scenario.episode(seed, record=record)
        self.scenario, self.episode_seed = scenario, seed
        self.discounts = discounts_of(scenario.settings)

    @property
    def preset(self) -> Preset:
        """The id's defaults."""
        return self.scenario.preset

    @property
    def settings(self) -> Settings:
        """The numbers of the environment."""
        return self.scenario.settings

    @property
    def advisors(self) -> tuple[str, ...]:
        """Names of the policies whose choices stand in `info`."""
        return self.scenario.advisors

    @property
    def tape(self) -> Tape:
        """What the threads of the episode do."""
        return self.simulation.tape

    @property
    def simulation(self) -> Simulation:
        """The episode in the engine.

        Raises:
            gym.error.ResetNeeded: before the first reset.
        """
        if self._simulation is None:
            raise gym.error.ResetNeeded("there is no episode yet: call reset() first")
        return self._simulation


class SosEnv(HasEpisode, gym.Env):
    """Decide who gets a slot and who goes without.

    Observation: a dict of `candidates` (K, F) float32, the contenders shown; `context` (G,) float32; `action_mask`
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
        advisors: policies whose choices are rows and stand in info["advice"]: names, pairs ("eevdf + sieve"), or
            policies themselves.
        strict: a masked-out action raises `ActionError`; else a legal row, drawn uniformly, is taken in its place.
        render_mode: None, "ansi" or "rgb_array".

    Info: the same keys after a reset, after every step and at the end. Since the last decision: dt_ns, work_ns
    (service), discount = exp(-dt_ns / discount_ns), service_discount = exp(-work_ns / discount_service_ns), cost (the
    reward's terms, ns), fallback_row (taken in place of a masked-out one, else -1). Now: decision (open: whether there
    is one; kind, cause and resource are numbers that read as words: decision["kind"] == "evict"), advice (name -> row,
    0 when none is open), action_mask, privileged (the reward or an advisor knows the future). metrics: of the episode
    once it is over, 0 before.

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
        self._begin(Scenario.of(preset, workload, split, advisors, **settings), strict, render_mode)

    @classmethod
    def of(cls, scenario: Scenario, strict: bool = False, render_mode: str | None = None) -> "SosEnv":
        """An environment of a scenario that is made already."""
        env = cls.__new__(cls)
        env._begin(scenario, strict, render_mode)
        return env

    def _begin(self, scenario: Scenario, strict: bool, render_mode: str | None) -> None:
        self.scenario, self.strict = scenario, strict
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise SettingError("render_mode", render_mode, f"None or one of {self.metadata['render_modes']}", "choose")
        self.render_mode = render_mode
        self.history = None if render_mode is None else History()
        rows = self.settings.rows
        self.observation_space, self.action_space = spaces_of(rows)
        self._shown, self._mask = np.full(rows, PADDING, np.int32), np.zeros(rows, np.int8)
        self._step, self._advised = np.zeros(1, STEP), np.zeros(len(self.advisors), np.int32)
        self._closing, self._warned = False, set[str]()

    # -- Gymnasium

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begin an episode; the seed fixes tape, drawn costs, rows and every policy.

        Options, which stay until another reset changes them: `workload` (a name, a Tape or a split), `split`, any
        setting by its name (but `rows` and `reward`), or `settings`, a dict that takes the place of all settings asked
        for before: {"settings": {}} is what was made. One that is unknown is warned of, once.
        """
        self.scenario.under(options or {})  # refused before anything has changed
        super().reset(seed=seed)
        warn_of_unknown(options or {}, self._warned)
        self.lay_out(int(seed) if seed is not None else int(self.np_random.integers(1 << 31)), options)
        self._closing = False
        observation, found = self._take(BEGIN)
        if self.history:
            self.history.begin(self.simulation)
        return observation, self._info(found)

    def step(self, action):
        """Choose a row; see the class for what comes back.

        Raises:
            ActionError: no such row; or, when strict, a masked-out one.
            StuckError: the tape can go no further.
        """
        if self._closing:
            raise gym.error.ResetNeeded("step() needs an episode in progress: call reset() first")
        row = self._checked(action)
        if self.history and self.simulation.undecided:
            taken = row_of(self.simulation.record, self._mask, row)
            self.history.choose(self.simulation, int(self._shown[taken]))
        observation, found = self._take(row)
        if self.history:
            self.history.sample(self.simulation)
        self._closing = found[OVER]
        return observation, found[REWARD], found[TERMINATED], found[TRUNCATED], self._info(found)

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
        """Put a `state()` of the same episode back, exactly; see `Simulation.restore`.

        Raises:
            SettingError: it is of another episode, or no state; nothing has changed then.
        """
        self._refuse_foreign(state)
        self.np_random.bit_generator.state = state["np_random"]
        self.simulation.restore(state["simulation"])
        self._shown[:], self._mask[:], self._closing = state["shown"], state["mask"], state["closing"]

    def _refuse_foreign(self, state: Any) -> None:
        simulation, remedy = self.simulation, "restore what state() of an environment gave"
        if not (isinstance(state, Mapping) and {"simulation", "shown", "mask", "closing", "np_random"} == set(state)):
            raise SettingError("state", type(state).__name__, "what SosEnv.state() gave", remedy)
        simulation.refuse_foreign(state["simulation"])
        for name, own in (("shown", self._shown), ("mask", self._mask)):
            given = np.asarray(state[name])
            if (given.shape, given.dtype) != (own.shape, own.dtype):
                raise SettingError(f"state[{name!r}]", given, f"{own.shape} {own.dtype}", remedy)
        try:
            type(self.np_random.bit_generator)().state = state["np_random"]
        except (TypeError, ValueError, KeyError) as error:
            raise SettingError("state['np_random']", state["np_random"], "that of a PCG64", remedy) from error

    def __copy__(self) -> "SosEnv":
        return copy.deepcopy(self)  # two environments that share an episode would both write to it

    # -- parts

    def _take(self, row: int) -> tuple[dict[str, np.ndarray], tuple]:
        """Take a row, or BEGIN; what comes next, in arrays of its own, and the step's record as a tuple."""
        simulation = self.simulation
        candidates = np.empty((len(self._mask), len(COLUMNS)), np.float32)
        context = np.empty(len(CONTEXT), np.float32)
        written = self._shown, candidates, context, self._mask, self._advised, self._step
        take(step_address(), simulation.record, row, self.discounts, *written)
        found: Any = self._step.item()
        if found[STUCK]:
            simulation.raise_if_stuck()
        return {"candidates": candidates, "context": context, "action_mask": self._mask.copy()}, found

    def _info(self, found: tuple) -> dict[str, Any]:
        advice = dict(zip(self.advisors, self._advised.tolist(), strict=True))
        form = SingleForm(found, advice, self._mask.copy(), self.scenario.privileged)
        return info_of(form, metrics(self.simulation) if found[OVER] else BLANK)

    def _checked(self, action) -> int:
        """The row that an action names."""
        try:
            row = operator.index(action)
        except TypeError:
            row = -1
        if not 0 <= row < len(self._mask):
            allowed = f"it must be a row in [0, {len(self._mask) - 1}]"
            raise ActionError(f"action={action!r} is not allowed: {allowed}; choose one where action_mask is 1")
        if self.strict and not self._mask[row]:
            legal = np.flatnonzero(self._mask).tolist()
            raise ActionError(f"action={row} is not allowed: its row is masked out; choose one of the rows {legal}")
        return row
