"""Episodes are made here: of a workload, settings and policies, which stay, and a seed."""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sos_gym.engine.hosts import Host, Pairing
from sos_gym.engine.simulation import Simulation
from sos_gym.policy import is_policy, policy_of
from sos_gym.policy.contract import Policy
from sos_gym.policy.pairing import Pair
from sos_gym.resource import NONE
from sos_gym.settings.environment import SETTINGS, Settings, build_settings
from sos_gym.settings.presets import Preset, preset_named
from sos_gym.settings.ranges import SettingError, did_you_mean, listed
from sos_gym.workload import SPLITS, Tape, refuse_workload, workload

MOST_ADVISORS = 8
FIXED = ("preset", "advisors", "strict", "render_mode", "rows", "reward")  # once an environment is made
ASKED = ("workload", "split", "settings")  # options of reset, beside the names of settings


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
    privileged: bool = False  # who decides is told of the future: by the reward, or by an advisor
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # settings, as they were given
    asked: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # settings that `reset` was asked for since

    @classmethod
    def of(
        cls,
        preset: str = "sos/Memory-v0",
        workload: str | Tape | None = None,
        split: str | None = None,
        advisors: Sequence[str | Policy | Pair] = (),
        **settings: Any,
    ) -> "Scenario":
        """From an id, and what is to differ from its defaults. An advisor that idles on purpose brings `may_idle`.

        Raises:
            SettingError: a name or value that makes no sense.
        """
        chosen = preset_named(preset)
        numbers = build_settings({**chosen.settings, **settings})
        advisors = _advisors(advisors, numbers.rows)
        cards = [policy_of(one) for one in advisors]
        if "may_idle" not in settings and any(card.idles for card in cards):
            settings["may_idle"] = True
            numbers = build_settings({**chosen.settings, **settings})
        names = tuple(one if isinstance(one, str) else card.spec for one, card in zip(advisors, cards, strict=True))
        if len({*names}) < len(names):
            raise SettingError("advisors", names, "of distinct names", "leave one out, or name it otherwise")
        hosts = tuple(card.host() for card in cards)
        own = refuse_workload(chosen.workload if workload is None else workload, split)
        told = numbers.reward == "foresight" or any(card.privileged for card in cards)
        return cls(chosen, numbers, own, split, names, hosts, privileged=told, given=settings)

    def under(self, options: Mapping[str, Any]) -> "Scenario":
        """The scenario of the episodes that follow a `reset` with these options; what they do not name stays.

        Raises:
            SettingError: a value that makes no sense, or a name that is fixed.
        """
        if not isinstance(options, Mapping):
            raise SettingError("options", options, "a dict", 'pass for example {"frames": 32}')
        if not {*options} & {*ASKED, *SETTINGS, *FIXED}:
            return self
        for name in FIXED:
            if name in options:
                raise SettingError(f"options[{name!r}]", options[name], "left out", "it is fixed: give it to gym.make")
        asked = _settings_asked(options, self.asked)
        own, split = _workload_asked(options, self)
        numbers = build_settings({**self.preset.settings, **self.given, **asked})
        return dataclasses.replace(self, settings=numbers, asked=asked, workload=own, split=split)

    def tape(self, seed: int) -> Tape:
        """The tape of an episode."""
        own = self.workload
        return own if isinstance(own, Tape) else workload(own, seed=seed, split=self.split)

    def episode(
        self,
        seed: int,
        driver: int = NONE,
        record: np.ndarray | None = None,
    ) -> Simulation:
        """An episode that is laid out, of which nothing has run yet.

        Args:
            seed: of the tape, drawn costs, rows and every policy.
            driver: index of the advisor that decides; NONE: an agent does, and observations are kept up to date.
            record: SIM (1,), one of many where the episode is laid out; None: its own.
        """
        tape, watched = self.tape(seed), driver == NONE
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


def _advisors(given: Sequence[Any], rows: int) -> tuple[Any, ...]:
    if is_policy(given):
        raise SettingError("advisors", given, "a sequence of policies or their names", f"pass ({given!r},)")
    asked = listed("advisors", given, "policies or their names")
    if len(asked) > MOST_ADVISORS:
        raise SettingError("advisors", asked, f"at most {MOST_ADVISORS} names", "ask fewer")
    if rows < 4 + len(asked):
        raise SettingError("rows", rows, f"at least 4 + the number of advisors ({len(asked)})", "raise rows")
    return asked


def _settings_asked(options: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` takes the place of all that was asked before, a single name is added."""
    anew = options.get("settings", before)
    if not isinstance(anew, Mapping):
        raise SettingError("options['settings']", anew, "a dict of settings", 'pass for example {"frames": 32}')
    for name in FIXED:
        if name in anew:
            raise SettingError(f"options['settings'][{name!r}]", anew[name], "left out", "give it to gym.make")
    return {**anew, **{name: value for name, value in options.items() if name in SETTINGS}}


def _workload_asked(options: Mapping[str, Any], scenario: Scenario) -> tuple[str | Tape, str | None]:
    """The workload and the split; where a split is named as the workload, it is one."""
    own, split = options.get("workload", scenario.workload), options.get("split", scenario.split)
    if isinstance(own, str) and own in SPLITS:
        own, split = scenario.workload, own
    return refuse_workload(own, split), split


def warn_of_unknown(options: Mapping[str, Any], warned: set[str]) -> None:
    """Warn of options that `reset` does not know, once of each: other environments of a mixture may know them."""
    known = (*ASKED, *SETTINGS, *FIXED)
    for name in {*map(str, options)} - {*known} - warned:
        warned.add(name)
        remedy = did_you_mean(name, known) or f"known are {', '.join(ASKED)} and the names of settings"
        warnings.warn(f"reset does not know the option {name!r} and leaves it aside; {remedy}", stacklevel=3)
