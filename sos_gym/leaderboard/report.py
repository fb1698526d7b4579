"""Reports: rows as JSON, Markdown and a picture in a results folder."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from sos_gym import __version__
from sos_gym.leaderboard.certainty import Certainty, certainties
from sos_gym.leaderboard.costs import Cost
from sos_gym.leaderboard.deciding import charged_section, costs_document, costs_markdown
from sos_gym.leaderboard.frozen import board_of
from sos_gym.leaderboard.machine import machine, versions
from sos_gym.leaderboard.rows import Row
from sos_gym.leaderboard.standing import (
    LEAST_SPREAD,
    PLAIN_STALL,
    STALL,
    Place,
    Standing,
    group_names,
    group_of_row,
    standings,
)
from sos_gym.markdown import rounded, table
from sos_gym.outputs import check_writable, write_whole

NAME = "leaderboard"
ROWS = f"{NAME}.jsonl"  # as they come
COSTS = (f"{NAME}-costs.json", f"{NAME}-costs.md")  # what was measured on this machine, apart from rows that replay
WHICH_STALL = (
    f"Stall is weighted stall, `{STALL}`: what the reward charges. Plain stall, `{PLAIN_STALL}`: all threads alike."
)
LINE = "linux"  # as it comes: the line to beat
LEGEND = (
    "† knows the future, or learnt from who does, and is never the best online heuristic. ‡ an ensemble: an agent that "
    "sees other policies' choices. § chose rows that were masked out; a random legal one was taken. random_row is the "
    "untrained agent: a legal row, drawn uniformly. ◂ stock Linux, the line to beat."
)
EXPLANATION = (
    "Stall ratio: stall to that of the best online heuristic of each family, geometric mean over families; the worst "
    "family stands beside it. Score of a family: 0 is lottery, 1 the least stall of any heuristic or clairvoyant, tape "
    f"by tape; – where those two lie within {LEAST_SPREAD:.0%}, so that stall speaks for itself."
)
LINE_COLOUR, GRID_COLOUR = "#1b1b1b", "#d9d9d9"
MARKERS = "os^Dv<>*"
LETTER_INCHES = 0.08  # the width of a letter of a policy's name in the picture
LOWEST_RATIO, HIGHEST_RATIO = 0.3, 10.0  # of the picture; what lies beyond is drawn at its edge


SURE_HEADS = ("95 %", "place")
SURE = (
    "95 %: interval of the ratio, tapes drawn with replacement, the same for all policies. Place: among those that do "
    "not know the future and are no ensemble (of † and ‡: among their like); an interval where tapes do not tell."
)

# -- pieces of text


def marked(standing: Standing) -> str:
    """What it is called, with †, ‡, § and ◂."""
    marks = "†" * standing.privileged + "‡" * (standing.kind == "ensemble") + "§" * (standing.masked_out > 0)
    marks += "◂" * (standing.policy == LINE)
    return f"{standing.called} {marks}".rstrip()


def worst_family(standing: Standing) -> str:
    """CPU make 1.31."""
    return f"{standing.worst} {rounded(standing.worst_ratio)}"


def sure_cells(one: Certainty | None) -> tuple[str, str]:
    """0.98 to 1.04, 3–7."""
    if one is None:
        return "–", "–"
    place = f"{one.first}" if one.first == one.last else f"{one.first}–{one.last}"
    return f"{rounded(one.low)} to {rounded(one.high)}", place


def in_group(found: Sequence[Standing], group: str) -> list[tuple[Standing, Place]]:
    """The policies of a group, the least stall first."""
    pairs = [(standing, standing.places[group]) for standing in found if group in standing.places]
    return sorted(pairs, key=lambda pair: pair[1].stall_ms)


def conditions(rows: Sequence[Row]) -> dict[str, str]:
    """What each group was run under: its own settings, seeds and split, in words."""
    names = group_names(rows)
    by_group: dict[str, list[Row]] = {}
    for row in rows:
        by_group.setdefault(group_of_row(row, names), []).append(row)
    said = {}
    for group, of_group in by_group.items():
        settings: dict[str, Any] = next(
            (row["settings"] for row in of_group if row["kind"] in ("heuristic", "clairvoyant")), {}
        )
        seeds = sorted({row["seed"] for row in of_group})
        split = of_group[0]["split"]
        parts = [f"{name} = {value}" for name, value in settings.items()]
        parts += [f"seeds {seeds[0]} to {seeds[-1]}"] + ([f"split {split}"] if split else [])
        said[group] = ", ".join(parts)
    return said


# -- Markdown


def markdown(rows: Sequence[Row], command: str = "", failed: Mapping[str, str] | None = None) -> str:
    """The headline, then one table per family; `failed`: who made which mistake, and is in no table."""
    found = standings(rows)
    first = [f"sos_gym {__version__}", *_board(rows), *[f"`{command}`"] * bool(command)]
    parts = [f"# Leaderboard\n\n{', '.join(first)}", WHICH_STALL]
    sure = certainties(rows, found)
    headline = [
        (marked(one), rounded(one.ratio), *(sure_cells(sure.get(one.policy)) if sure else ()), worst_family(one))
        for one in found
    ]
    heads = ("policy", "stall ratio", *(SURE_HEADS if sure else ()), "worst family")
    parts.append(table(heads, headline, "lr" + "rr" * bool(sure) + "l"))
    parts.append(" ".join([EXPLANATION, *[SURE] * bool(sure), LEGEND]))
    parts += [f"{name} is left out: {' '.join(mistake.split())}" for name, mistake in (failed or {}).items()]
    parts += charged_section(rows, marked)
    for group, said in conditions(rows).items():
        places = [
            (marked(one), *map(rounded, (place.stall_ms, place.plain_ms, place.ratio, place.score)))
            for one, place in in_group(found, group)
        ]
        heads = ("policy", "weighted stall, ms", "plain stall, ms", "stall ratio", "score")
        of_group = table(heads, places, "lrrrr")
        parts.append(f"## {group}\n\n{said}\n\n{of_group}")
    return "\n\n".join(parts) + "\n"


def _board(rows: Sequence[Row]) -> list[str]:
    """What rows of a frozen board may be held beside."""
    version = board_of(rows)
    return [f"board {version}"] if version else []


# -- picture


def picture(rows: Sequence[Row]) -> bytes:
    """PNG: stall ratio of every policy, one panel per environment, one dot per family.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    found = standings(rows)[::-1]
    envs = list(dict.fromkeys(group.split(" ")[0] for one in found for group in one.places))
    names = max(2.0, LETTER_INCHES * max(len(marked(one)) for one in found))  # the path of a file may be long
    figure = Figure(figsize=(2.6 * len(envs) + names, 0.26 * len(found) + 2), layout="constrained")
    for panel, env in zip(figure.subplots(1, len(envs), sharey=True, squeeze=False)[0], envs, strict=True):
        _draw_panel(panel, env, found)
    label = (
        "weighted stall / that of the family's best online heuristic (log scale, left is better; † knows the future)"
    )
    figure.supxlabel(label, fontsize=9)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()


def _draw_panel(panel: Any, env: str, found: Sequence[Standing]) -> None:
    groups = list(dict.fromkeys(group for one in found for group in one.places if group.split(" ")[0] == env))
    panel.axvline(1, color=LINE_COLOUR, linewidth=0.8)
    panel.hlines(range(len(found)), 0, 1e3, color=GRID_COLOUR, linewidth=0.6, zorder=0)
    for group, marker in zip(groups, MARKERS * len(groups), strict=False):
        ratios = [one.places[group].ratio if group in one.places else math.nan for one in found]
        _draw_ratios(panel, ratios, marker, group.split(" ", 1)[1])
    panel.set_title(env, fontsize=11)
    panel.set_xscale("log")
    panel.set_xlim(LOWEST_RATIO / 1.15, HIGHEST_RATIO * 1.15)
    panel.set_xticks([0.5, 1, 2, 5, 10], labels=["½", "1", "2", "5", "≥ 10"])
    panel.minorticks_off()
    panel.set_yticks(range(len(found)), labels=[marked(one) for one in found])
    panel.tick_params(length=0, labelsize=9)
    panel.spines[:].set_visible(False)
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.07), fontsize=8, frameon=False, handletextpad=0.1)


def _draw_ratios(panel: Any, ratios: Sequence[float], marker: str, label: str) -> None:
    shown = [min(max(ratio, LOWEST_RATIO), HIGHEST_RATIO) for ratio in ratios]
    panel.scatter(shown, range(len(shown)), marker=marker, s=30, alpha=0.85, label=label)


# -- the results folder


def document(rows: Sequence[Row], command: str = "", failed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All that the rows need to be judged and run again."""
    return {
        "command": command,
        "board": board_of(rows),
        "versions": versions(),
        "machine": machine(),
        **({"failed": dict(failed)} if failed else {}),
        "rows": list(rows),
    }


def check_folder(folder: str | os.PathLike) -> Path:
    """Make the folder, and refuse now what `write` would refuse after the work.

    Raises:
        OSError: it, or one of its files, cannot be written; names it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (f"{NAME}.json", f"{NAME}.md", f"{NAME}.png", ROWS, *COSTS):
        check_writable(folder / name)
    return folder


def write(
    rows: Sequence[Row],
    folder: str | os.PathLike = "results",
    command: str = "",
    failed: Mapping[str, str] | None = None,
    costs: Sequence[Cost] = (),
) -> list[Path]:
    """leaderboard.json, .md and, where matplotlib is installed, .png; each appears whole or not at all.

    `failed`: who made which mistake, and has no rows. `costs`: what was measured beside the rows, of which
    leaderboard-costs.json and .md are written; without, there are none.

    Raises:
        OSError: one cannot be written; names it.
    """
    folder = check_folder(folder)
    whole = json.dumps(document(rows, command, failed), indent=1) + "\n"
    texts = {".json": whole, ".md": markdown(rows, command, failed)}
    files = {suffix: text.encode("utf-8", "backslashreplace") for suffix, text in texts.items()}
    try:
        files[".png"] = picture(rows)
    except ModuleNotFoundError:
        (folder / f"{NAME}.png").unlink(missing_ok=True)  # it would show other rows
    paths = [write_whole(folder / f"{NAME}{suffix}", content) for suffix, content in files.items()]
    return paths + _write_costs(folder, costs)


def _write_costs(folder: Path, costs: Sequence[Cost]) -> list[Path]:
    """What was measured beside the rows; without it, what an earlier board measured goes."""
    if not costs:
        for name in COSTS:
            (folder / name).unlink(missing_ok=True)
        return []
    whole = json.dumps(costs_document(costs), indent=1) + "\n"
    return [
        write_whole(folder / name, text.encode("utf-8", "backslashreplace"))
        for name, text in zip(COSTS, (whole, costs_markdown(costs)), strict=True)
    ]
