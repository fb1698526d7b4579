"""sos-gym leaderboard: every policy on every environment, ranked by stall."""

import contextlib
import dataclasses
import itertools
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from sos_gym.cli.names import KINDS_OF_SPECS, env_named, notes, policy_asked
from sos_gym.cli.printing import AsCsv, AsJson, Form, bar, form_of, grid, print_records, said_of, show, terminal
from sos_gym.loading.spec import specs_in
from sos_gym.settings.presets import PRESETS
from sos_gym.settings.ranges import SettingError

if TYPE_CHECKING:
    from rich.table import Table

    from sos_gym.leaderboard.certainty import Certainty
    from sos_gym.leaderboard.costs import Cost
    from sos_gym.leaderboard.grid import Plan
    from sos_gym.leaderboard.rows import Row
    from sos_gym.leaderboard.standing import Standing


FULL = 20  # seeds


def leaderboard(
    envs: Annotated[list[str] | None, typer.Option(help="Ids such as Memory,CPU; default: all.")] = None,
    policies: Annotated[
        list[str] | None, typer.Option(help=f"Names such as lru,cfs, {KINDS_OF_SPECS} Default: all names.")
    ] = None,
    workloads: Annotated[
        list[str] | None,
        typer.Option(help="Names or .npz tapes; default: each id's own, recordings of the test split."),
    ] = None,
    episodes: Annotated[int, typer.Option(help="Seeds per policy and workload.")] = 5,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for leaderboard.json, .md, .png, and .jsonl: the rows as they come.")
    ] = Path("results"),
    full: Annotated[bool, typer.Option("--full", help="Twenty seeds: intervals that tell policies apart.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One seed, each id's own family alone: a first look.")] = False,
    large: Annotated[
        bool, typer.Option("--large", help="A group per id at real size too: minutes per policy; best --episodes 1.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run into the same folder was stopped; same result.")
    ] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Run policies × environments × workloads and rank them by stall.

    A policy that makes a mistake is left out and named; the exit code is 2 then, and the others are ranked.
    """
    form = form_of(as_json, as_csv)
    console = terminal(form)
    chosen = {"envs": _split(envs), "policies": _specs(policies), "workloads": _split(workloads)}
    if quick and full:
        raise SettingError("--full", True, "given without --quick", "choose one of them")
    episodes, failed = 1 if quick else FULL if full else episodes, dict[str, str]()
    with contextlib.redirect_stdout(sys.stderr) if form is not Form.TABLES else contextlib.nullcontext():
        rows, costs = _run(console, chosen, seed, episodes, not quick, large, out, resume, failed)
    if rows:
        _report(console, form, rows, costs, out, _command(chosen, episodes, seed, quick, large), failed)
    for name, mistake in failed.items():
        typer.echo(f"sos-gym: {name} is left out: {mistake}", err=True)
    if failed:
        raise typer.Exit(2)


def _report(
    console: Console,
    form: Form,
    rows: "list[Row]",
    costs: "list[Cost]",
    out: Path,
    command: str,
    failed: dict[str, str],
) -> None:
    """The files, and the standings in the form that is wanted."""
    from sos_gym.leaderboard import standings, write
    from sos_gym.leaderboard.certainty import certainties
    from sos_gym.leaderboard.charged import charged_standings

    paths, found, paid = write(rows, out, command, failed, costs), standings(rows), charged_standings(rows)
    sure = certainties(rows, found)
    if form is Form.TABLES:
        print_standings(console, found, sure)
        print_costs(console, costs, found, paid)
    else:
        print_records(form, records(found, paid, costs, sure))
    console.print("written: " + ", ".join(map(str, paths)), soft_wrap=True)
    if not any(path.suffix == ".png" for path in paths):
        console.print("no picture: it needs matplotlib, pip install 'sos-gym[plot]'")


def _run(
    console: Console,
    chosen: dict[str, list[str]],
    seed: int,
    episodes: int,
    recordings: bool,
    large: bool,
    out: Path,
    resume: bool,
    failed: dict[str, str],
) -> "tuple[list[Row], list[Cost]]":
    """The rows, of which those that are there at an interruption are kept; then what deciding costs.

    `failed` gets who made which mistake.
    """
    with bar(console) as progress:
        from sos_gym.leaderboard.costs import costs
        from sos_gym.leaderboard.grid import planned, run
        from sos_gym.leaderboard.report import ROWS, check_folder

        ids = [env_named(name) for name in chosen["envs"] or PRESETS]
        policies = [policy_asked(spec) for spec in chosen["policies"]]
        for note in notes(policies):
            progress.console.print(note)
        named = chosen["workloads"] or None
        plan = planned(ids, policies or None, named, seed, episodes, "test", recordings, large)
        kept = check_folder(out) / ROWS
        if not resume and (aside := _set_aside(kept)):
            progress.console.print(f"rows of a run that was stopped are now in {aside}", soft_wrap=True)
        try:
            rows = run(plan, _as_they_come(progress, plan), kept, resume, _noting(progress, failed))
            return rows, costs(plan, _measuring(progress, plan), failed)
        except (KeyboardInterrupt, OSError):
            typer.echo(f"sos-gym: the rows so far are in {kept}; --resume goes on", err=True)
            raise


def _measuring(progress: Progress, plan: "Plan") -> Callable[[str], None]:
    """A callback that shows whose decisions are measured."""
    measured = itertools.count()

    def tell(name: str) -> None:
        done, total = next(measured), len(plan.entries)
        progress.update(progress.task_ids[0], completed=done, total=total, description=f"cost of {name}")

    return tell


def _noting(progress: Progress, failed: dict[str, str]) -> Callable[[str, Exception], None]:
    """A callback that notes who failed, and how."""

    def note(name: str, mistake: Exception) -> None:
        failed[name] = said_of(mistake)
        progress.console.print(f"{name} made a mistake and is left out", soft_wrap=True)

    return note


def _set_aside(kept: Path) -> Path | None:
    """Where the rows of a run that was stopped are kept while another one starts anew."""
    finished = kept.with_suffix(".json")
    if not kept.exists() or (finished.exists() and finished.stat().st_mtime_ns >= kept.stat().st_mtime_ns):
        return None
    return kept.replace(kept.with_suffix(".jsonl.old"))


def _split(values: Sequence[str] | None) -> list[str]:
    """Repeated and comma-separated values alike."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]


def _specs(values: Sequence[str] | None) -> list[str]:
    """The same of policies, where commas between parentheses, and in paths, part nothing."""
    return [spec for value in values or () for spec in specs_in(value)]


def _command(chosen: dict[str, list[str]], episodes: int, seed: int, quick: bool, large: bool) -> str:
    words = ["sos-gym", "leaderboard"]
    for name, values in chosen.items():
        words += [f"--{name}", ",".join(values)] if values else []
    words += ["--episodes", str(episodes), "--seed", str(seed)]
    return shlex.join([*words, *["--quick"][:quick], *["--large"][:large]])


def _as_they_come(progress: Progress, plan: "Plan") -> "Callable[[Row, int, int], None]":
    """A callback that prints a line whenever a policy is through with a group."""
    from sos_gym.leaderboard.standing import STALL, group_names, group_of_row

    names = group_names([{"workload": group.workload} for group in plan.groups])
    stalls: list[float] = []
    shown: tuple[str, str] | None = None  # the group and the policy whose stalls these are

    def tell(row: "Row", done: int, total: int) -> None:
        nonlocal shown
        group = group_of_row(row, names)
        progress.update(progress.task_ids[0], completed=done, total=total, description=group)
        if shown != (group, row["policy"]):
            stalls.clear()  # of one that failed
        shown = group, row["policy"]
        stalls.append(row["metrics"][STALL])
        if len(stalls) == len(plan.seeds):
            mean_ms = sum(stalls) / len(stalls) / 1e6
            line = f"{group:<26} {row['called']:<16} weighted stall {mean_ms:>10,.1f} ms"
            progress.console.print(line, soft_wrap=True)
            stalls.clear()

    return tell


def print_standings(console: Console, found: "Sequence[Standing]", sure: "Mapping[str, Certainty]") -> None:
    """Stall ratio and score per family, then the headline, with how sure it is."""
    from sos_gym.leaderboard.report import EXPLANATION, LEGEND, SURE, WHICH_STALL, marked
    from sos_gym.markdown import rounded

    groups = dict.fromkeys(group for one in found for group in one.places)
    for env, of_env in itertools.groupby(groups, key=lambda group: group.split(" ", 1)[0]):
        names = list(of_env)
        families = (name.split(" ", 1)[1] for name in names)
        table = grid("policy", *families, title=f"{env}: weighted stall ratio (score)")
        for column in table.columns[1:]:
            column.justify = "right"
        for one in found:
            cells = (f"{rounded(one.places[name].ratio)} ({rounded(one.places[name].score)})" for name in names)
            table.add_row(marked(one), *cells)
        show(console, table)
    show(console, _headline(found, sure))
    console.print(" ".join([EXPLANATION, WHICH_STALL, *[SURE] * bool(sure), LEGEND]), style="dim")


def _headline(found: "Sequence[Standing]", sure: "Mapping[str, Certainty]") -> "Table":
    from sos_gym.leaderboard.report import SURE_HEADS, marked, sure_cells, worst_family
    from sos_gym.markdown import rounded

    table = grid("policy", "weighted stall ratio", *(SURE_HEADS if sure else ()), "worst family", title="All")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for one in found:
        cells = sure_cells(sure.get(one.policy)) if sure else ()
        table.add_row(marked(one), rounded(one.ratio), *cells, worst_family(one))
    return table


def print_costs(
    console: Console, costs: "Sequence[Cost]", found: "Sequence[Standing]", paid: "Sequence[Standing]"
) -> None:
    """What deciding costs, and the stall ratio with that charged, the least first; who has none comes last."""
    from sos_gym.leaderboard.deciding import cost_cells
    from sos_gym.leaderboard.report import marked
    from sos_gym.markdown import rounded

    names, ratios = {one.policy: marked(one) for one in found}, {one.policy: rounded(one.ratio) for one in paid}
    places = {one.policy: place for place, one in enumerate(paid)}
    ordered = sorted(costs, key=lambda one: places.get(one.policy, len(places)))
    table = grid("policy", "ratio, charged", "ns charged", "ns here", "B/page", "B/frame", title="Decisions")
    for column in table.columns[1:]:
        column.justify = "right"
    for one, cells in zip(ordered, cost_cells(ordered), strict=True):
        _, measured, charged, *kept = cells
        table.add_row(names[one.policy], ratios.get(one.policy, "–"), charged, measured, *kept)
    show(console, table)
    said = "Weighted stall ratio where each decision is charged as the policy's card says; ns of its own code per "
    console.print(f"{said}decision on this machine, which no row has; bytes that it keeps.", style="dim")


def records(
    found: "Sequence[Standing]",
    paid: "Sequence[Standing]" = (),
    costs: "Sequence[Cost]" = (),
    sure: "Mapping[str, Certainty] | None" = None,
) -> list[dict[str, Any]]:
    """One per policy and family, for programs; `paid`: the standings with decisions charged."""
    from sos_gym.leaderboard.certainty import track_of
    from sos_gym.leaderboard.deciding import cost_record

    deciding = {one.policy: cost_record(one) for one in costs}
    charged = {(one.policy, group): place for one in paid for group, place in one.places.items()}
    return [
        {
            "policy": one.policy,
            "called": one.called,
            "kind": one.kind,
            "privileged": one.privileged,
            "masked_out": one.masked_out,
            "family": group,
            "weighted_stall_ms": place.stall_ms,
            "plain_stall_ms": place.plain_ms,
            "stall_ratio": place.ratio,
            "score": place.score,
            "overall_stall_ratio": one.ratio,
            "track": track_of(one),
            **_sure_record((sure or {}).get(one.policy)),
            "charged_weighted_stall_ms": charged[key].stall_ms if (key := (one.policy, group)) in charged else None,
            "charged_stall_ratio": charged[key].ratio if key in charged else None,
            **deciding.get(one.policy, {}),
        }
        for one in found
        for group, place in one.places.items()
    ]


def _sure_record(one: "Certainty | None") -> dict[str, Any]:
    names = "overall_stall_ratio_low", "overall_stall_ratio_high", "place_first", "place_last"
    return dict(zip(names, dataclasses.astuple(one) if one else (None,) * len(names), strict=True))
