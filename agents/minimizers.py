"""Searches of the least of a function that is known by its values alone: cross-entropy, and CMA-ES.

Each draws a generation of vectors, is told their scores, and moves its mean; less is better, and ranks alone count. All
that decides over what comes is in the object, so that it can be pickled between two generations.
"""

from typing import Any, Protocol

import numpy as np
from cmaes import CMA, SepCMA

from sos_gym.streams import stream


class Minimizer(Protocol):
    """A search under way, of vectors of n numbers."""

    @property
    def mean(self) -> np.ndarray:  # float (n,)
        """Where the best are thought to be."""

    def drawn(self) -> np.ndarray:  # float (population, n)
        """A generation."""

    def learn(self, vectors: np.ndarray, scores: np.ndarray) -> None:
        """Take the scores (population,) of what was drawn."""


class CrossEntropy:
    """Mean and spread move to those of the elite (Rubinstein 1999).

    Noise keeps the spread from collapsing (Szita and Lorincz 2006); it falls to 0 over the generations. The mean itself
    is drawn, too.

    Args:
        spread: standard deviation at first, of every number.
        noise: added to it in the first generation.
    """

    def __init__(
        self, mean: np.ndarray, spread: float, population: int, elite: int, noise: float, generations: int, seed: int
    ):
        self.mean, self.spread = mean, np.full(len(mean), spread)
        self._population, self._elite, self._noise, self._generations = population, elite, noise, generations
        self._rng, self._done = stream(seed, "cross-entropy"), 0

    def drawn(self) -> np.ndarray:
        vectors = self.mean + self.spread * self._rng.normal(size=(self._population, len(self.mean)))
        vectors[0] = self.mean
        return vectors

    def learn(self, vectors: np.ndarray, scores: np.ndarray) -> None:
        self._done += 1
        elite = vectors[np.argsort(scores, kind="stable")[: self._elite]]
        noise = self._noise * max(0.0, 1 - self._done / self._generations)
        self.mean, self.spread = elite.mean(axis=0), np.sqrt(elite.var(axis=0) + noise**2)


class Cma:
    """CMA-ES (Hansen 2016), as the package `cmaes` has it; it adapts steps and correlations by itself.

    Args:
        separable: no correlations (Ros and Hansen 2008), for hundreds of numbers: learning so many correlations takes
            more evaluations than a search has.
    """

    def __init__(self, mean: np.ndarray, spread: float, population: int, separable: bool, seed: int):
        kind = SepCMA if separable else CMA
        seed = int(stream(seed, "cma").integers(1 << 31))
        self._search = kind(mean=mean, sigma=spread, seed=seed, population_size=population)

    @property
    def mean(self) -> np.ndarray:
        return self._search.mean

    def drawn(self) -> np.ndarray:
        return np.array([self._search.ask() for _ in range(self._search.population_size)])

    def learn(self, vectors: np.ndarray, scores: np.ndarray) -> None:
        self._search.tell(list(zip(vectors, map(float, scores), strict=True)))

    def __getstate__(self) -> tuple[type, dict[str, Any]]:
        """All there is: what the package pickles of a search begins with another generator, and rounds its matrix."""
        return type(self._search), vars(self._search).copy()

    def __setstate__(self, state: tuple[type, dict[str, Any]]) -> None:
        kind, own = state
        self._search = kind.__new__(kind)
        vars(self._search).update(own)
