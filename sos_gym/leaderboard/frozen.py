"""Boards that stay: groups with their settings, tapes by hash, and the stall of some references on them.

    python -m sos_gym.leaderboard.frozen 2027.1

freezes the default board of today. One that is there is never written again: what changes is another version. Rows of
the same board can be held side by side, whenever and wherever they were made.
"""

import functools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sos_gym.evaluation import evaluate
from sos_gym.leaderboard.grid import Group, groups
from sos_gym.leaderboard.rows import Row
from sos_gym.leaderboard.standing import STALL
from sos_gym.outputs import write_whole
from sos_gym.settings.ranges import SettingError, did_you_mean

FOLDER = Path(__file__).with_name("boards")
CURRENT = "2026.1"
SEEDS = 20  # of each group, from 0 on
REFERENCES = ("lottery", "linux", "clairvoyant")


@dataclass(frozen=True)
class FrozenGroup:
    """What policies are compared on."""

    group: Group
    tapes: Sequence[str]  # hashes, one per seed
    references: Mapping[str, Sequence[float]]  # policy -> weighted stall, ns, one per seed


@dataclass(frozen=True)
class FrozenBoard:
    """All groups of a version."""

    version: str
    groups: Sequence[FrozenGroup]

    def of(self, row: Row) -> FrozenGroup | None:
        """The group of a row, if the row is of this board: its tape too."""
        for one in self.groups:
            if (row["env"], row["workload"], row["split"]) == (one.group.env, one.group.workload, one.group.split):
                return one if row["seed"] < SEEDS and one.tapes[row["seed"]] == row["tape"] else None
        return None


@functools.cache
def frozen_board(version: str = CURRENT) -> FrozenBoard:
    """A version.

    Raises:
        SettingError: there is none of that name; with did-you-mean.
    """
    known = versions_there()
    if version not in known:
        remedy = did_you_mean(version, known) or "use one of these"
        raise SettingError("board", version, f"one of {', '.join(known)}", remedy)
    found = json.loads((FOLDER / f"{version}.json").read_text(encoding="utf-8"))
    return FrozenBoard(version, [FrozenGroup(Group(**one.pop("group")), **one) for one in found])


def versions_there() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def board_of(rows: Sequence[Row]) -> str | None:
    """The version that rows are of, all of them: the newest."""
    for version in reversed(versions_there()):
        if rows and all(frozen_board(version).of(row) for row in rows):
            return version
    return None


# -- freezing


def frozen_now(group: Group, seeds: Sequence[int] = range(SEEDS)) -> FrozenGroup:
    """A group as it is today."""
    runs = {name: [_run(group, name, seed) for seed in seeds] for name in REFERENCES}
    tapes = [run["tape"] for run in runs[REFERENCES[0]]]
    return FrozenGroup(group, tapes, {name: [run[STALL] for run in of] for name, of in runs.items()})


def _run(group: Group, policy: str, seed: int) -> dict[str, Any]:
    return evaluate(group.env, policy, group.workload, seed, split=group.split, **group.settings)[0]


def freeze(version: str) -> Path:
    """Write the default board of today under a name that is new.

    Raises:
        SettingError: there is a board of that name.
        OSError: it cannot be written.
    """
    if version in versions_there():
        raise SettingError("board", version, "a version that is new", "a board that is frozen stays as it is")
    found = []
    for group in groups(None, None, "test"):
        found.append(asdict(frozen_now(group)))
        print(f"{group.env} {group.workload}", flush=True)
    FOLDER.mkdir(exist_ok=True)
    return write_whole(FOLDER / f"{version}.json", (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    print(f"written: {freeze(*sys.argv[1:])}")
