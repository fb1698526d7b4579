"""What a trained claim has to be ahead of: networks that nobody trained, and a vote of hand-written policies.

An untrained network that takes its greatest logit is no draw by chance: it has a fixed preference, which may be a good
one. A vote sees the choices of its advisors, so that it is an ensemble; it runs step by step, and slower.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sos_gym import LearnedClaim
from sos_gym.learned import PAIR
from sos_gym.streams import stream

UNTRAINED = 10  # networks
ADVISORS = ("shortest", "whole_sets", "cfs", "inheritance", "lirs")  # of the best single ones of all ids


class Vote:
    """The row that most advisors would choose; of equals the one whose first voice comes first."""

    rows = None  # the environment's
    __name__ = "vote"

    def __init__(self, advisors: Sequence[str] = ADVISORS):
        self.advisors = tuple(advisors)

    def __call__(self, observation: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> int:
        return Counter(info["advice"][name] for name in self.advisors).most_common(1)[0][0]


def untrained(sizes: Sequence[int], seed: int) -> LearnedClaim:
    """A network of these layer sizes, with weights of variance 1 / inputs; the same seed gives the same one."""
    rng = stream(seed, "untrained")
    layers = [(rng.normal(0.0, wide**-0.5, (wide, narrow)), np.zeros(narrow)) for wide, narrow in pairwise(sizes)]
    return LearnedClaim(layers, rng.normal(0.0, 1.0, len(PAIR)), f"untrained_{seed}")


def controls_of(sizes: Sequence[int]) -> dict[str, dict[str, LearnedClaim | Vote]]:
    """All of them, by what they are called together and each alone; `sizes`: of the claim's layers."""
    networks = [untrained(sizes, seed) for seed in range(UNTRAINED)]
    vote = f"vote of {', '.join(ADVISORS)} ‡"
    return {f"{UNTRAINED} untrained networks": {one.__name__: one for one in networks}, vote: {vote: Vote()}}
