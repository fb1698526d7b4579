"""What a run leaves in its folder, so that it can be read, repeated, and gone on with after a kill.

    config.yaml      the resolved configuration; `--config` takes it again
    about.json       of each start: command, versions, commit, machine; written before training begins
    curve.jsonl      a row for each look at the val split
    tensorboard/     the same for TensorBoard, where it is installed
    claim.npz        the best claim on val so far
    checkpoint.pkl   all that the learner needs to go on; holds code: open your own alone

Every file is whole or not there. After a kill the curve may be ahead of the checkpoint: it is cut back.
"""

import dataclasses
import json
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from configuration import Configuration

from sos_gym import LearnedClaim, SettingError
from sos_gym.leaderboard.machine import machine, versions
from sos_gym.outputs import write_whole

LEARNERS = ("torch", "stable-baselines3", "sb3-contrib", "cmaes")  # beside what every result depends on


class RunFolder:
    """The files of one run.

    Args:
        out: the folder of all runs; this one is OUT/NAME-SEED.
        given: the configuration.
        resume: go on with what is there, if anything is.

    Raises:
        SettingError: there is a run already and `resume` is not asked for; or it has another configuration.
    """

    def __init__(self, out: Path, given: Configuration, resume: bool = False):
        self.path, self.given = out / f"{given.name}-{given.seed}", given
        if (self.path / "config.yaml").exists():
            self._refuse_other(resume)
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            self._write("config.yaml", yaml.safe_dump(dataclasses.asdict(given), sort_keys=False))
        self._write("about.json", json.dumps([*self._starts(), about()], indent=1))
        self.rows: list[dict[str, Any]] = []
        self._board: Any = None

    def save(self, state: Any) -> None:
        """Put the checkpoint in the place of the last one, with the rows of the curve up to now."""
        content = pickle.dumps({"rows": self.rows, "state": state}, pickle.HIGHEST_PROTOCOL)
        write_whole(self.path / "checkpoint.pkl", content)

    def saved(self) -> Any | None:
        """What the checkpoint holds, with the curve cut back to it; None: there is none yet."""
        checkpoint = self.path / "checkpoint.pkl"
        if not checkpoint.exists():
            return None
        found = pickle.loads(checkpoint.read_bytes())
        self.rows = found["rows"]
        return found["state"]

    def note(self, done: int, **scalars: float) -> None:
        """A row of the curve, at so much of the budget."""
        self.rows.append({"done": done, **{name: float(value) for name, value in scalars.items()}})
        self._write("curve.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))
        for name, value in scalars.items():
            self.board.add_scalar(name, value, done)

    def keep(self, claim: LearnedClaim) -> None:
        """The best so far."""
        claim.save(self.path / "claim.npz")

    def close(self) -> None:
        """Nothing more will be noted."""
        self.board.close()

    @property
    def board(self) -> Any:
        """TensorBoard's writer, or one that writes nothing."""
        if self._board is None:
            self._board = board_in(self.path / "tensorboard", self.rows)
        return self._board

    def _write(self, name: str, text: str) -> None:
        write_whole(self.path / name, text.encode())

    def _starts(self) -> list[dict[str, Any]]:
        path = self.path / "about.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def _refuse_other(self, resume: bool) -> None:
        if not resume:
            remedy = "pass --resume to go on with it, or another --out"
            raise SettingError("--out", str(self.path), "a folder without a run", remedy)
        before = yaml.safe_load((self.path / "config.yaml").read_text(encoding="utf-8"))
        now = dataclasses.asdict(self.given)
        for name in {**before, **now}:
            if before.get(name) != now.get(name):
                allowed = f"{before.get(name)!r}, as in {self.path / 'config.yaml'}"
                raise SettingError(name, now.get(name), allowed, "resume with that, or begin with another --out")


class NoBoard:
    """In place of TensorBoard's writer."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        pass

    def close(self) -> None:
        pass


def board_in(path: Path, rows: list[dict[str, Any]]) -> Any:
    """A writer that leaves out what a killed run wrote after the last of the `rows`."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        print("no scalars for TensorBoard: it is not installed (pip install 'sos-gym[learn]')", file=sys.stderr)
        return NoBoard()
    return SummaryWriter(str(path), purge_step=rows[-1]["done"] + 1 if rows else None)


# -- what a result depends on


def about() -> dict[str, Any]:
    """The command, the versions and the machine."""
    learners = {package: _version(package) for package in LEARNERS}
    return {"command": sys.argv, "versions": versions() | learners, "commit": _commit(), "machine": machine()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Of the checkout that this file belongs to, with a + where files have changed; None: it belongs to none."""
    home = Path(__file__).parent

    def told(*command: str) -> str:
        return subprocess.run(["git", *command], cwd=home, capture_output=True, text=True, check=True).stdout.strip()

    try:
        told("ls-files", "--error-unmatch", Path(__file__).name)
        return told("rev-parse", "HEAD") + "+" * bool(told("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None
