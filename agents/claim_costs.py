"""What a decision of a claim takes, and how large it is: python agents/claim_costs.py learned runs/search-memory-0

Claims are those of runs, or ship. CPU time of this thread for the logits of all rows and the greatest of them, on what
was seen in an episode of the id, each decision again and again; median of alternating rounds. To list the rows
and describe them is the environment's part, and not in it. These numbers are of this machine: quote the ratios.
"""

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import one_line
from results import claim_of, put_section
from rich.console import Console

from sos_gym import LearnedClaim
from sos_gym.experience import experience
from sos_gym.kernel import kernel
from sos_gym.leaderboard.machine import machine
from sos_gym.learned import choose
from sos_gym.markdown import table
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import PRESETS
from sos_gym.shipped import SHIPPED

ROUNDS = 9
DECISIONS = 2_000  # of an episode
REPEATS = 20


@kernel
def _decided(candidates, context, mask, sizes, weights, pair_costs, repeats):
    """Decide all, again and again; a sum of rows, so that nothing is left out."""
    total = 0
    for _ in range(repeats):
        for n in range(len(mask)):
            total += choose(candidates[n], context[n], mask[n], sizes, weights, pair_costs)
    return total


def seen_on(env: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates, context and mask of the first decisions of an episode."""
    by_chance = LearnedClaim.linear({})
    found = experience(Scenario.of(env, split="train").episode(0), by_chance)
    return found.candidates[:DECISIONS], found.context[:DECISIONS], found.mask[:DECISIONS]


def decision_ns(claims: Mapping[str, LearnedClaim], env: str) -> dict[str, float]:
    """Of each claim, CPU time per decision."""
    seen = seen_on(env)
    taken: dict[str, list[float]] = {name: [] for name in claims}
    for round_ in range(ROUNDS + 1):  # the first warms up
        for name, claim in claims.items():
            start = time.thread_time()
            _decided(*seen, claim.sizes, claim.weights, claim.pair_costs, REPEATS)
            if round_:
                taken[name].append((time.thread_time() - start) * 1e9 / (REPEATS * len(seen[0])))
    return {name: statistics.median(found) for name, found in taken.items()}


def named(words: list[str], env: str) -> dict[str, LearnedClaim]:
    """The claims of runs, and of what ships."""
    return {Path(word).name: SHIPPED[word].on(env) if word in SHIPPED else claim_of(Path(word)) for word in words}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claims", nargs="+")
    parser.add_argument("--env", default=next(iter(PRESETS)), choices=tuple(PRESETS))
    parser.add_argument("--page", type=Path, help="a page of Markdown to put the table into")
    given = parser.parse_args()
    claims = named(given.claims, given.env)
    taken = decision_ns(claims, given.env)
    rows = [
        (
            f"`{name}`",
            " → ".join(map(str, one.sizes.tolist())),
            len(one.weights) + len(one.pair_costs),
            f"{taken[name]:.0f}",
        )
        for name, one in claims.items()
    ]
    text = table(("claim", "network", "parameters", "ns per decision"), rows, "llrr")
    if given.page:
        made = f"On {given.env}, {machine()['processor']}; `python {shlex.join(sys.argv)}`."
        put_section(given.page, "What a decision takes", f"{made}\n\n{text}")
    Console().print(text, highlight=False)


if __name__ == "__main__":
    one_line.run(main)
