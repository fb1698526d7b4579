"""How a learned claim stands against named policies: the same episodes, in pairs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import training
from configuration import OfOneId
from rich.console import Console
from rich.table import Table
from run_folder import RunFolder

from sos_gym import LearnedClaim, SettingError, evaluate
from sos_gym.outputs import whole_file, write_whole
from sos_gym.policy import policy_of

DAGGER = " †"  # knows the future, or was paid by it in training
STUDENT_975 = 2.02  # of 40 episodes
LOOK_SEED = 1000  # of the val split; the comparison at the end begins at seed 0


def stalls(  # float (episodes,)
    env: str, policy, split: str, seed: int, episodes: int, workers: int, workload: str | None = None
) -> np.ndarray:
    """Weighted stall of each episode, ns."""
    runs = evaluate(env, policy, workload, seed, episodes, split, workers=workers)
    return np.array([run["weighted_stall_ns"] for run in runs])


def online(baselines: list[str]) -> list[str]:
    """Those that do not know the future.

    Raises:
        SettingError: all do.
    """
    found = [name for name in baselines if not policy_of(name).privileged]
    if not found:
        raise SettingError("baselines", baselines, "policies of which one or more do not know the future", "add lru")
    return found


class AgainstTheBest:
    """Judges a claim: its stall on val, relative to that of the best of the baselines, mean over the same episodes."""

    def __init__(self, given: OfOneId):
        self.given = given
        found = {name: self._stalls(name) for name in online(given.baselines)}
        self.name = min(found, key=lambda name: found[name].mean())
        self.base = found[self.name]

    def __call__(self, claim: LearnedClaim) -> float:
        return float((self._stalls(claim) / self.base).mean())

    def _stalls(self, policy) -> np.ndarray:
        given = self.given
        return stalls(given.env, policy, "val", LOOK_SEED, given.look_episodes, given.threads, given.workload)


@dataclass(frozen=True)
class Standing:
    """A policy beside the claim, on the same episodes of val."""

    name: str
    stall: float  # relative to the best baseline's, ratio of means
    saved: float  # by the claim, of this one's stall, mean over episodes
    error: float  # half of its 95 % interval


def standings(claim: LearnedClaim, given: OfOneId) -> list[Standing]:
    """All baselines and the claim, the least stall first. What knows the future is no base."""
    episodes = "val", 0, given.val_episodes, given.threads, given.workload
    found = {name: stalls(given.env, name, *episodes) for name in given.baselines}
    base = min(found[name].mean() for name in online(given.baselines))
    own = stalls(given.env, claim, *episodes)
    told = {name: policy_of(name).privileged for name in found} | {claim.__name__: claim.privileged}
    found[claim.__name__] = own
    all_ = [_standing(name + DAGGER * told[name], stall, own, base) for name, stall in found.items()]
    return sorted(all_, key=lambda one: one.stall)


def _standing(name: str, stall: np.ndarray, own: np.ndarray, base: float) -> Standing:
    saved = 1 - own / stall
    error = STUDENT_975 * saved.std(ddof=1) / np.sqrt(len(saved))
    return Standing(name, float(stall.mean() / base), float(saved.mean()), float(error))


def table_of(found: list[Standing], title: str) -> Table:
    """For people."""
    table = Table("policy", "stall / best baseline's", "saved by the claim, %", title=title)
    for one in found:
        saved = f"{100 * one.saved:.2f} ± {100 * one.error:.2f}" if one.error else ""
        table.add_row(one.name, f"{one.stall:.4f}", saved)
    return table


def draw(curve: list[dict[str, float]], path: Path) -> None:
    """The stall on val over the budget as a picture, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([row["done"] for row in curve], [row["val"] for row in curve])
    axes.axhline(1.0, color="grey", linewidth=0.8)
    axes.set_xlabel("of the budget")
    axes.set_ylabel("stall on val / best baseline's")
    axes.spines[["top", "right"]].set_visible(False)
    with whole_file(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:])


def trained(learner: training.Learner, given: OfOneId, folder: RunFolder) -> training.Best:
    """Train, judged against the best baseline on val, and compare the best claim with all of them."""
    best = training.train(learner, AgainstTheBest(given), given, folder)
    finish(given, best.claim, folder)
    return best


def finish(given: OfOneId, claim: LearnedClaim, folder: RunFolder) -> None:
    """Compare the best claim with the baselines, show it, and write val.json and curve.png into the folder."""
    draw(folder.rows, folder.path / "curve.png")
    found = standings(claim, given)
    write_whole(folder.path / "val.json", json.dumps([asdict(one) for one in found], indent=1).encode())
    Console().print(table_of(found, f"{given.env}, val, {given.val_episodes} episodes"))
