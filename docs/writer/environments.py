"""The page of environments: ids, columns, action, reward, settings, metrics, each from where it is declared."""

import dataclasses
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sos_gym import metrics
from sos_gym.envs import env
from sos_gym.markdown import number, table
from sos_gym.settings.cpu import CpuSettings
from sos_gym.settings.environment import EpisodeSettings
from sos_gym.settings.memory import MemorySettings
from sos_gym.settings.presets import PRESETS, short_id
from sos_gym.view import candidates, columns

SCALES = """\
`rlog`: a duration t as clip(ln((t + 1 µs) / τ), −8, 8) / 4, where τ is the running mean of a stay in
a node, of the fast tier where there are two.
`clog`: a count n as log2(1 + n) / 4, at most 4. What is not known is 0, with its flag in `gap_known`. A column means
the same for a thread and for a page; columns of the other resource are 0."""


def page() -> str:
    """docs/environments.md."""
    return "\n\n".join((_head(), _environments(), _observation(), _episode(), _settings(), _metrics())) + "\n"


def _head() -> str:
    return (
        "# Environments\n\nWritten by `make docs` from the code; edit that, not this page. "
        "The words are those of the glossary in [resource.py](../sos_gym/resource.py); the rules of the engine are in "
        "[engine.md](engine.md)."
    )


def _environments() -> str:
    parts = ["## The four ids\n\nOne class, `sos_gym.SosEnv`; an id is a set of defaults."]
    rows = [(f"`{preset.id}`", preset.summary, preset.decides_on, preset.workload) for preset in PRESETS.values()]
    parts.append(table(("id", "what", "decides on", "default workload"), rows))
    return "\n\n".join(parts)


# -- observation


def _observation() -> str:
    return "\n\n".join(
        (
            "## Observation",
            "A dict. `candidates`: float32 (K, F), one row per contender that is shown. `context`: float32 (G,). "
            "`action_mask`: int8 (K,), 1 where a row may be chosen; never all zero. At a truncation by `horizon_ns` "
            "the last question is shown once more, as it stands then. [rl-libraries.md](rl-libraries.md) has "
            "examples of masks, states, vectors, options and wrappers.",
            "### Which contenders are rows",
            inspect.getdoc(candidates) or "",
            SCALES,
            "### The F columns of a candidate",
            _columns(columns.CANDIDATE_COLUMNS),
            "### The G columns of the context",
            _columns(columns.CONTEXT_COLUMNS),
        )
    )


def _columns(told: Sequence[columns.Column]) -> str:
    rows = [(i, f"`{column.name}`", column.meaning) for i, column in enumerate(told)]
    return table(("#", "column", "meaning"), rows)


# -- what happens in an episode


def _episode() -> str:
    said = sections(env.SosEnv)
    parts = ["## Action, reward, info", said["Action"], said["Reward"], said["Episodes"], "Info: " + said["Info"]]
    parts += ["### Keywords of `gym.make`", bullets(said["Args"])]
    parts.append(f"`reset(seed, options)`: {inspect.getdoc(env.SosEnv.reset)}")
    return "\n\n".join(parts)


def sections(documented: object) -> dict[str, str]:
    """The paragraphs of a docstring by how they begin: {"Reward": "Reward: ...", "Args": "preset: ...", ...}."""
    found = {}
    for paragraph in (inspect.getdoc(documented) or "").split("\n\n"):
        for part in re.split(r"(?<=\.) (?=Action: )|\n(?=[A-Z]\w*: )", paragraph):
            name = re.match(r"\w+", part)
            found[name.group() if name else ""] = re.sub(r"^(Args|Info):\s*", "", part)
    return found


def bullets(arguments: str) -> str:
    """An Args section as a list."""
    lines = inspect.cleandoc(" " * 4 + arguments.lstrip()).splitlines()
    return "\n".join(re.sub(r"^(\w+):", r"- `\1`:", line) for line in lines)


# -- settings


def _settings() -> str:
    overridden = ", ".join(f"`{short_id(preset.id)}`" for preset in PRESETS.values())
    parts = [
        "## Settings",
        "Each is a keyword of `gym.make` and `sos_gym.evaluate`. `frames` and `cores` are totals, split evenly over "
        "the nodes, or one number per node. $ marks a cost that `cost_scale` randomises. The last column says where "
        f"{overridden} differ from the default.",
    ]
    for title, settings in (("Cores", CpuSettings), ("Frames", MemorySettings), ("Episode", EpisodeSettings)):
        rows = [_setting_row(field) for field in dataclasses.fields(settings)]
        parts += [f"### {title}", table(("setting", "default", "unit", "range", "meaning", "elsewhere"), rows)]
    return "\n\n".join(parts)


def _setting_row(field: dataclasses.Field) -> tuple[str, ...]:
    said = field.metadata
    name = f"`{field.name}`" + (" $" if said["cost"] else "")
    elsewhere = [
        f"{short_id(preset.id)} {number(preset.settings[field.name])}"
        for preset in PRESETS.values()
        if preset.settings.get(field.name, field.default) != field.default
    ]
    return name, number(field.default), said["unit"], _range(said), said["help"], ", ".join(elsewhere)


def _range(said: Mapping[str, Any]) -> str:
    if said["choices"]:
        return ", ".join(said["choices"])
    if said["low"] is None:
        return ""
    return f"≥ {number(said['low'])}" if said["high"] >= 1 << 30 else f"{number(said['low'])} to {number(said['high'])}"


# -- metrics


def _metrics() -> str:
    said = (inspect.getdoc(metrics.metrics) or "").split("\n\n", 1)[1]
    counts = ", ".join(f"`{name}`" for name in metrics.COUNTS)
    times = ", ".join(f"`{name}_ns`" for name in ("service", "sleep", *metrics.STALLS))
    return "\n\n".join(
        (
            "## Metrics",
            "What `info['metrics']` holds after the last step. `sos_gym.evaluate` returns it per episode, with `env`, "
            "`policy`, `seed`, `tape` (a hash) and `privileged` (it knew the future).",
            said,
            f"Counts: {counts}, `bursts` (finished ones).",
            f"Times: `elapsed_ns` until the last thread exits; {times} are sums over threads; `wait_p50_ns` as "
            "`wait_p99_ns`.",
        )
    )
