"""Learned policies that ship with the package, found by name like any other.

A name stands for one claim, or for one per id: `learned` has a generalist for each. What trained a claim, on what and
at what cost, and the command that trains it again, stand in its card.json, which `agents/ship.py` writes.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sos_gym.learned import LearnedClaim
from sos_gym.settings.presets import PRESETS, short_id

FOLDER = Path(__file__).parent
ONE_FOR_ALL = (  # word, trained on, run
    ("pages", "Memory and Tier", "generalist-pages"),
    ("threads", "CPU", "generalist-cpu"),  # the only id with cores alone
    ("all", "all ids", "generalist-all"),
)


@dataclass(frozen=True)
class Shipped:
    """A learned policy by name; which claim plays hangs on the id."""

    name: str
    summary: str
    runs: Mapping[str, str]  # id -> folder of its claim
    folder: Path = FOLDER  # of all

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def about(self) -> str:
        """A sentence or two: what it is, and which claims it has."""
        return f"{self.summary} Its claims: {', '.join(dict.fromkeys(self.runs.values()))}."

    def on(self, env_id: str) -> LearnedClaim:
        """The claim that plays on an id."""
        return _claim(self.folder / self.runs[env_id], self.name)

    def card(self, env_id: str) -> dict[str, Any]:
        """How that claim was trained: configuration, command, versions, machine, seed, and where it stood on val."""
        return card_of(self.runs[env_id], self.folder)


def card_of(run: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The card of a claim, by the name of its folder."""
    return json.loads((folder / run / "card.json").read_text(encoding="utf-8"))


@functools.cache
def _claim(run: Path, name: str) -> LearnedClaim:
    claim = LearnedClaim.load(run / "claim.npz")
    claim.__name__ = name
    return claim


def shipped_in(folder: Path) -> dict[str, Shipped]:
    """Those of which all claims are in the folder, in the order in which they are listed here."""
    named = {
        "learned": (
            "A generalist for each id.",
            {id_: f"generalist-{short_id(id_).lower()}" for id_ in PRESETS},
        ),
        **{
            f"learned_{word}": (f"One claim for {what}; it plays on every id.", dict.fromkeys(PRESETS, run))
            for word, what, run in ONE_FOR_ALL
        },
    }
    there = {path.parent.name for path in folder.glob("*/claim.npz")}
    return {name: Shipped(name, *rest, folder) for name, rest in named.items() if {*rest[1].values()} <= there}


SHIPPED = shipped_in(FOLDER)
