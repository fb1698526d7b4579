"""What is written to name policies: "lru", "eevdf + sieve", "mine.py:LRU", "a/mine.py:fast(half=0.5), model.zip"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sos_gym.settings.ranges import SettingError

KINDS = (".py", ".npz", ".zip")
_END = re.compile(r"\.(?:py|npz|zip)(?=\s*(?:$|[:,+(]))")  # of a path
_NAME = re.compile(r"(?::\s*([^()]*?)\s*)?(\(.*\))?")


@dataclass(frozen=True)
class InFile:
    """A policy in a file, as it is asked for."""

    path: str  # as it was written
    name: str  # "": the file has one
    parameters: str  # "(half=0.5)", or ""

    @property
    def kind(self) -> str:
        """One of KINDS."""
        return Path(self.path).suffix


def specs_in(text: str) -> list[str]:
    """The specs of a list with commas; those in parentheses or in the path of a file that exists do not count."""
    specs, spec = [], ""
    for piece, mark in _cut(text):
        spec += piece + (" + " if mark == "+" else "")
        if mark != "+":
            specs.append(spec.strip())
            spec = ""
    return [spec for spec in specs if spec]


def halves_of(spec: str) -> list[str]:
    """What stands between the plus signs."""
    return [piece for piece, _ in _cut(spec)]


def in_file(spec: str) -> InFile | None:
    """What is asked of a file; None: it names no file.

    Raises:
        SettingError: something else than :NAME and parameters follows the path.
    """
    path = path_in(spec)
    if not path:
        return None
    written = _NAME.fullmatch(spec[len(path) :].strip())
    if not written:
        allowed = "FILE:NAME, or FILE:NAME(parameter=number, ...)"
        raise SettingError("policy", spec, allowed, f"write for example {path}:NAME")
    return InFile(path, written[1] or "", written[2] or "")


def path_in(text: str) -> str:
    """The path of a file that a text begins with, or "": one that exists, or else one without comma and plus sign."""
    paths = [text[: end.end()] for end in _END.finditer(text)]
    there = [path for path in paths if _is_there(path)]
    return there[0] if there else next((path for path in paths[:1] if not {",", "+"} & set(path)), "")


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # too long; no such user; a null character
        return False


def _cut(text: str) -> Iterator[tuple[str, str]]:
    """Pieces, each with the mark behind it: a comma, a plus sign, or "" at the end."""
    rest: str | None = text
    while rest is not None:
        rest = rest.lstrip()
        at = _mark_at(rest, len(path_in(rest)))
        yield rest[:at].strip(), rest[at : at + 1]
        rest = rest[at + 1 :] if at < len(rest) else None


def _mark_at(text: str, begin: int) -> int:
    """Where the first comma or plus sign outside of parentheses stands, or the end."""
    depth = 0
    for at in range(begin, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth <= 0 and text[at] in ",+":
            return at
    return len(text)
