"""YAML files as dataclasses; a key or a type that is wrong is named."""

import argparse
import dataclasses
import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sos_gym import SettingError

T = TypeVar("T")


def read(kind: type[T], path: Path, **changed) -> T:
    """The dataclass `kind` from a file; what is not in it keeps its default; `changed` overrides both.

    Raises:
        SettingError: an unknown key, or a value of another type than the default's.
    """
    given = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) | changed
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name, value in given.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"keys are {', '.join(fields)}"
            raise SettingError(f"{path}: {name}", value, "a known key", remedy)
        wanted = fields[name].type
        if isinstance(value, bool) or not isinstance(value, (int, float) if wanted is float else wanted):
            raise SettingError(f"{path}: {name}", value, f"of type {wanted.__name__}", "mend the file")
    return kind(**given)


def asked(kind: type[T], text: str) -> tuple[T, Path]:
    """What the command line asks for: a configuration, and the folder for what comes of it."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    given: Any = parser.parse_args()
    return read(kind, given.config), given.out
