"""Submissions: a policy with its card and its rows, in a folder that anybody can check.

    NAME/card.json       who made what, from what, and what its rows are of
    NAME/claim.npz       the policy: a learned claim, policy.py, or model.zip; nothing of one that the package has
    NAME/rows.jsonl      a row for each tape, in the board's order
    NAME/measured.json   what deciding took on the machine of who submits; it is not compared

Whoever doubts a row runs it again: the same tape, the same choices, the same stall, to the last bit. A claim is numbers
without code and is always run. What holds code is run only by who trusts it: see replaying.py.
"""

import dataclasses
import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sos_gym.leaderboard.costs import costs
from sos_gym.leaderboard.frozen import CURRENT, SEEDS, FrozenGroup, frozen_board
from sos_gym.leaderboard.grid import (
    EPISODES,
    Entry,
    Plan,
    Progress,
    ReplayError,
    asked_of,
    entry_of,
    replay,
    run,
)
from sos_gym.leaderboard.machine import machine, versions
from sos_gym.leaderboard.rows import ASKED, CAME_OUT, CONTENT, Row
from sos_gym.loading.found import Found, found
from sos_gym.loading.spec import halves_of, in_file
from sos_gym.outputs import failures_name, write_whole
from sos_gym.settings.ranges import SettingError, number_in
from sos_gym.shipped import SHIPPED

CARD, ROWS, MEASURED = "card.json", "rows.jsonl", "measured.json"
ARTEFACTS = {".npz": "claim.npz", ".py": "policy.py", ".zip": "model.zip"}  # by what they are called in a folder
CODE = (".py", ".zip")  # kinds of files that hold some
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
TEXTS = ("author", "summary", "licence", "trained_on", "tuned")  # of a card


class SubmissionError(ValueError):
    """A submission that is refused as a whole; the text says why, and what to do."""


@dataclasses.dataclass(frozen=True)
class About:
    """What only the author can say."""

    author: str
    summary: str  # what it does, in a sentence
    licence: str  # an identifier of SPDX, as Apache-2.0
    trained_on: str = "nothing"  # families, recordings, splits
    decisions: int = 0  # of training
    tuned: str = "nothing"  # which numbers were chosen, and on what

    def __post_init__(self) -> None:
        for name in TEXTS:
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip():
                raise SettingError(name, text, "a text that is not empty", "say it in a few words")
        remedy = "say how many decisions it was trained on; 0 of what was not"
        number_in("decisions", self.decisions, 0, exact=True, remedy=remedy)


@dataclasses.dataclass(frozen=True)
class Board:
    """What the rows are of."""

    version: str = CURRENT  # see frozen.py
    envs: tuple[str, ...] | None = None  # None: all ids
    episodes: int = EPISODES  # seeds per group, from 0 on

    def __post_init__(self) -> None:
        number_in("episodes", self.episodes, 1, SEEDS, exact=True, remedy=f"a board has {SEEDS} seeds")
        known = {one.group.env for one in frozen_board(self.version).groups}
        for env in self.envs or ():
            if env not in known:
                raise SettingError("envs", env, f"of {', '.join(sorted(known))}", "use a registered id")

    def groups(self) -> list[FrozenGroup]:
        found = frozen_board(self.version).groups
        return [one for one in found if self.envs is None or one.group.env in self.envs]

    def plan(self, entry: Entry) -> Plan:
        return Plan([one.group for one in self.groups()], [entry], range(self.episodes))


@dataclasses.dataclass(frozen=True)
class Submission:
    """A folder that was read, of which no code has run yet."""

    folder: Path
    about: About
    policy: str  # as it is called there: "claim.npz", "policy.py:LRU", or a name of the package
    digest: str  # sha256 of the file; "": it has none
    board: Board
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def holds_code(self) -> bool:
        return _kind(self.policy) in CODE

    def found(self) -> Found:
        """The policy; a file of code is run."""
        return _found_in(self.folder, self.policy)


# -- making one


def submit(
    policy: str, folder: Path, about: About, board: Board = Board(), progress: Progress | None = None
) -> Submission:
    """Run a policy on a board, and write a folder that has it with its card and its rows, whole or not at all.

    Args:
        policy: a name, or FILE.npz, FILE.py:NAME, FILE.zip; of a file a copy is run, which must need no other file.
        folder: that is to be; its name is the submission's.
        progress: called after each row.

    Raises:
        SettingError: a name, a text or a number that makes no sense, or the folder is there already.
        PolicyError, ActionError: the policy made a mistake.
        OSError: the folder cannot be written.
    """
    _refuse_name(folder)
    with failures_name(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".submitting-") as made:
        home = Path(made) / folder.name
        home.mkdir()
        called = _copied(policy, home)
        entry = _entry(_found_in(home, called), folder.name)
        plan = board.plan(entry)
        rows = run(plan, progress)
        _write(home, about, called, board, rows, plan)
        with failures_name(folder):
            home.rename(folder)
    return read(folder)


def _refuse_name(folder: Path) -> None:
    if not NAME.fullmatch(folder.name):
        allowed = "a folder whose name has a-z, 0-9, - and _, 40 at most, a letter first"
        raise SettingError("out", str(folder), allowed, "the submission is called so: choose another one")
    if folder.exists():
        raise SettingError("out", str(folder), "a folder that is not there yet", "remove it, or choose another one")


def _kind(policy: str) -> str:
    """The ending of its file; "": it is called by name."""
    asked = in_file(policy)
    return asked.kind if asked else ""


def _copied(policy: str, home: Path) -> str:
    """Its file in the folder, under the name that files of its kind have there; what it is called now."""
    asked = in_file(policy)
    if len(halves_of(policy)) > 1 and any(ending in policy for ending in ARTEFACTS):
        raise SettingError("policy", policy, "no pair with a file", "make the pair in that file: sos_gym.pair(...)")
    if asked is None:
        if not found(policy).is_of_the_package and policy not in SHIPPED:
            raise SettingError("policy", policy, "of the package, or in a file", "pass FILE.py:NAME or FILE.npz")
        return policy
    file = Path(asked.path).expanduser()
    if not file.is_file():
        raise SettingError("policy", asked.path, "a file that is there", "check the path")
    shutil.copyfile(file, home / ARTEFACTS[asked.kind])
    return policy.replace(asked.path, ARTEFACTS[asked.kind], 1)


def _found_in(folder: Path, policy: str) -> Found:
    return found(f"{folder / policy}" if _kind(policy) else policy)


def _entry(policy: Found, name: str) -> Entry:
    """As it stands in rows: not under the path from which it was run."""
    return dataclasses.replace(entry_of(policy), name=name, called=name)


def _write(home: Path, about: About, policy: str, board: Board, rows: Sequence[Row], plan: Plan) -> None:
    artefact = ARTEFACTS.get(_kind(policy))
    card = {
        **dataclasses.asdict(about),
        "policy": policy,
        "digest": _digest(home / artefact) if artefact else "",
        "board": dataclasses.asdict(board),
        "versions": versions(),
        "machine": machine(),
    }
    [cost] = costs(plan)
    measured = {"decision_ns": None if math.isnan(cost.measured_ns) else cost.measured_ns, "machine": machine()}
    write_whole(home / CARD, (json.dumps(card, indent=1) + "\n").encode())
    write_whole(home / ROWS, "".join(json.dumps(row) + "\n" for row in rows).encode())
    write_whole(home / MEASURED, (json.dumps(measured, indent=1) + "\n").encode())


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# -- checking one


def read(folder: Path) -> Submission:
    """A folder, after all has been looked at that needs no run: the card, the file, and whether all rows are there.

    Raises:
        SubmissionError: something is missing, is no such thing, or is not what the card says.
        OSError: it cannot be read.
    """
    card = _card(folder)
    try:
        about = About(*(card[field.name] for field in dataclasses.fields(About)))
        version, envs, episodes = (card["board"][name] for name in ("version", "envs", "episodes"))
        board = Board(version, None if envs is None else tuple(envs), episodes)
        submission = Submission(folder, about, card["policy"], card["digest"], board, _rows(folder / ROWS))
        _refuse_other_file(submission)
        _refuse_other_rows(submission)
    except (SettingError, KeyError, TypeError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
        raise SubmissionError(f"{folder / CARD}: {said}") from error
    return submission


def _card(folder: Path) -> dict[str, Any]:
    if not NAME.fullmatch(folder.resolve().name):
        raise SubmissionError(f"{folder}: its name must have a-z, 0-9, - and _, a letter first; rename it")
    with failures_name(folder / CARD):
        text = (folder / CARD).read_bytes()
    try:
        card = json.loads(text)
    except ValueError as error:
        raise SubmissionError(f"{folder / CARD}: it is no JSON: {error}") from error
    if not isinstance(card, dict):
        raise SubmissionError(f"{folder / CARD}: it is no card; write one with `sos-gym submit`")
    return card


def _rows(path: Path) -> list[Row]:
    with failures_name(path):
        lines = path.read_bytes().splitlines()
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not _is_row(row):
            raise SubmissionError(f"{path}: line {number} is no row; write them with `sos-gym submit`")
        rows.append(row)
    return rows


def _is_row(row: Any) -> bool:
    whole = isinstance(row, dict) and {*ASKED, *CAME_OUT} <= {*row}
    return whole and isinstance(row["metrics"], dict) and isinstance(row.get("charged") or {}, dict)


def _refuse_other_file(one: Submission) -> None:
    """A policy is one of the package, or in the one file of the folder: no other file is ever read, or run."""
    kind, in_a_file = _kind(one.policy), any(ending in one.policy for ending in ARTEFACTS)
    alone = kind in CODE or one.policy == ARTEFACTS[".npz"]
    if in_a_file and (not alone or len(halves_of(one.policy)) > 1):
        allowed = "a name, claim.npz, policy.py:NAME or model.zip, and no pair with a file"
        raise SubmissionError(f"{one.folder / CARD}: the policy {one.policy!r} must be {allowed}")
    if not kind:
        return
    asked, file = in_file(one.policy), one.folder / ARTEFACTS[kind]
    if asked is None or asked.path != ARTEFACTS[kind]:
        raise SubmissionError(f"{one.folder / CARD}: the policy {one.policy!r} is not in the file {file.name}")
    with failures_name(file):
        digest = _digest(file)
    if digest != one.digest:
        raise SubmissionError(f"{file}: it is another one than the card says: sha256 {digest}; submit it again")


def _refuse_other_rows(one: Submission) -> None:
    """Each group and seed once, on the tape of the board, in its order."""
    asked = [(frozen, seed) for frozen in one.board.groups() for seed in range(one.board.episodes)]
    if len(one.rows) != len(asked):
        raise SubmissionError(f"{one.folder / ROWS}: it has {len(one.rows)} rows; its board has {len(asked)}")
    for number, (row, (frozen, seed)) in enumerate(zip(one.rows, asked, strict=True), 1):
        group, tape = frozen.group, frozen.tapes[seed]
        wanted = {"env": group.env, "workload": group.workload, "split": group.split, "seed": seed}
        for name, value in {**wanted, "policy": one.name, "tape": tape}.items():
            if row[name] != value:
                said = f"{name} is {row[name]!r}, on the board {one.board.version} {value!r}"
                raise SubmissionError(f"{one.folder / ROWS}: line {number}: {said}")


def verify(one: Submission) -> Iterator[str]:
    """Run all rows again, in this process; of each "", or what differs.

    Raises:
        SubmissionError: settings, or the policy itself, are others than those of the rows.
        PolicyError, ActionError: the policy made a mistake.
    """
    policy = one.found()
    plan = one.board.plan(_entry(policy, one.name))
    asked = [asked_of(group, plan.entries[0], seed) for group in plan.groups for seed in plan.seeds]
    for number, (row, wanted) in enumerate(zip(one.rows, json.loads(json.dumps(asked)), strict=True), 1):
        for name in ("settings", "kind", CONTENT):
            if row.get(name) != wanted.get(name):
                said = f"{name} is {row.get(name)!r}, of the policy here {wanted.get(name)!r}"
                raise SubmissionError(f"{one.folder / ROWS}: line {number}: {said}")
    for row in one.rows:
        try:
            replay(row, policy)
        except ReplayError as error:
            yield str(error)
        else:
            yield ""
