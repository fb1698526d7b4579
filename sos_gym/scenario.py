"""Episodes are made here: of a workload, settings and policies, which stay, and a seed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sos_gym.engine.hosts import Host, Pairing
from sos_gym.engine.simulation import Simulation
from sos_gym.policy import is_policy, policy_of
from sos_gym.policy.contract import Policy
from sos_gym.policy.pairing import Pair
from sos_gym.resource import NONE
from sos_gym.settings.environment import Settings, build_settings
from sos_gym.settings.presets import Preset, preset_named
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import SPLITS, Tape, workload

MOST_ADVISORS = 8


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What the episodes of an environment have in common; `Scenario.of(...)` takes the words of `gym.make`."""

    preset: Preset
    settings: Settings
    workload: str | Tape  # a name, or the tape of every episode
    split: str | None  # from which seeds, and ranges, a family is drawn
    advisors: tuple[str, ...]  # names of policies
    hosts: tuple[Host | Pairing, ...]  # the same, compiled
    listeners: tuple[Host, ...] = ()  # who is told, and not asked

    @classmethod
    def of(
        cls,
        preset: str = "sos/Memory-v0",
        workload: str | Tape | None = None,
        split: str | None = None,
        advisors: Sequence[str | Policy | Pair] = (),
        **settings: Any,
    ) -> "Scenario":
        """From an id, and what is to differ from its defaults.

        Raises:
            SettingError: a name or value that makes no sense.
        """
        chosen = preset_named(preset)
        numbers = build_settings({**chosen.settings, **settings})
        _refuse_advisors(advisors, numbers.rows)
        names = tuple(one if isinstance(one, str) else policy_of(one).spec for one in advisors)
        if len({*names}) < len(names):
            raise SettingError("advisors", names, "of distinct names", "leave one out, or name it otherwise")
        hosts = tuple(policy_of(one).host() for one in advisors)
        return cls(chosen, numbers, chosen.workload if workload is None else workload, split, names, hosts)

    def tape(self, seed: int, options: Mapping[str, Any] | None = None) -> Tape:
        """The tape of an episode; `options` are those of `reset`.

        Raises:
            SettingError: an option, name or split that does not exist.
        """
        asked = dict(options or {})
        chosen: Any = asked.pop("workload", self.workload)
        split = self.split
        for name, value in asked.items():
            raise SettingError(f"options[{name!r}]", value, "the key 'workload'", "settings go to gym.make")
        if isinstance(chosen, str) and chosen in SPLITS:
            chosen, split = self.workload, chosen
        if isinstance(chosen, Tape):
            return chosen
        if not isinstance(chosen, str):
            raise SettingError("workload", chosen, "a name, a Tape or a split", "see `sos-gym workloads`")
        return workload(chosen, seed=seed, split=split)

    def episode(
        self,
        seed: int,
        options: Mapping[str, Any] | None = None,
        driver: int = NONE,
        record: np.ndarray | None = None,
    ) -> Simulation:
        """An episode that is laid out, of which nothing has run yet.

        Args:
            seed: of the tape, drawn costs, rows and every policy.
            options: those of `reset`.
            driver: index of the advisor that decides; NONE: an agent does, and observations are kept up to date.
            record: SIM (1,), one of many where the episode is laid out; None: its own.
        """
        tape, watched = self.tape(seed, options), driver == NONE
        return Simulation(
            tape,
            self.settings,
            self.hosts,
            driver=driver,
            seed=seed,
            listing=watched,
            observed=watched,
            foresight=watched and self.settings.reward == "foresight",
            listeners=self.listeners,
            record=record,
        )


def _refuse_advisors(given: Sequence[Any], rows: int) -> None:
    if is_policy(given):
        raise SettingError("advisors", given, "a sequence of policies or their names", f"pass ({given!r},)")
    if len(given) > MOST_ADVISORS:
        raise SettingError("advisors", given, f"at most {MOST_ADVISORS} names", "ask fewer")
    if rows < 4 + len(given):
        raise SettingError("rows", rows, f"at least 4 + the number of advisors ({len(given)})", "raise rows")
