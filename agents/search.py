"""Search over the numbers of a claim, scored by the stall of whole episodes: cross-entropy or CMA-ES.

    sos-gym train --config search-memory

Each generation draws claims and plays all of them on the same tapes of the train split, new ones each time. A first
stage may search a linear claim, from which hidden units then start in the next. With one workload that gives a
specialist, with all families and recordings of one id or several a generalist; a floor for Jain's index trains under a
bound of fairness. A search may begin at a claim that is there, and be kept from columns. At the end the mean and the
best claim of the last generation are compared on val, and the best on val is kept. Writes runs/NAME-SEED/: see
run_folder.py.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import numpy as np
import training
from cases import Case, Measure, best_of, cases_of, drawn, played, played_by
from configuration import Configuration, Count, Natural, Share, claim_file
from minimizers import Cma, CrossEntropy, Minimizer
from on_val import CONTENDERS, OnVal, finish
from pydantic import Field
from run_folder import RunFolder
from shapes import hidden_of, shape_of

from sos_gym import LearnedClaim, SettingError
from sos_gym.learned import INPUTS
from sos_gym.settings.ranges import did_you_mean
from sos_gym.streams import stream

BASE_EPISODES = 2  # of train, on which a case's base is chosen
SEEDS = 1 << 31  # tapes are drawn from so many


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some generations of claims of one shape."""

    generations: Count = 60
    method: Literal["cross_entropy", "cma", "separable_cma"] = "cross_entropy"
    hidden: Annotated[int, Field(ge=0)] = 0  # ReLU units; 0: a linear claim
    population: Annotated[int, Field(ge=4)] = 40  # claims of a generation
    elite: Count = 8  # of cross-entropy, to which it moves
    spread: Annotated[float, Field(gt=0)] = 1.0  # standard deviation of the numbers at first
    noise: Annotated[float, Field(ge=0)] = 0.3  # of cross-entropy: added to the spread, falling to 0
    cases: Natural | None = None  # of each id in a generation, drawn anew each time; 0: all; None: the configuration's

    def minimizer(self, mean: np.ndarray, seed: int) -> Minimizer:
        """From the mean on."""
        if self.method == "cross_entropy":
            return CrossEntropy(mean, self.spread, self.population, self.elite, self.noise, self.generations, seed)
        return Cma(mean, self.spread, self.population, self.method == "separable_cma", seed)


@dataclass(frozen=True, kw_only=True)
class Training(Configuration):
    """What a file in configs/ may say."""

    envs: Annotated[list[str], Field(min_length=1)]
    workloads: Annotated[list[str], Field(min_length=1)] = field(default_factory=lambda: ["default"])  # see cases.py
    stages: Annotated[list[Stage], Field(min_length=1)] = field(default_factory=lambda: [Stage()])
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of each stage's generations, one at least: a shorter search
    start: str | None = None  # the file of a claim at which the search begins; None: at no preference
    without: list[str] = field(default_factory=list)  # columns that the claim may not use
    check: Count = 10  # generations
    episodes: Count = 1  # per case, claim and generation
    references: Natural = 0  # that a longer tape is cut to in training, each time elsewhere; 0: it is played whole
    cases: Natural = 0  # of each id in a generation, drawn anew each time; 0: all
    jain_floor: Share = 0.0  # of a case's mean index; below it a claim pays
    jain_price: Annotated[float, Field(ge=0)] = 10.0
    # online ones, the best of which on a case is its base
    baselines: Annotated[list[str], Field(min_length=1)] = field(default_factory=lambda: [*CONTENDERS])
    look_episodes: Count = 8  # per case, of a look at the val split
    val_episodes: Count = 8  # per case, of the comparison at the end, other ones

    @property
    def shortened(self) -> list[Stage]:
        """The stages as they are played: of 30 and 200 generations a tenth is 3 and 20."""
        return [replace(stage, generations=max(1, round(self.share * stage.generations))) for stage in self.stages]

    def cases_in(self, stage: Stage) -> int:
        """Of each id in a generation of a stage; 0: all."""
        return self.cases if stage.cases is None else stage.cases


def refuse_misfits(stages: Sequence[Stage], hidden: int = 0) -> None:
    """Stages that cannot follow each other, or not be searched; `hidden` units are there at the start.

    Raises:
        SettingError: says which, and how to mend it.
    """
    for number, (stage, before) in enumerate(zip(stages, [Stage(hidden=hidden), *stages], strict=False)):
        where = f"stages[{number}]"
        if stage.elite > stage.population:
            allowed = f"at most the population, {stage.population}"
            raise SettingError(f"{where}.elite", stage.elite, allowed, "lower it, or raise the population")
        if stage.hidden == 1 or before.hidden not in (0, stage.hidden):
            allowed = f"{before.hidden}, as before" if before.hidden else "0, or 2 and more"
            raise SettingError(f"{where}.hidden", stage.hidden, allowed, "hidden units start from a linear claim")


def claim_at_start(given: Training) -> LearnedClaim | None:
    """Where the search begins.

    Raises:
        SettingError: no claim, one of more than a hidden layer, or a column that there is not.
    """
    for name in given.without:
        if name not in INPUTS:
            raise SettingError(
                "without", name, "names of columns", did_you_mean(name, INPUTS) or "see COLUMNS, CONTEXT"
            )
    if given.start is None:
        return None
    claim = LearnedClaim.load(claim_file(given.start))
    if hidden_of(claim) is None:
        raise SettingError("start", given.start, "a claim of one hidden layer, or of none", "name another one")
    return claim


class Searcher:
    """A search under way; its budget is counted in generations."""

    def __init__(self, given: Training, pool: Executor):
        first = claim_at_start(given)
        hidden = hidden_of(first) if first else 0
        refuse_misfits(given.stages, hidden)
        self.given, self.pool, self.done = given, pool, 0
        self.stages = given.shortened
        self.total = sum(stage.generations for stage in self.stages)
        self.cases = cases_of(given.envs, given.workloads, "train", given.references)
        episodes = drawn(self.cases, stream(given.seed, "bases").integers(SEEDS, size=BASE_EPISODES).tolist())
        self.bases = dict(zip(map(str, self.cases), best_of(given.baselines, episodes, pool), strict=True))
        self._enter(0, shape_of(hidden, given.without).vector(first) if first else None)

    def update(self) -> dict[str, float]:
        """A generation."""
        if self.done == self._ends:
            self._enter(self._stage + 1, self.minimizer.mean)
        rng = stream(self.given.seed, f"generation {self.done}")
        cases = self._some_cases(rng)
        vectors = self.minimizer.drawn()
        scores, jain = self._scored(vectors, cases, rng.integers(SEEDS, size=self.given.episodes).tolist())
        self.minimizer.learn(vectors, scores)
        self.elite = vectors[int(scores.argmin())]
        self.done += 1
        return {"train": float(np.exp(np.median(scores))), "elite": float(np.exp(scores.min())), "jain": jain}

    def claim(self) -> LearnedClaim:
        """At the mean."""
        return self.shape.claim(self.minimizer.mean, self.given.name)

    def best_drawn(self) -> LearnedClaim:
        """The best of the last generation."""
        return self.shape.claim(self.elite, self.given.name)

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("done", "minimizer", "elite", "_stage", "_ends")}

    def restore(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.shape = shape_of(self.stages[self._stage].hidden, self.given.without)

    def _enter(self, number: int, mean: np.ndarray | None) -> None:
        """Begin a stage at the mean of the one before."""
        stage = self.stages[number]
        self._stage, self._ends = number, self.done + stage.generations
        self.shape = shape_of(stage.hidden, self.given.without)
        self.elite = self.shape.start(mean, self.given.seed)
        self.minimizer = stage.minimizer(self.elite, self.given.seed + number)

    def _some_cases(self, rng: np.random.Generator) -> list[Case]:
        """All, or so many of each id."""
        most = self.given.cases_in(self.stages[self._stage])
        if not most:
            return self.cases
        shuffled = [self.cases[k] for k in rng.permutation(len(self.cases))]
        return [case for env in self.given.envs for case in [c for c in shuffled if c.env == env][:most]]

    def _scored(self, vectors: np.ndarray, cases: list[Case], seeds: list[int]) -> tuple[np.ndarray, float]:
        """A score for each vector (population,), and the mean of Jain's index."""
        episodes = drawn(cases, seeds)
        base_ns = played_by([self.bases[str(case)] for case in cases], episodes, self.pool)
        claims = [self.shape.claim(vector, self.given.name) for vector in vectors]
        outcome = played(claims, episodes, self.pool)
        measure = Measure(cases, self.given.jain_floor, self.given.jain_price)
        return measure.of(outcome, base_ns), float(outcome.jain.mean())


def train(given: Training, folder: RunFolder) -> training.Best:
    with ThreadPoolExecutor(given.threads) as pool:
        searcher, judge = Searcher(given, pool), OnVal(given, pool)
        best = training.train(searcher, judge, given, folder)
        last = searcher.best_drawn()
        if best.offer(last, judge(last), searcher.done):
            folder.keep(last)
        finish(given, best.claim, folder, pool)
    return best


if __name__ == "__main__":
    training.main(Training, train, __doc__)
