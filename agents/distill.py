"""Many teachers, one claim: what the best teacher of a workload would choose, on the states that the learner comes to.

    sos-gym train --config generalist-memory

A claim that is trained on one workload alone is ahead of what one for all of them comes to by search: it need not find
out where it is. Here each case of the train split has a teacher, the one of those named with the least stall there on
train tapes: claims of runs (specialists), or registered policies that do not know the future. In each round the claim
as it is plays some tapes of every case, in the first one the claim `first`; what the teacher would have chosen is
written down, and the network learns from all rounds so far (DAgger: Ross et al., AISTATS 2011; policy distillation:
Rusu et al., ICLR 2016). Writes runs/NAME-SEED/: see run_folder.py.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch
import training
from cases import Case, Policy, best_of, cases_of, drawn
from claim_network import ClaimNetwork
from configuration import Configuration, Count, Natural, Share, claim_file
from dagger import Lessons, epoch
from on_val import CONTENDERS, OnVal, finish
from pydantic import Field
from run_folder import RunFolder

from sos_gym import LearnedClaim, SettingError
from sos_gym.experience import Experience, experience
from sos_gym.kernel import kernel
from sos_gym.learned import choose
from sos_gym.policy import policy_of
from sos_gym.shipped import SHIPPED, Shipped
from sos_gym.streams import stream

SEEDS = 1 << 31  # tapes come from so many
OF_A_RECORDING = 2  # episodes, on which its teacher is chosen: its tape is always the same
STEEPEST = 0.5  # norm of a gradient

Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Training(Configuration):
    """What a file in configs/ may say."""

    envs: Annotated[list[str], Field(min_length=1)]
    workloads: Annotated[list[str], Field(min_length=1)] = field(default_factory=lambda: ["default"])  # see cases.py
    first: str  # the file of the claim that plays the first round
    start: str | None = None  # the file of a claim of the same layers at which the network begins; None: at a draw
    teachers: Annotated[list[str], Field(min_length=1)]  # names of policies, learned ones too, and files of claims
    rounds: Count = 12  # the budget
    check: Count = 1  # rounds
    choosing_episodes: Count = 16  # of train, on which a family's teacher is chosen
    episodes: Count = 3  # per case and round
    references: Natural = 0  # that a longer tape is cut to; 0: it is played whole
    lessons: Count = 120_000  # of a round, at most: drawn from its decisions
    epochs: Count = 3  # over all rounds so far, in each
    batch_size: Count = 1024
    learning_rate: Positive = 2e-3  # of the first round; falls with the rounds that are left
    width: Count = 48  # of the hidden layers
    depth: Count = 2  # hidden layers
    jain_floor: Share = 0.0  # as of a search: what val is judged by
    jain_price: Annotated[float, Field(ge=0)] = 10.0
    # online ones, the best of which on a case is its base
    baselines: Annotated[list[str], Field(min_length=1)] = field(default_factory=lambda: [*CONTENDERS])
    look_episodes: Count = 8  # per case, of a look at the val split
    val_episodes: Count = 8  # per case, of the comparison at the end, other ones


Teacher = Policy | Shipped


def teacher_of(named: str) -> Teacher:
    """A claim from its file, or what is called so: a policy, or a learned one, which has a claim for each id.

    Raises:
        SettingError: a policy that knows the future, or a claim that was told of it.
    """
    if named in SHIPPED:
        return SHIPPED[named]
    found = LearnedClaim.load(claim_file(named)) if named.endswith(".npz") else named
    if (found if isinstance(found, LearnedClaim) else policy_of(found)).privileged:
        raise SettingError("teachers", named, "ones that do not know the future", "leave it out")
    return found


class Pupil:
    """The learner under way; its budget is counted in rounds.

    Its state has the claims that were played, not what they saw: they are played again.
    """

    def __init__(self, given: Training, pool: Executor):
        self.given, self.pool, self.total = given, pool, given.rounds
        self.cases = cases_of(given.envs, given.workloads, "train", given.references)
        self.teachers: list[Policy] = [*self._best_teachers()]
        torch.manual_seed(given.seed)
        self.network = ClaimNetwork(given.width, given.depth)
        if given.start is not None:
            self.network.begin_at(LearnedClaim.load(claim_file(given.start)))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=given.learning_rate)
        self.first = LearnedClaim.load(claim_file(given.first))
        self.played: list[LearnedClaim] = []
        self.lessons: list[Lessons] = []
        self.decisions = 0  # of the claims that played

    @property
    def done(self) -> int:
        return len(self.played)

    def _best_teachers(self) -> Iterator[Policy]:
        """Of each case, on whole tapes: on a stretch of a program that misses seldom all are alike."""
        given = self.given
        named = [teacher_of(name) for name in given.teachers]
        seeds = stream(given.seed, "choice of teachers").integers(SEEDS, size=given.choosing_episodes).tolist()
        for case in cases_of(given.envs, given.workloads, "train"):
            here = [one.on(case.env) if isinstance(one, Shipped) else one for one in named]
            own = seeds[:OF_A_RECORDING] if case.recorded else seeds
            yield best_of(here, drawn([case], own), self.pool)[0] if len(here) > 1 else here[0]

    def update(self) -> dict[str, float]:
        """A round."""
        rng = stream(self.given.seed, f"order of round {self.done}")
        claim = self.claim() if self.played else self.first
        self.lessons.append(self._taught(claim, self.done))
        self.played.append(claim)
        lessons = Lessons.joined(self.lessons)
        given = self.given
        for group in self.optimizer.param_groups:
            group["lr"] = given.learning_rate * (1 - (self.done - 1) / self.total)
        for _ in range(given.epochs):
            loss, agreed = epoch(self.network, self.optimizer, lessons, given.batch_size, rng, STEEPEST)
        return {"loss": loss, "agreed": agreed, "lessons": len(lessons), "decisions": self.decisions}

    def claim(self) -> LearnedClaim:
        return self.network.claim(self.given.name)

    def state(self) -> dict[str, Any]:
        return {
            "played": self.played,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.played = state["played"]
        self.lessons = [self._taught(claim, number) for number, claim in enumerate(self.played)]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _taught(self, claim: LearnedClaim, number: int) -> Lessons:
        """What the teachers say on the tapes of a round."""
        rng = stream(self.given.seed, f"tapes of round {number}")
        per_episode = self.given.lessons / self.given.episodes
        jobs = [
            (case, teacher, claim, int(rng.integers(SEEDS)), round(share * per_episode))
            for case, teacher, share in zip(self.cases, self.teachers, shares_of(self.cases), strict=True)
            for _ in range(self.given.episodes)
        ]
        lessons, decisions = zip(*self.pool.map(lambda job: lessons_of(*job), jobs), strict=True)
        self.decisions += sum(decisions)
        return Lessons.joined(lessons)


def shares_of(cases: Sequence[Case]) -> list[float]:
    """Of each case among the lessons: ids have as many as each other, an id's families as many as its recordings.

    Three families and one recording of one id: 1/6 each, and 1/2.
    """
    kinds = [(case.env, case.recorded) for case in cases]
    ids = [env for env, _ in {*kinds}]
    return [1 / (len({*ids}) * ids.count(kind[0]) * kinds.count(kind)) for kind in kinds]


def lessons_of(case: Case, teacher: Policy, claim: LearnedClaim, seed: int, most: int) -> tuple[Lessons, int]:
    """Decisions that have a choice, of an episode that the claim plays, and the teacher's rows; how many it decided.

    A policy is asked as an advisor; a claim says what it would take of the rows.
    """
    one = case.episode(seed)
    advisors = () if isinstance(teacher, LearnedClaim) else (teacher,)
    seen = experience(one.simulation(advisors), claim, temperature=0)
    rows = choices_of(teacher, seen)
    open_ = np.flatnonzero(seen.mask.sum(axis=1) > 1)
    chosen = np.sort(stream(seed, "lessons").permutation(open_)[:most])
    parts = seen.candidates, seen.context, seen.mask, rows
    return Lessons(*(torch.from_numpy(np.ascontiguousarray(part[chosen])) for part in parts)), len(seen)


def choices_of(teacher: Policy, seen: Experience) -> np.ndarray:  # int64 (n,), rows
    if not isinstance(teacher, LearnedClaim):
        return seen.advised[:, 0].astype(np.int64)
    rows = np.empty(len(seen), np.int64)
    _choose_all(seen.candidates, seen.context, seen.mask, teacher.sizes, teacher.weights, teacher.pair_costs, rows)
    return rows


@kernel
def _choose_all(candidates, context, mask, sizes, weights, pair_costs, rows):
    for n in range(rows.size):
        rows[n] = choose(candidates[n], context[n], mask[n], sizes, weights, pair_costs)


def train(given: Training, folder: RunFolder) -> training.Best:
    torch.set_num_threads(given.threads)
    with ThreadPoolExecutor(given.threads) as pool:
        pupil, judge = Pupil(given, pool), OnVal(given, pool)
        for case, teacher in zip(pupil.cases, pupil.teachers, strict=True):
            print(f"{case}: {teacher.__name__ if isinstance(teacher, LearnedClaim) else teacher}")
        best = training.train(pupil, judge, given, folder)
        finish(given, best.claim, folder, pool)
    return best


if __name__ == "__main__":
    training.main(Training, train, __doc__)
