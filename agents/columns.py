"""Which columns a claim uses, and which say nothing: python agents/columns.py learned --env sos/CPU-v0

Seen: the share of decisions in which a column of the rows is not the same in all legal rows, or, of the context, the
share in which it is not what it mostly is; 0 is a dead column there. At its limit: the share of values that are the
least or the greatest that the column had, of those that vary; near 1 it is a flag, or saturated. Without it: the stall
of the claim when the column is held at its mean, relative to that of the claim as it is, geometric mean over the cases
of val; above 1 the claim is better off with the column. A claim is a run's, or ships.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import one_line
from cases import FAMILIES, RECORDINGS, Case, Episode, cases_of, drawn, log_ratios, played
from claim_costs import named
from results import put_section
from rich.console import Console
from rich.progress import track

from sos_gym import COLUMNS, CONTEXT, LearnedClaim
from sos_gym.experience import experience
from sos_gym.learned import INPUTS, PAIR
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS

CLOSE = 1e-6


@dataclass(frozen=True)
class Seen:
    """What an id shows: of legal rows, and of the context."""

    candidates: np.ndarray  # float (n, K, F), NaN where a row is masked out
    context: np.ndarray  # float (n, G)

    def share_that_varies(self, name: str) -> float:
        """Of decisions."""
        if name in CONTEXT:
            values = self.context[:, CONTEXT.index(name)]
            usual = np.median(values)
            return float((np.abs(values - usual) > CLOSE).mean())
        column = self.candidates[:, :, COLUMNS.index(name)]
        return float((np.nanmax(column, axis=1) - np.nanmin(column, axis=1) > CLOSE).mean())

    def share_at_limits(self, name: str) -> float:
        """Of values; NaN where there is but one."""
        values = self.values(name)
        low, high = values.min(), values.max()
        at = (values - low < CLOSE) | (high - values < CLOSE)
        return float(at.mean()) if high - low > CLOSE else float("nan")

    def values(self, name: str) -> np.ndarray:
        """All that a column had, of legal rows."""
        if name in CONTEXT:
            return self.context[:, CONTEXT.index(name)]
        column = self.candidates[:, :, COLUMNS.index(name)].ravel()
        return column[~np.isnan(column)]


def seen_in(episodes: Sequence[Episode], claim: LearnedClaim) -> Seen:
    """What the claim sees as it plays."""
    found = [experience(one.simulation(), claim, temperature=0) for one in episodes]
    candidates = np.concatenate([one.candidates for one in found])
    masked = np.concatenate([one.mask for one in found]) == 0
    some = ~masked.all(axis=1)
    candidates[masked] = np.nan
    return Seen(candidates[some], np.concatenate([one.context for one in found])[some])


def without(claim: LearnedClaim, name: str, mean: float) -> LearnedClaim:
    """The claim in which a column is held at its mean, which goes into the biases."""
    layers = [(weights.copy(), biases.copy()) for weights, biases in claim.layers]
    costs = claim.pair_costs.copy()
    if name in PAIR:
        costs[PAIR.index(name)] = 0.0  # the same in all rows decides nothing
    else:
        weights, biases = layers[0]
        biases += np.float32(mean) * weights[INPUTS.index(name)]
        weights[INPUTS.index(name)] = 0.0
    return LearnedClaim(layers, costs, claim.__name__)


def uses(claim: LearnedClaim, name: str) -> bool:
    """Whether a weight of it is not 0."""
    if name in PAIR:
        return bool(claim.pair_costs[PAIR.index(name)])
    return bool(claim.layers[0][0][INPUTS.index(name)].any())


def lines(claim: LearnedClaim, cases: Sequence[Case], episodes: int, pool: ThreadPoolExecutor) -> list[tuple]:
    """A line for each column, those that matter most first."""
    found = drawn(cases, range(episodes))
    seen = seen_in([own[0] for own in found], claim)
    names = [name for name in (*COLUMNS, *CONTEXT) if name != "valid"]
    base = played([claim], found, pool).stall_ns
    told = []
    for name in track(names, "columns", auto_refresh=False):
        ratio = 1.0
        if uses(claim, name) and seen.share_that_varies(name):
            held = without(claim, name, float(seen.values(name).mean()))
            ratio = float(np.exp(log_ratios(played([held], found, pool).stall_ns, base[0]).mean()))
        told.append((name, seen.share_that_varies(name), seen.share_at_limits(name), ratio))
    return sorted(told, key=lambda line: -line[3])


def markdown_of(told: Sequence[tuple]) -> str:
    rows = [
        (
            f"`{name}`",
            f"{varies:.2f}",
            "–" if np.isnan(limits) else f"{limits:.2f}",
            f"{ratio:.3f}" if varies else "dead",
        )
        for name, varies, limits, ratio in told
    ]
    return table(("column", "varies", "at its limits", "stall without it"), rows, "lrrr")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claim")
    parser.add_argument("--env", default=next(iter(PRESETS)), choices=tuple(PRESETS))
    parser.add_argument("--episodes", type=int, default=4)
    parser.add_argument("--page", type=Path, help="a page of Markdown to put the table into")
    given = parser.parse_args()
    claims: Mapping[str, LearnedClaim] = named([given.claim], given.env)
    cases = cases_of([given.env], [FAMILIES, RECORDINGS], "val")
    with ThreadPoolExecutor() as pool:
        text = markdown_of(lines(next(iter(claims.values())), cases, given.episodes, pool))
    if given.page:
        made = f"{given.episodes} tapes a case of val; `python {shlex.join(sys.argv)}`."
        put_section(given.page, f"Columns, {given.env}", f"{made}\n\n{text}")
    Console().print(text, highlight=False)


if __name__ == "__main__":
    one_line.run(main)
