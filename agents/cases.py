"""What a claim is trained on and judged by: workloads of the ids, whose tapes are drawn once and played by many.

A case is an id, a workload and a split. The measure of a claim on a case is log(stall / the base's stall on the same
tapes), and over cases their mean, in which each id weighs the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sos_gym import LearnedClaim, SettingError, Tape, evaluate, workload, workloads
from sos_gym.engine.simulation import Simulation
from sos_gym.leaderboard.grid import SIDES, fitted, side_of
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import PRESETS, short_id
from sos_gym.streams import stream
from sos_gym.workload.families.programs import stretch
from sos_gym.workload.recordings import SPLIT_OF
from sos_gym.workload.tables import PAGE_OPS, op_in

DEFAULT, FAMILIES, RECORDINGS = "default", "families", "recordings"  # words for workloads; else names
ONE_OF_THE_RECORDINGS = "recorded_"  # families that draw one: each is a case of its own here
LEAST_NS = 1.0  # a tape without stall has a logarithm

Policy = str | LearnedClaim


@dataclass(frozen=True)
class Episode:
    """A tape under the settings of an id, on which any number of policies play."""

    env: str
    tape: Tape
    seed: int
    settings: Mapping[str, Any]

    def simulation(self, advisors: Sequence[str] = ()) -> Simulation:
        """Laid out for observations, at its beginning; what `advisors` would choose is among the rows."""
        return Scenario.of(self.env, self.tape, advisors=tuple(advisors), **self.settings).episode(self.seed)

    def play(self, policy: Policy) -> tuple[float, float]:
        """Weighted stall, ns, and Jain's index of fairness."""
        run = evaluate(self.env, policy, self.tape, self.seed, **self.settings)[0]
        return run["weighted_stall_ns"], run["jain"]


@dataclass(frozen=True)
class Case:
    """Where a claim plays."""

    env: str
    workload: str  # a name, with parameters or without: thrashing(bursts=1)
    split: str  # from which a family draws; of a recording, the one it belongs to
    recorded: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    references: int = 0  # page references that a longer tape without channels is cut to; 0: it is played whole

    def episode(self, seed: int) -> Episode:
        """Of a recording that is played whole the tape is always the same; the seed draws costs and rows."""
        tape = workload(self.workload) if self.recorded else workload(self.workload, seed, self.split)
        return Episode(self.env, self._cut(tape, seed), seed, self.settings)

    def _cut(self, tape: Tape, seed: int) -> Tape:
        """A stretch at a seeded place, with frames for the whole: real programs miss seldom, and so do their parts."""
        whole = int(op_in(tape.ops, PAGE_OPS).sum())
        if not 0 < self.references < whole or tape.channels.size:
            return tape
        return stretch(tape, self.references / whole, stream(seed, "stretch").random())

    @property
    def family(self) -> str:
        """The name without parameters."""
        return self.workload.partition("(")[0]

    def __str__(self) -> str:
        return f"{short_id(self.env)} {self.workload}"


def cases_of(envs: Iterable[str], words: Iterable[str], split: str, references: int = 0) -> list[Case]:
    """The cases of some ids, id by id.

    Args:
        references: that longer tapes are cut to, at a seeded place; 0: none is. Those with channels stay whole.
        words: names of families, with parameters or without, each taken where its side fits; `default`: the id's own
            one; `families`: all that fit the id; `recordings`: those of the split that do. A family that is named later
            takes the place of one that is there: [families, thrashing(bursts=1)] has the short one.

    Raises:
        SettingError: an unknown id, a word that fits none of the ids, or a recording by its name.
        TapeError: an unknown name.
    """
    envs, words = list(envs), list(words)
    for env in envs:
        if env not in PRESETS:
            raise SettingError("envs", env, "one of " + ", ".join(PRESETS), "use a registered id")
    found = {(env, word): _fitting(env, word, split) for env in envs for word in words}
    for word in words:
        if not any(found[env, word] for env in envs):
            remedy = f"name another workload, or {DEFAULT}, {FAMILIES}, {RECORDINGS}"
            raise SettingError("workloads", word, f"some that fit {', '.join(envs)} and the split {split}", remedy)
    chosen = {(case.env, case.family): case for cases in found.values() for case in cases}.values()
    return [replace(case, references=references) for case in chosen]


def _fitting(env: str, word: str, split: str) -> list[Case]:
    """The cases that a word stands for on an id; none where it does not fit."""
    if word == DEFAULT:
        return [Case(env, PRESETS[env].workload, split)]
    if word == RECORDINGS:
        return [_recording(env, name, split) for name in _names(env, recorded=True) if SPLIT_OF[name] == split]
    if word == FAMILIES:
        return [Case(env, name, split) for name in _names(env, recorded=False)]
    if word in SPLIT_OF:
        raise SettingError("workloads", word, "no recording by its name", f"write {RECORDINGS}: those of the split")
    return [Case(env, word, split)] if side_of(word) in SIDES[env] else []


def _names(env: str, recorded: bool) -> list[str]:
    cards = [card for card in workloads().values() if card.side in SIDES[env] and card.recorded == recorded]
    cards = [card for card in cards if not card.diagnostic]
    return [card.name for card in cards if not card.name.startswith(ONE_OF_THE_RECORDINGS)]


def _recording(env: str, name: str, split: str) -> Case:
    return Case(env, name, split, recorded=True, settings=fitted(env, workload(name)))


# -- many policies on the same tapes


@dataclass(frozen=True)
class Outcome:
    """What came of P policies on C cases of E episodes each."""

    stall_ns: np.ndarray  # float (P, C, E), weighted
    jain: np.ndarray  # float (P, C, E), 0 to 1


def drawn(cases: Iterable[Case], seeds: Sequence[int]) -> list[list[Episode]]:
    """The episodes of each case; drawing them once for all policies is what makes it cheap."""
    return [[case.episode(seed) for seed in seeds] for case in cases]


def played(policies: Sequence[Policy], episodes: Sequence[Sequence[Episode]], pool: Executor) -> Outcome:
    """Every policy on every episode, spread over the threads of `pool`; the result does not depend on how many."""
    return _outcome([[policy] * len(episodes) for policy in policies], episodes, pool)


def played_by(policies: Sequence[Policy], episodes: Sequence[Sequence[Episode]], pool: Executor) -> np.ndarray:
    """Weighted stall, ns, of each case's own policy on its episodes: float (C, E)."""
    return _outcome([policies], episodes, pool).stall_ns[0]


def _outcome(policies: Sequence[Sequence[Policy]], episodes: Sequence[Sequence[Episode]], pool: Executor) -> Outcome:
    """Of policies (P, C)."""
    flat = [(one, episode) for own in policies for one, case in zip(own, episodes, strict=True) for episode in case]
    found = np.array(list(pool.map(lambda pair: pair[1].play(pair[0]), flat)))
    stall_ns, jain = found.T.reshape(2, len(policies), len(episodes), -1)
    return Outcome(stall_ns, jain)


def best_of(policies: Sequence[str], episodes: Sequence[Sequence[Episode]], pool: Executor) -> list[str]:
    """Of each case, the policy with the least stall over its episodes."""
    sums = played(policies, episodes, pool).stall_ns.sum(axis=2)
    return [policies[k] for k in sums.argmin(axis=0)]


# -- the measure


@dataclass(frozen=True)
class Measure:
    """One number for a claim: mean log stall ratio, and a price for unfairness; less is better.

    A worked number: stall 2 and 4 against a base of 1 and 2 is log(6 / 3) = .693; a Jain's index of .7 under a floor of
    .8 at a price of 10 adds 1.
    """

    cases: Sequence[Case]
    jain_floor: float = 0.0  # 0 to 1: of a case's mean index
    jain_price: float = 10.0  # of each unit below it

    def of(self, outcome: Outcome, base_ns: np.ndarray) -> np.ndarray:  # float (P,)
        """Of P policies, against the base's stall (C, E) on the same episodes."""
        unfair = np.maximum(0.0, self.jain_floor - outcome.jain.mean(axis=2))
        return (log_ratios(outcome.stall_ns, base_ns) + self.jain_price * unfair) @ self._weights()

    def _weights(self) -> np.ndarray:  # float (C,), sum 1
        """Each id weighs the same, and each case of an id."""
        envs = [case.env for case in self.cases]
        return np.array([1 / envs.count(env) for env in envs]) / len({*envs})


def log_ratios(stall_ns: np.ndarray, base_ns: np.ndarray) -> np.ndarray:  # float (P, C)
    """Of the sums over a case's episodes, so that one in which hardly anybody waits weighs little."""
    return np.log(np.maximum(stall_ns.sum(axis=2), LEAST_NS) / np.maximum(base_ns.sum(axis=1), LEAST_NS))
