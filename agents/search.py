"""Cross-entropy search over a linear claim of the row's columns, scored by whole episodes.

    python agents/search.py configs/search-memory.yaml

Each generation draws `population` claims around the mean, plays all of them on the same episodes of the train split
(new ones each time), and moves mean and spread to the best `elite`. (Rubinstein 1999; Szita and Lorincz 2006 add the
noise that keeps the spread from collapsing.) Writes runs/NAME/: claim.npz, curve.png, val.txt.
"""

from dataclasses import dataclass, field

import configuration
import numpy as np
import report
from rich.progress import track

from sos_gym import COLUMNS, LearnedClaim

FREE = tuple(name for name in COLUMNS if name != "valid")  # 1 in every row


@dataclass(frozen=True)
class Search:
    """What a file in configs/ may say."""

    env: str = "sos/Memory-v0"
    name: str = "search-memory"
    seed: int = 0
    generations: int = 60
    population: int = 40
    elite: int = 8
    episodes: int = 4  # per claim and generation
    spread: float = 1.0  # standard deviation of weights at first
    noise: float = 0.3  # added to it, falling to 0 over the generations
    baselines: list = field(default_factory=lambda: ["lru", "turns", "gap", "linux", "clairvoyant"])
    val_episodes: int = 40
    workers: int = 2


def improve(mean, spread, scores, drawn, elite: int, noise: float):
    """Mean and spread of the `elite` with the least scores; `noise` is added to the variance."""
    best = drawn[np.argsort(scores, kind="stable")[:elite]]
    return best.mean(axis=0), np.sqrt(best.var(axis=0) + noise**2)


def search(given: Search) -> tuple[LearnedClaim, list[float]]:
    """The claim at the mean of the last generation, and the stall of the elite relative to the first baseline's."""
    rng = np.random.default_rng(given.seed)
    mean, spread = np.zeros(len(FREE)), np.full(len(FREE), given.spread)
    curve = []
    for generation in track(range(given.generations), given.name):
        episodes = "train", int(rng.integers(1 << 31)), given.episodes, given.workers
        drawn = mean + spread * rng.normal(size=(given.population, len(FREE)))
        drawn[0] = mean
        base = report.stalls(given.env, given.baselines[0], *episodes)
        scores = np.array([(report.stalls(given.env, claim_of(one), *episodes) / base).mean() for one in drawn])
        noise = given.noise * (1 - (generation + 1) / given.generations)
        mean, spread = improve(mean, spread, scores, drawn, given.elite, noise)
        curve.append(float(np.sort(scores)[: given.elite].mean()))
    return claim_of(mean, given.name), curve


def claim_of(weights: np.ndarray, name: str = "search") -> LearnedClaim:
    return LearnedClaim.linear(dict(zip(FREE, weights.tolist(), strict=True)), name)


if __name__ == "__main__":
    given, out = configuration.asked(Search, __doc__)
    report.finish(given, *search(given), out)
