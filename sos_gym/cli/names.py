"""What the caller names on the command line: environments, tapes, settings, policies."""

import ast
import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sos_gym.settings.environment import build_settings
from sos_gym.settings.presets import PRESETS, short_id
from sos_gym.settings.ranges import SettingError, did_you_mean
from sos_gym.workload import SPLITS, Tape

if TYPE_CHECKING:
    from sos_gym.loading.found import Found

KINDS_OF_SPECS = (
    "two as CORES + FRAMES, FILE.py:NAME, FILE.npz (a saved claim) or FILE.zip (a model of Stable-Baselines3); "
    "code in a .py or .zip is run. See `sos-gym policies`."
)


def env_named(name: str) -> str:
    """Memory, memory and sos/Memory-v0 are sos/Memory-v0.

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    known, short = {short_id(env).lower(): env for env in PRESETS}, short_id(name.lower())
    if short not in known:
        remedy = did_you_mean(short, known, shown=known) or "use one of these"
        raise SettingError("env", name, "one of " + ", ".join(PRESETS), remedy)
    return known[short]


def tape_of(workload: str | None) -> str | Tape | None:
    """The path of a .npz as its tape; a name as it is."""
    return Tape.load(workload) if workload is not None and workload.endswith(".npz") else workload


def split_named(split: str | None, workload: str | None) -> str | None:
    """A split, where the workload has some.

    Raises:
        SettingError: unknown, with did-you-mean; or the workload is a tape.
    """
    if split is not None and split not in SPLITS:
        remedy = did_you_mean(split, SPLITS) or "use one of these"
        raise SettingError("--split", split, "one of " + ", ".join(SPLITS), remedy)
    if split is not None and workload is not None and workload.endswith(".npz"):
        raise SettingError("--split", split, "left out with a tape", "a tape is not drawn")
    return split


def refuse_unused(env: str, workload: str | None, episodes: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a workload of another side on which the environment had nothing to decide: pages, on cores.

    Raises:
        SettingError: it is one; names the environments that it fits.
    """
    from sos_gym.leaderboard.grid import SIDES, side_of

    if workload is None or workload in SPLITS or any(one["decisions"] for one in episodes):
        return
    side = side_of(workload)
    if side not in SIDES[env]:
        fitting = ", ".join(known for known in PRESETS if side in SIDES[known])
        allowed = f"one that {env} has something to decide on; this one is of the side {side!r}"
        raise SettingError("workload", workload, allowed, f"run it on {fitting}")


def settings_of(given: Sequence[str] | None, preset: Mapping[str, Any]) -> dict[str, Any]:
    """{"frames": (32, 1000)} of ["frames=32,1000"], if they go with the preset's.

    Raises:
        SettingError: not of that form, or an unknown name.
    """
    settings = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingError("--set", text, "name=value", "write for example --set frames=32")
        settings[name.strip()] = _literal(value.strip())
    build_settings({**preset, **settings})
    return settings


def _literal(text: str) -> Any:
    """A Python literal, or the text itself: global is a word."""
    try:
        return ast.literal_eval(text.capitalize() if text.lower() in ("none", "true", "false") else text)
    except (ValueError, SyntaxError):
        return text


def policy_asked(spec: str) -> "Found":
    """The policy of a name, or in a file, which is run; what that prints is no result, and goes to stderr.

    Raises:
        SettingError: there is none, or its file fails.
    """
    from sos_gym.loading.found import found

    with contextlib.redirect_stdout(sys.stderr):
        return found(spec)


def notes(policies: "Iterable[Found]") -> Iterator[str]:
    """What an alias may be mistaken for: fifo is turns."""
    for found in policies:
        if found.is_callable:
            continue
        confused = found.is_of_the_package and found.spec == found.policy.spec and found.policy.not_to_be_confused
        if confused and found.called.lower() != found.spec:
            yield f"{found.called} is the rule `{found.policy.name}` — not to be confused with {confused}"
