"""sos-gym train: run the script of a configuration's algorithm, in agents/ of the checkout or of the wheel."""

import contextlib
import importlib
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sos_gym.settings.ranges import SettingError, did_you_mean

NEEDED = ("yaml", "pydantic", "torch", "stable_baselines3", "sb3_contrib", "cmaes")  # of the extra `learn`
RUN = '\nif __name__ == "__main__":'  # in a script that can be run
PACKAGE = Path(__file__).parent.parent


def train(
    config: Annotated[str, typer.Option(help="A .yaml file, or the name of one in configs/, as ppo-memory.")],
    out: Annotated[Path, typer.Option(help="The folder of all runs; each is OUT/NAME-SEED.")] = Path("runs"),
    seed: Annotated[int | None, typer.Option(help="In place of the configuration's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is in the folder.")] = False,
    changes: Annotated[
        list[str] | None, typer.Option("-o", help="Change a key, as check=10000; repeat for more.")
    ] = None,
) -> None:
    """Train a policy; a run that was stopped goes on with --resume."""
    with _neighbours_found():
        configuration: Any = importlib.import_module("configuration")
        algorithm = configuration.written(configuration.found(config)).get("algorithm")
        arguments = ["--config", config, "--out", str(out), *_given("--seed", seed), *["--resume"] * resume]
        _run(script_of(algorithm), [*arguments, *(word for change in changes or () for word in ("-o", change))])


def agents() -> Path:
    """The folder of the scripts: the wheel brings a copy, which is none of another package called agents."""
    copy = PACKAGE / "agents"
    return copy if copy.exists() else PACKAGE.parent / "agents"


def script_of(algorithm: str | None) -> Path:
    """The script of an algorithm: those in agents/ that can be run.

    Raises:
        SettingError: there is none; with did-you-mean.
    """
    known = {path.stem: path for path in sorted(agents().glob("*.py")) if RUN in path.read_text("utf-8")}
    if algorithm not in known:
        remedy = did_you_mean(algorithm, known) or "write for example `algorithm: ppo`"
        raise SettingError("algorithm", algorithm, f"one of {', '.join(known)}", remedy)
    return known[algorithm]


def _given(name: str, value: Any) -> Sequence[str]:
    return () if value is None else (name, str(value))


@contextlib.contextmanager
def _neighbours_found() -> Iterator[None]:
    """Scripts import each other by their names, as when Python runs them."""
    before = sys.path[:]
    sys.path.insert(0, str(agents()))
    try:
        yield
    finally:
        sys.path[:] = before


def _run(script: Path, arguments: Sequence[str]) -> None:
    """As `python SCRIPT ARGUMENTS` does; it has said what went wrong, if anything has."""
    before, sys.argv = sys.argv, [str(script), *arguments]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        raise typer.Exit(end.code if isinstance(end.code, int) else 1) from None
    finally:
        sys.argv = before
