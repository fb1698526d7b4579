"""Write docs/environments.md from the code: python -m sos_gym.cards docs/environments.md"""

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sos_gym import metrics
from sos_gym.envs import env
from sos_gym.policy import policies
from sos_gym.settings.cpu import CpuSettings
from sos_gym.settings.environment import EpisodeSettings
from sos_gym.settings.memory import MemorySettings
from sos_gym.settings.presets import PRESETS, Preset
from sos_gym.view import columns
from sos_gym.workload import workloads
from sos_gym.workload.families.registry import OF_ALL

COMMAND = "python -m sos_gym.cards docs/environments.md"
SCALES = """\
`rlog`: a duration t as clip(ln((t + 1 µs) / τ), −8, 8) / 4, where τ is the running mean of how long a slot is held.
`clog`: a count n as log2(1 + n) / 16, at most 1. What is not known is 0, with its flag in `gap_known`. A column means
the same for a thread and for a page; columns of the other resource are 0."""


def page() -> str:
    """The whole page as Markdown."""
    return "\n\n".join((_head(), _environments(), _observation(), _episode(), _settings(), _metrics())) + "\n"


def _head() -> str:
    return (
        f"# Environments\n\nWritten by `{COMMAND}` from the code; edit that, then run `make docs`. "
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
            "`action_mask`: int8 (K,), 1 where a row may be chosen; never all zero.",
            SCALES,
            f"### Columns of a candidate (F = {len(columns.COLUMNS)})",
            _columns(columns.CANDIDATE_COLUMNS),
            f"### Context (G = {len(columns.CONTEXT)})",
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
    overridden = ", ".join(f"`{short(preset)}`" for preset in PRESETS.values())
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
        f"{short(preset)} {number(preset.settings[field.name])}"
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


def number(value: object) -> str:
    """Digits in threes: number(60000) is 60 000."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(number, value)) + ")"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,.15g}".replace(",", " ")
    return str(value)


def short(preset: Preset) -> str:
    """sos/Memory-v0 is Memory."""
    return preset.id.removeprefix("sos/").removesuffix("-v0")


# -- metrics


def _metrics() -> str:
    said = (inspect.getdoc(metrics.metrics) or "").split("\n\n", 1)[1]
    counts = ", ".join(f"`{name}`" for name in metrics.COUNTS)
    times = ", ".join(f"`{name}_ns`" for name in ("service", "sleep", *metrics.STALLS))
    return "\n\n".join(
        (
            "## Metrics",
            "What `info['metrics']` holds after the last step. `sos_gym.evaluate` returns it per episode, with `env`, "
            "`policy`, `seed` and `tape` (a hash).",
            said,
            f"Counts: {counts}, `bursts` (finished ones).",
            f"Times: `elapsed_ns` until the last thread exits; {times} are sums over threads; `wait_p50_ns` as "
            "`wait_p99_ns`.",
        )
    )


# -- policies


def policies_page() -> str:
    """What each policy is on either resource; its measurements are added by benchmarks/policies.py."""
    cards = policies().values()
    names = [(marked(card.name), ", ".join(card.aliases), card.summary) for card in cards]
    instances = [(f"`{card.name}`", card.on_cores, card.on_frames) for card in cards]
    rules = [(f"`{card.name}`", card.reads, card.ties, card.source) for card in cards]
    tuned = [
        (
            f"`{card.name}`",
            f"`{name}`",
            number(of.default),
            of.unit,
            f"{number(of.low)} to {number(of.high)}",
            of.effect,
        )
        for card in cards
        for name, of in card.parameters.items()
    ]
    return (
        "\n\n".join(
            (
                "# Policies",
                "Each is written once, over five verbs, and runs on cores and on frames. Written by "
                "`python benchmarks/policies.py --out docs/policies.md` from the "
                "cards; `sos-gym policies NAME` shows one. "
                "† knows the future.",
                table(("policy", "also known as", "rule"), names),
                "## What it is on either resource",
                table(("policy", "on cores", "on frames"), instances),
                "## What it reads",
                table(("policy", "reads", "ties", "source"), rules),
                "## Parameters",
                "Written behind the name, wherever a policy is named: `s3fifo(small=0.2)`.",
                table(("policy", "parameter", "default", "unit", "range", "more of it"), tuned),
            )
        )
        + "\n"
    )


# -- workloads


def workloads_page() -> str:
    """What each family draws, with its parameters; the recordings by name."""
    families = [card for card in workloads().values() if not card.recorded]
    recorded = [card for card in workloads().values() if card.recorded]
    parts = [
        "# Workloads",
        "Written by `make docs` from the cards; `sos-gym workloads NAME` shows one. "
        "`sos_gym.workload(NAME, seed, split, **parameters)` is a tape; the same arguments give the same one "
        "everywhere. The splits `train`, `val`, `test` have seeds of their own; `ood` also draws the parameters that "
        'have a range for it. They are named the same on every id: `env.reset(options={"workload": "test"})`, or '
        '`split="ood"` in `gym.make`. '
        "A parameter that is given is never drawn. How much there is to gain on each: [references.md](references.md).",
    ]
    for card in families:
        rows = [
            (
                f"`{name}`",
                number(of.default),
                of.unit,
                f"{number(of.low)} to {number(of.high)}",
                _away(of.ood),
                of.effect,
            )
            for name, of in card.parameters.items()
            if name not in OF_ALL
        ]
        heads = ("parameter", "default", "unit", "range", "ood", "more of it")
        parts += [f"## {card.name} ({card.side})", card.summary, f"Source: {card.source}."]
        parts += [table(heads, rows)] if rows else []
    shared = [
        (f"`{name}`", number(of.default), f"{number(of.low)} to {number(of.high)}", of.effect)
        for name, of in OF_ALL.items()
    ]
    parts += ["## In all families", table(("parameter", "default", "range", "more of it"), shared)]
    parts += ["## Recordings", "What each looks like: [recordings.md](recordings.md)."]
    parts += [table(("name", "side", "what"), [(f"`{card.name}`", card.side, card.summary) for card in recorded])]
    return "\n\n".join(parts) + "\n"


def _away(ends: tuple[int | float, int | float] | None) -> str:
    return "" if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def marked(name: str) -> str:
    """`name`, with a dagger when it knows the future."""
    return f"`{name}`" + (" †" if policies()[name].privileged else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
