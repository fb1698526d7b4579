"""What the files in configs/ may say: YAML as frozen dataclasses, in which a wrong key or value is named.

An algorithm's own configuration is a dataclass that inherits `Configuration`. Ranges stand in the type, as
`Annotated[int, Field(ge=1)]`; pydantic checks them and nested dataclasses too.
"""

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from sos_gym import LearnedClaim, SettingError
from sos_gym.settings.ranges import did_you_mean
from sos_gym.shipped import SHIPPED

Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]

CONFIGS = Path(__file__).parent.parent / "configs"  # beside agents/, in a checkout and in the wheel


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
    """What every file says; an algorithm adds its own. A budget is counted, never timed, so that it can be repeated."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

    algorithm: str  # the script in agents/ that reads it
    name: str  # of the claim and of the run's folder
    seed: Natural = 0
    check: Count = 1  # of the budget, between two looks at the val split
    patience: Natural = 0  # looks without a better one, after which training ends; 0: never
    workers: Count | None = None  # threads; None: one per core

    @property
    def threads(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfOneId(Configuration):
    """What learners of one environment say besides: of which, and against whom they are judged."""

    env: str
    workload: str | None = None  # None: the environment's
    baselines: Annotated[list[str], Field(min_length=1)]  # the best of these on val is 1
    look_episodes: Count = 16  # of a look at the val split
    val_episodes: Annotated[int, Field(ge=2)] = 40  # of the comparison at the end, other ones


C = TypeVar("C", bound=Configuration)


def read(kind: type[C], path: Path, **changed: Any) -> C:
    """The configuration in a file; what is not in it keeps its default; `changed` overrides both.

    Raises:
        SettingError: an unknown key, with did-you-mean; or a value of another type, or out of range.
        OSError: it cannot be read.
    """
    return checked(kind, written(path) | changed, str(path))


def written(path: Path) -> dict[str, Any]:
    """What a file says, unchecked.

    Raises:
        SettingError: it is no YAML, or no `key: value` lines.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingError("config", str(path), "YAML", str(error)) from error
    if not isinstance(found, dict):
        raise SettingError("config", str(path), "lines of `key: value`", "see the files in configs/")
    return found


def checked(kind: type[C], given: dict[str, Any], source: str) -> C:
    """`given` as a configuration; `source` is for the error."""
    known = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name not in known:
            remedy = did_you_mean(name, known) or f"keys are {', '.join(known)}"
            raise SettingError(f"{source}: {name}", given[name], "a known key", remedy)
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        raise _named(error, source) from error


def _named(error: ValidationError, source: str) -> SettingError:
    """The first of what is wrong."""
    first = error.errors(include_url=False)[0]
    name = f"{source}: {'.'.join(map(str, first['loc']))}"
    if first["type"] == "missing":
        return SettingError(name, None, "given", "add it")
    return SettingError(name, first["input"], first["msg"].removeprefix("Input should be "), "mend it")


def found(config: str) -> Path:
    """The file of a path, or of the name of one in configs/.

    Raises:
        SettingError: there is none; with did-you-mean.
    """
    path = Path(config)
    if path.suffix == ".yaml":
        return path
    known = [file.stem for file in sorted(CONFIGS.glob("*.yaml"))]
    if config not in known:
        remedy = did_you_mean(config, known) or f"names are {', '.join(known)}"
        raise SettingError("config", config, "a .yaml file, or the name of one in configs/", remedy)
    return CONFIGS / f"{config}.yaml"


def claim_file(named: str) -> Path:
    """The file of a claim: as it stands, or in configs/, as teachers/cpu-all.npz."""
    path, own = Path(named), CONFIGS / named
    return own if own.exists() and not path.exists() else path


def claim_to_start_at(named: str, env: str) -> LearnedClaim:
    """A claim from its file, or, of a learned policy that ships, the one that plays on an id."""
    return SHIPPED[named].on(env) if named in SHIPPED else LearnedClaim.load(claim_file(named))


def changes_of(texts: list[str]) -> dict[str, Any]:
    """{"decisions": 1000} of ["decisions=1000"]; values are YAML.

    Raises:
        SettingError: not of that form.
    """
    changed = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingError("-o", text, "key=value", "write for example -o check=10000")
        changed[name.strip()] = yaml.safe_load(value)
    return changed
