"""How a claim stands on the val split, case by case, beside the best of the named policies on each."""

import json
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from cases import Case, Measure, best_of, cases_of, drawn, log_ratios, played, played_by
from report import draw
from rich.console import Console
from rich.table import Table
from run_folder import RunFolder

from sos_gym import LearnedClaim
from sos_gym.outputs import write_whole

SPLIT, LOOK_SEED = "val", 1000  # of looks during training; the comparison at the end begins at seed 0

CONTENDERS = (  # online policies that are the best of all on some workload, or near it
    "whole_sets",
    "together",
    "slru",
    "sieve",
    "cacheus",
    "lecar",
    "lhd",
    "lirs",
    "gap",
    "shortest",
    "cfs",
    "owner_share",
    "spare_next",
    "inheritance",
    "priority",
    "second_chance",
    "guard",
    "linux",
    "s3fifo",
    "frequency",
    "seniority",
    "ladder",
    "nearest",
)


class Asked(Protocol):
    """What is asked of a configuration."""

    envs: list[str]
    workloads: list[str]
    baselines: list[str]
    jain_floor: float
    jain_price: float
    look_episodes: int
    val_episodes: int


class OnVal:
    """Judges claims on episodes that stay: exp of the measure; without a price for unfairness a mean stall ratio."""

    def __init__(self, given: Asked, pool: Executor):
        self.pool, self.cases = pool, cases_of(given.envs, given.workloads, SPLIT)
        self.measure = Measure(self.cases, given.jain_floor, given.jain_price)
        self.episodes = drawn(self.cases, range(LOOK_SEED, LOOK_SEED + given.look_episodes))
        self.base_ns = played_by(best_of(given.baselines, self.episodes, pool), self.episodes, pool)

    def __call__(self, claim: LearnedClaim) -> float:
        return float(np.exp(self.measure.of(played([claim], self.episodes, self.pool), self.base_ns)[0]))


@dataclass(frozen=True)
class Standing:
    """A claim on a case, beside the policy with the least stall there."""

    case: str
    base: str
    ratio: float  # of the claim's stall to the base's
    jain: float
    base_jain: float


def standings(claim: LearnedClaim, cases: Sequence[Case], policies: Sequence[str], episodes: int, pool: Executor):
    """One for each case, on val episodes from seed 0 on."""
    found = drawn(cases, range(episodes))
    outcome = played([claim, *policies], found, pool)
    best = outcome.stall_ns[1:].sum(axis=2).argmin(axis=0)
    places = best + 1, np.arange(len(cases))
    ratios = np.exp(log_ratios(outcome.stall_ns[:1], outcome.stall_ns[places])[0]).tolist()
    jain = outcome.jain.mean(axis=2)
    names = [policies[k] for k in best]
    return [
        Standing(*one)
        for one in zip(map(str, cases), names, ratios, jain[0].tolist(), jain[places].tolist(), strict=True)
    ]


def finish(given: Asked, claim: LearnedClaim, folder: RunFolder, pool: Executor) -> None:
    """Compare the claim with the baselines on val, show it, and write val.json and curve.png into the folder."""
    draw(folder.rows, folder.path / "curve.png")
    found = standings(claim, cases_of(given.envs, given.workloads, SPLIT), given.baselines, given.val_episodes, pool)
    write_whole(folder.path / "val.json", json.dumps([asdict(one) for one in found], indent=1).encode())
    Console().print(table_of(found, f"{claim.__name__}, {SPLIT}, {given.val_episodes} episodes a case"))


def table_of(found: Sequence[Standing], title: str) -> Table:
    """For people; the geometric mean last."""
    table = Table("case", "best baseline", "stall / its stall", "Jain", "its Jain", title=title)
    for one in found:
        table.add_row(one.case, one.base, f"{one.ratio:.3f}", f"{one.jain:.2f}", f"{one.base_jain:.2f}")
    mean = np.exp(np.log([one.ratio for one in found]).mean())
    table.add_row("geometric mean", "", f"{mean:.3f}", "", "")
    return table
