"""Policies and claims played on the same tapes of some cases, and kept on disk as it comes, lest anything be twice."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from cases import Case, Episode, Policy, drawn
from controls import Vote
from rich.progress import Progress

from sos_gym import LearnedClaim, evaluate, policies
from sos_gym.loading.content import content_of
from sos_gym.outputs import write_whole

MEASURES = ("weighted_stall_ns", "jain", "response_p99_ns")
Player = Policy | Vote


@dataclass(frozen=True)
class Played:
    """What came of P policies on C cases of E tapes each."""

    names: list[str]  # P
    cases: list[str]  # C
    values: Mapping[str, np.ndarray]  # of each of MEASURES, float (P, C, E)

    def of(self, names: Iterable[str], measure: str = MEASURES[0]) -> np.ndarray:  # float (len(names), C, E)
        return self.values[measure][[self.names.index(name) for name in names]]


class Kept:
    """What was played, by policy, case and tape: a line of JSON each, appended as it comes."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        whole = [line for line in lines if _whole(line)]
        write_whole(path, "".join(f"{line}\n" for line in whole).encode())  # or the next would follow a torn one
        self.found = {tuple(row["of"]): row["measured"] for row in map(_whole, whole)}

    def measured(self, of: tuple[str, str, str], play: Callable[[], list[float]]) -> list[float]:
        if of not in self.found:
            self.found[of] = play()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"of": of, "measured": self.found[of]}) + "\n")
        return self.found[of]


def _whole(line: str) -> dict | None:
    """None: the line that was being written when the run was killed."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def measured(policy: Player, episode: Episode, settings: Mapping[str, Any]) -> list[float]:
    run = evaluate(episode.env, policy, episode.tape, episode.seed, **{**episode.settings, **settings})[0]
    return [float(run[name]) for name in MEASURES]


def charges(names: Iterable[str], claim_ns: int) -> dict[str, dict[str, int]]:
    """What a decision of each takes, as a setting: of registered policies by their cards, of all others `claim_ns`."""
    cards = policies()
    priced = {name: cards[name].decision_ns if name in cards else claim_ns for name in names}
    return {name: {"decision_ns": ns} for name, ns in priced.items() if ns is not None}


def play(
    policies: Mapping[str, Player],
    cases: Sequence[Case],
    episodes: int,
    kept: Kept,
    pool: Executor,
    settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Played:
    """Every policy on tapes of the seeds 0 to `episodes` - 1 of every case; the tapes of a case are drawn once.

    Args:
        settings: that a policy of that name plays under, besides those of the case, and before them.
    """
    found = np.empty((len(MEASURES), len(policies), len(cases), episodes))
    with Progress() as progress:
        task = progress.add_task("playing", total=len(cases) * len(policies))
        for c, case in enumerate(cases):
            tapes = drawn([case], range(episodes))[0]
            for p, (name, policy) in enumerate(policies.items()):
                own = settings.get(name, {})
                called = f"{name} {content_of(policy)}" if isinstance(policy, LearnedClaim) else name
                called += "".join(f" {key}={value}" for key, value in sorted(own.items()))
                ofs = [(called, f"{case} {case.split}", f"{one.seed} {one.tape.hash()}") for one in tapes]
                todo = [one for one, of in zip(tapes, ofs, strict=True) if of not in kept.found]
                new = iter([*pool.map(lambda one, who=policy, under=own: measured(who, one, under), todo)])
                found[:, p, c] = np.transpose([kept.measured(of, lambda new=new: next(new)) for of in ofs])
                progress.advance(task)
    return Played(list(policies), [str(case) for case in cases], dict(zip(MEASURES, found, strict=True)))
