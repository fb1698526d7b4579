"""How many rows a claim wants to choose among: python agents/rows.py learned

Per id, on the families of val: stall by the setting `rows`, relative to the id's own number, with which claims are
trained. A claim scores one row at a time, so that it can play with any number; with more there is more to choose among,
and more to be wrong about. A claim is a run's, or ships.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import one_line
from cases import FAMILIES, Case, cases_of, drawn, log_ratios, played
from claim_costs import named
from results import put_section
from rich.console import Console
from rich.progress import track

from sos_gym import LearnedClaim
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS

ROWS = (4, 8, 16, 32, 64)


def stall_by_rows(
    claim: LearnedClaim, cases: Sequence[Case], rows: Sequence[int], episodes: int, pool: Executor
) -> list[float]:
    """Geometric means over cases of the stall with so many rows, relative to that with the id's own number."""

    def stall_ns(settings: dict) -> np.ndarray:  # float (1, C, E)
        own = [replace(case, settings={**case.settings, **settings}) for case in cases]
        return played([claim], drawn(own, range(episodes)), pool).stall_ns

    base = stall_ns({})[0]
    return [float(np.exp(log_ratios(stall_ns({"rows": many}), base).mean())) for many in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claim")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--page", type=Path, help="a page of Markdown to put the table into")
    given = parser.parse_args()
    told = []
    with ThreadPoolExecutor() as pool:
        for env in track(PRESETS, "ids", console=Console(stderr=True), auto_refresh=False):
            [claim] = named([given.claim], env).values()
            ratios = stall_by_rows(claim, cases_of([env], [FAMILIES], "val"), ROWS, given.episodes, pool)
            told.append((env, *(f"{ratio:.3f}" for ratio in ratios)))
    text = table(("id", *(f"{many} rows" for many in ROWS)), told, "l" + "r" * len(ROWS))
    if given.page:
        made = f"{given.episodes} tapes a family of val; `python {shlex.join(sys.argv)}`."
        put_section(given.page, "Rows", f"{made}\n\n{text}")
    Console().print(text, highlight=False)


if __name__ == "__main__":
    one_line.run(main)
