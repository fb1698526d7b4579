"""Standings: how rows become a score per family and a headline per policy.

Stall is `weighted_stall_ns`, what the reward charges; with equal weights it is all stall. Sums and means run over the
paired tapes of a group, never over groups. NaN stands for what the rows cannot say.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sos_gym.leaderboard.rows import Row
from sos_gym.settings.presets import PRESETS, short_id

STALL = "weighted_stall_ns"  # what ranks
PLAIN_STALL = "stall_ns"  # what stands beside it: the two part where weights do
RANDOM = "lottery"
LEAST_SPREAD = 0.05  # below it a tape tells no policies apart

Stalls = dict[str, list[float]]  # policy -> one per tape, in the same order


@dataclasses.dataclass(frozen=True)
class Place:
    """A policy in one group."""

    stall_ms: float  # weighted, mean over seeds
    plain_ms: float  # all threads alike, likewise; NaN: rows do not tell
    ratio: float  # to the best online heuristic of the group
    score: float  # 0 random, 1 best known; NaN: the spread is too small, or random was not run


@dataclasses.dataclass(frozen=True)
class Standing:
    """A policy over all groups."""

    policy: str
    called: str  # what tables say: the alias by which it was asked for
    kind: str
    ratio: float  # geometric mean over groups
    worst: str  # group with the greatest ratio
    worst_ratio: float
    places: dict[str, Place]  # by group
    privileged: bool = False  # it knows the future, is advised by who does, or was paid by it in training
    masked_out: float = 0.0  # share of its decisions in which it chose a row that was masked out


# -- the formulas


def score(random: Sequence[float], policy: Sequence[float], best_known: Sequence[float]) -> float:
    """Σ(random − policy) / Σ(random − best known) over paired tapes with enough spread; may exceed 1 or be negative.

    score([10, 20], [8, 14], [6, 10]) = (2 + 6) / (4 + 10) = 0.571.
    """
    tapes = [tape for tape in zip(random, policy, best_known, strict=True) if spread(tape[0], tape[2]) >= LEAST_SPREAD]
    possible = sum(r - least for r, _, least in tapes)
    return sum(r - p for r, p, _ in tapes) / possible if tapes else math.nan


def spread(random: float, best_known: float) -> float:
    """What of random's stall the best known avoids: spread(10, 6) = 0.4."""
    return (random - best_known) / random if random > 0 else 0.0


def best_known_stalls(stalls: Stalls) -> list[float]:
    """The least stall per tape: best_known_stalls({"a": [3, 9], "b": [5, 4]}) = [3, 4]."""
    return [min(tape) for tape in zip(*stalls.values(), strict=True)]


def best_online(stalls: Stalls) -> float:
    """The least sum of any one policy: best_online({"a": [3, 9], "b": [5, 4]}) = 9; NaN when there is none."""
    return min(map(sum, stalls.values()), default=math.nan)


def stall_ratio(policy: Sequence[float], best: float) -> float:
    """The sum over tapes to the best one: stall_ratio([6, 12], 9) = 2."""
    total = sum(policy)
    if best == 0:
        return 1.0 if total == 0 else math.inf
    return total / best


def geometric_mean(ratios: Sequence[float]) -> float:
    """geometric_mean([2, 8]) = 4."""
    return math.prod(ratios) ** (1 / len(ratios))


# -- from rows


def standings(rows: Sequence[Row]) -> list[Standing]:
    """All policies, the least stall ratio first."""
    kinds = {row["policy"]: row["kind"] for row in rows}
    called: dict[str, str] = {row["policy"]: row.get("called") or row["policy"] for row in rows}
    plain = stalls_of(rows, PLAIN_STALL)
    by_group = {group: _places(stalls, plain[group], kinds) for group, stalls in stalls_of(rows).items()}
    found = [_standing(policy, called[policy], kinds[policy], by_group) for policy in kinds]
    found = [dataclasses.replace(one, **_conduct(rows, one.policy)) for one in found]
    return sorted(found, key=lambda standing: (math.isnan(standing.ratio), standing.ratio, standing.policy))


def _conduct(rows: Sequence[Row], policy: str) -> dict[str, Any]:
    """Whether a policy knew the future, and how often it chose what was masked out."""
    own = [row for row in rows if row["policy"] == policy]
    told = any(row.get("privileged", row["kind"] == "clairvoyant") for row in own)
    decisions, masked_out = (sum(row["metrics"].get(name, 0) for row in own) for name in ("decisions", "masked_out"))
    return {"privileged": told, "masked_out": masked_out / decisions if decisions else 0.0}


def stalls_of(rows: Sequence[Row], metric: str = STALL) -> dict[str, Stalls]:
    """Group -> policy -> stall per tape, or another metric.

    Raises:
        ValueError: policies of a group that did not meet the same tapes.
    """
    found: dict[str, dict[str, dict[tuple, float]]] = {}
    names = group_names(rows)
    for row in rows:
        policy = found.setdefault(group_of_row(row, names), {}).setdefault(row["policy"], {})
        policy[row["seed"], row["tape"]] = float(row["metrics"].get(metric, math.nan))
    for group, policies in found.items():
        if len({frozenset(tapes) for tapes in policies.values()}) > 1:
            raise ValueError(f"the policies of {group} did not meet the same tapes; run them in one leaderboard")
    return {
        group: {policy: [tapes[tape] for tape in sorted(tapes)] for policy, tapes in policies.items()}
        for group, policies in found.items()
    }


def group_names(rows: Iterable[Row]) -> dict[str, str]:
    """Workload -> what tables call it: a tape by its file's name, with folders where that tells it from another.

    The one of an environment at real size is "large".
    """
    large = {preset.large.workload for preset in PRESETS.values()}
    workloads = dict.fromkeys(row["workload"] for row in rows)
    plain = [name for name in workloads if not name.endswith(".npz")]
    tapes = {name: Path(name).with_suffix("").parts for name in workloads if name.endswith(".npz")}
    names = {name: "large" if name in large else name for name in plain}
    for name, parts in tapes.items():
        others = [other for key, other in tapes.items() if key != name] + [(names[word],) for word in plain]
        tails = (parts[-count:] for count in range(1, len(parts) + 1))
        own = next((tail for tail in tails if not any(other[-len(tail) :] == tail for other in others)), None)
        names[name] = "/".join(own).replace("//", "/") if own else name
    return names


def group_of_row(row: Row, names: Mapping[str, str]) -> str:
    """Memory phases."""
    return f"{short_id(row['env'])} {names[row['workload']]}"


def _places(stalls: Stalls, plain: Stalls, kinds: dict[str, str]) -> dict[str, Place]:
    """The policies of one group; agents count neither as the best online nor as the best known."""
    online = {policy: tapes for policy, tapes in stalls.items() if kinds[policy] == "heuristic"}
    known = {policy: tapes for policy, tapes in stalls.items() if kinds[policy] in ("heuristic", "clairvoyant")}
    best, best_known, random = best_online(online), best_known_stalls(known), stalls.get(RANDOM)
    return {
        policy: Place(
            stall_ms=sum(tapes) / len(tapes) / 1e6,
            plain_ms=sum(plain[policy]) / len(tapes) / 1e6,
            ratio=stall_ratio(tapes, best),
            score=score(random, tapes, best_known) if random else math.nan,
        )
        for policy, tapes in stalls.items()
    }


def _standing(policy: str, called: str, kind: str, by_group: dict[str, dict[str, Place]]) -> Standing:
    places = {group: found[policy] for group, found in by_group.items() if policy in found}
    worst = max(places, key=lambda group: places[group].ratio)
    ratio = geometric_mean([place.ratio for place in places.values()])
    return Standing(policy, called, kind, ratio, worst, places[worst].ratio, places)
