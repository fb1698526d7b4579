"""How sure a board is of its order: intervals of stall ratios, and ranks that are intervals too.

Tapes are drawn with replacement, within each group and for all policies alike, so that what is compared stays paired
(percentile bootstrap: Efron and Tibshirani 1993, ch. 13). Of two policies one is ahead if the interval of their
difference says so; a rank counts who is surely ahead and who surely behind. Each pair is judged at 95 % by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sos_gym.leaderboard.rows import Row
from sos_gym.leaderboard.standing import Standing, stalls_of

RESAMPLES = 2_000
ENDS = (2.5, 97.5)  # percentiles
LEAST_NS = 1.0  # a group without stall has a logarithm
TRACKS = ("online", "ensemble", "privileged")


@dataclass(frozen=True)
class Certainty:
    """Of a policy's headline."""

    low: float  # of its stall ratio
    high: float
    first: int  # place that it may have in its track
    last: int


def track_of(standing: Standing) -> str:
    """Among whom a policy is ranked."""
    if standing.privileged:
        return "privileged"
    return "ensemble" if standing.kind == "ensemble" else "online"


def certainties(rows: Sequence[Row], found: Sequence[Standing]) -> dict[str, Certainty]:
    """By policy, of those that played every group; none where a group has a single tape.

    `found`: the standings of the rows.
    """
    stalls = stalls_of(rows)
    here = [one for one in found if all(one.policy in of_group for of_group in stalls.values())]
    if not here or min(len(tapes) for of_group in stalls.values() for tapes in of_group.values()) < 2:
        return {}
    kinds = {one.policy: one.kind for one in found}
    logs, base = np.zeros((RESAMPLES, len(here))), np.zeros((RESAMPLES, 1))
    for number, of_group in enumerate(stalls.values()):
        ours = np.array([of_group[one.policy] for one in here])
        online = [tapes for policy, tapes in of_group.items() if kinds[policy] == "heuristic"]
        best = np.array([min(online, key=sum)]) if online else ours[:1] * np.nan
        counts = _drawn(number, ours.shape[1])
        logs += np.log(np.maximum(counts @ ours.T, LEAST_NS))
        base += np.log(np.maximum(counts @ best.T, LEAST_NS))
    lows, highs = np.exp(np.percentile((logs - base) / len(stalls), ENDS, axis=0))
    places = _places(logs, [track_of(one) for one in here])
    return {
        one.policy: Certainty(float(low), float(high), *place)
        for one, low, high, place in zip(here, lows, highs, places, strict=True)
    }


def _drawn(group: int, tapes: int) -> np.ndarray:  # int (RESAMPLES, tapes)
    """How often each tape is drawn; the same for all boards of as many tapes."""
    return np.random.default_rng([group, tapes]).multinomial(tapes, np.full(tapes, 1 / tapes), size=RESAMPLES)


def _places(logs: np.ndarray, tracks: Sequence[str]) -> list[tuple[int, int]]:
    """(first, last) of each column among those of its track, by who has surely less and who surely more."""
    found = []
    for column, own in enumerate(tracks):
        among = [place for place, other in enumerate(tracks) if other == own]
        low, high = np.percentile(logs[:, among] - logs[:, [column]], ENDS, axis=0)
        found.append((1 + int((high < 0).sum()), len(among) - int((low > 0).sum())))
    return found
