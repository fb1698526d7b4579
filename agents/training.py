"""The loop that all learners share: update, look at the val split now and then, keep the best, go on after a kill.

A script in agents/ says what its algorithm does, as a `Learner`, and ends in

    if __name__ == "__main__":
        training.main(Training, train, __doc__)

where `train(given, folder)` calls `training.train(learner, judge, given, folder)`.
"""

import argparse
import contextlib
import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import configuration
from configuration import Configuration
from one_line import INTERRUPTED, USAGE, leave
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from run_folder import RunFolder

from sos_gym import LearnedClaim, SettingError

Judge = Callable[[LearnedClaim], float]  # stall on val relative to the base's: less is better


class Learner(Protocol):
    """One algorithm under way. All that decides over what comes is in its state."""

    total: int  # the budget: decisions, or generations
    done: int  # of it

    def update(self) -> dict[str, float]:
        """Do the next piece of the budget; scalars for the curve."""

    def claim(self) -> LearnedClaim:
        """What it would play now."""

    def state(self) -> Any:
        """For pickle: with `restore`, what comes is the same to the last bit. Asked for between updates alone."""

    def restore(self, state: Any) -> None:
        """Be where a `state()` was taken."""


@dataclasses.dataclass
class Best:
    """The best claim on val so far."""

    score: float = float("inf")
    claim: LearnedClaim | None = None
    looks: int = 0
    since: int = 0  # looks since it was found
    seen: int = -1  # what was done at the last look

    def offer(self, claim: LearnedClaim, score: float, done: int) -> bool:
        """Whether it is the best now; of equals the earlier one stays."""
        better = score < self.score
        if better:
            self.score, self.claim = score, claim
        self.looks, self.since, self.seen = self.looks + 1, 0 if better else self.since + 1, done
        return better

    def is_due(self, learner: Learner, check: int) -> bool:
        """Whether to look: at the start, after each `check` of the budget, at its end."""
        done = learner.done
        return done > self.seen and (done >= self.looks * check or done >= learner.total)

    def is_stale(self, patience: int) -> bool:
        return patience > 0 and self.since >= patience


class Interrupted(Exception):
    """Ctrl-C; the checkpoint is written."""


def train(learner: Learner, judge: Judge, given: Configuration, folder: RunFolder) -> Best:
    """Train to the end of the budget, or until nothing better was found for `given.patience` looks.

    Raises:
        Interrupted: Ctrl-C; the next run with --resume goes on where it was.
    """
    best = _gone_on_with(learner, folder)
    with contextlib.closing(folder), _progress() as bar, _asked_to_stop() as asked:
        task = bar.add_task(given.name, total=learner.total)
        scalars: dict[str, float] = {}
        while True:
            bar.update(task, completed=min(learner.done, learner.total))
            if best.is_due(learner, given.check):
                _look(learner, judge, best, scalars, folder, bar.console)
            if learner.done >= learner.total or best.is_stale(given.patience):
                break
            if asked:
                folder.save({"best": best, "learner": learner.state()})
                raise Interrupted(f"interrupted at {learner.done} of {learner.total}")
            scalars = learner.update()
    return best


def _gone_on_with(learner: Learner, folder: RunFolder) -> Best:
    """The best up to the checkpoint, at which the learner is now; or the start."""
    saved = folder.saved()
    if saved is None:
        return Best()
    learner.restore(saved["learner"])
    folder.keep(saved["best"].claim)
    return saved["best"]


def _look(
    learner: Learner, judge: Judge, best: Best, scalars: dict[str, float], folder: RunFolder, console: Console
) -> None:
    """Judge the claim as it is, and write down all there is."""
    claim = learner.claim()
    score = judge(claim)
    if best.offer(claim, score, learner.done):
        folder.keep(claim)
    folder.note(learner.done, val=score, best=best.score, **scalars)
    folder.save({"best": best, "learner": learner.state()})
    console.print(f"{learner.done:>10}  val {score:.4f}  best {best.score:.4f}", highlight=False)


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True))


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[list[float]]:
    """Not empty once Ctrl-C was pressed; a second one interrupts at once."""
    asked: list[float] = []

    def stop(number: int, frame: Any) -> None:
        asked.append(time.monotonic())
        signal.signal(signal.SIGINT, before)
        print("stopping after this update; again: at once", file=sys.stderr)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


# -- the command line of a script

C = TypeVar("C", bound=Configuration)


def main(kind: type[C], train: Callable[[C, RunFolder], None], text: str) -> None:
    """Read the command line and train; what is wrong is said in one line.

    Exits with USAGE or INTERRUPTED.
    """
    asked = _arguments(text)
    try:
        changed = configuration.changes_of(asked.changes) | ({} if asked.seed is None else {"seed": asked.seed})
        given = configuration.read(kind, configuration.found(asked.config), **changed)
        _refuse_other_script(given.algorithm)
        train(given, RunFolder(asked.out, given, asked.resume))
    except (Interrupted, KeyboardInterrupt) as stopped:
        leave(INTERRUPTED, f"{stopped or 'interrupted'}; go on with the same command and --resume")
    except (SettingError, OSError) as error:
        leave(USAGE, str(error))


def _refuse_other_script(algorithm: str) -> None:
    script = Path(sys.argv[0]).stem
    if algorithm != script:
        raise SettingError("algorithm", algorithm, f"{script!r} in this script", "use `sos-gym train`, which finds it")


def _arguments(text: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="a .yaml file, or the name of one in configs/")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="of all runs; each is OUT/NAME-SEED")
    parser.add_argument("--seed", type=int, help="in place of the configuration's")
    parser.add_argument("--resume", action="store_true", help="go on with what is in the folder")
    parser.add_argument("-o", dest="changes", action="append", default=[], metavar="key=value", help="change a key")
    return parser.parse_args()
