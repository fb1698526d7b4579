"""The command line: sos-gym leaderboard | run | workloads | policies | import.

What needs compiled kernels is imported inside the commands, so that help and errors come at once.
"""

import ast
import difflib
import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

import sos_gym
from sos_gym.cli.importing import command as import_trace
from sos_gym.cli.recording import command as record_program
from sos_gym.settings.environment import build_settings
from sos_gym.settings.presets import PRESETS
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import Tape, TapeError
from sos_gym.workload import workloads as workload_cards

if TYPE_CHECKING:
    from sos_gym.leaderboard.grid import Row
    from sos_gym.leaderboard.standing import Standing
    from sos_gym.policy.contract import Policy
    from sos_gym.settings.ranges import Parameter
    from sos_gym.workload import Card

COMPILING = "compiling kernels (first time only, about a minute)"
DECISIONS_SHOWN = (0, 10, 100)  # of --render, besides the end


class Plainly(TyperGroup):
    """Says what the caller got wrong in one line on stderr, exit code 2."""

    def invoke(self, ctx):  # type: ignore[no-untyped-def]
        try:
            return super().invoke(ctx)
        except (SettingError, TapeError, sos_gym.StuckError) as error:
            said = str(error)
        except OSError as error:
            said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "matplotlib":
                raise
            said = "a picture needs matplotlib: pip install 'sos-gym[plot]'"
        typer.echo(f"sos-gym: {' '.join(said.split())}", err=True)
        raise typer.Exit(2)


app = typer.Typer(
    cls=Plainly,
    help="Schedulers and memory managers as one Gymnasium family.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("import")(import_trace)
app.command("record")(record_program)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sos-gym {sos_gym.__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# -- leaderboard


@app.command()
def leaderboard(
    envs: Annotated[list[str] | None, typer.Option(help="Ids such as Memory,CPU; default: all.")] = None,
    policies: Annotated[list[str] | None, typer.Option(help="Names or aliases such as lru,cfs; default: all.")] = None,
    workloads: Annotated[
        list[str] | None,
        typer.Option(help="Names or .npz tapes; default: each id's own, recordings of the test split."),
    ] = None,
    episodes: Annotated[int, typer.Option(help="Seeds per policy and workload.")] = 5,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for leaderboard.json, .md, .png.")] = Path("results"),
    quick: Annotated[bool, typer.Option("--quick", help="One seed, no recordings: a first look.")] = False,
) -> None:
    """Run policies × environments × workloads and rank them by stall."""
    console = Console()
    with _progress(console) as progress:
        from sos_gym.leaderboard import leaderboard as run_grid
        from sos_gym.leaderboard import standings, write

        chosen = {"envs": _split(envs), "policies": _split(policies), "workloads": _split(workloads)}
        ids = [env_named(name) for name in chosen["envs"] or PRESETS]
        for note in notes(chosen["policies"]):
            progress.console.print(note)
        episodes = 1 if quick else episodes
        rows = run_grid(
            ids,
            chosen["policies"] or None,
            chosen["workloads"] or None,
            seed,
            episodes,
            recordings=not quick,
            progress=_as_they_come(progress, episodes),
        )
    paths = write(rows, out, _command(chosen, episodes, seed, quick))
    print_standings(console, standings(rows))
    console.print("written: " + ", ".join(map(str, paths)), soft_wrap=True)
    if not any(path.suffix == ".png" for path in paths):
        console.print("no picture: it needs matplotlib, pip install 'sos-gym\\[plot]'")


def _split(values: Sequence[str] | None) -> list[str]:
    """Repeated and comma-separated values alike."""
    outside = re.compile(r",(?![^(]*\))")  # commas that are not within the parentheses of a policy's parameters
    return [part.strip() for value in values or () for part in outside.split(value) if part.strip()]


def _command(chosen: dict[str, list[str]], episodes: int, seed: int, quick: bool) -> str:
    words = ["sos-gym", "leaderboard"]
    for name, values in chosen.items():
        words += [f"--{name}", ",".join(values)] if values else []
    return shlex.join([*words, "--episodes", str(episodes), "--seed", str(seed), *(["--quick"] if quick else [])])


def _progress(console: Console) -> Progress:
    """Running from the first moment: it starts with the compiler's spinner."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(COMPILING, total=None)
    return progress


def _as_they_come(progress: Progress, episodes: int) -> "Callable[[Row, int, int], None]":
    """A callback that prints a line whenever a policy is through with a group."""
    from sos_gym.leaderboard.standing import STALL, group_name

    stalls: list[float] = []

    def show(row: "Row", done: int, total: int) -> None:
        progress.update(progress.task_ids[0], completed=done, total=total, description=group_name(row))
        stalls.append(row["metrics"][STALL])
        if len(stalls) == episodes:
            mean_ms = sum(stalls) / episodes / 1e6
            progress.console.print(f"{group_name(row):<26} {row['policy']:<16} stall {mean_ms:>10,.1f} ms")
            stalls.clear()

    return show


def print_standings(console: Console, found: "Sequence[Standing]") -> None:
    """Stall ratio and score per family, then the headline."""
    from sos_gym.leaderboard.report import EXPLANATION, LEGEND, marked, worst_family
    from sos_gym.markdown import rounded

    groups = dict.fromkeys(group for one in found for group in one.places)
    for env, of_env in itertools.groupby(groups, key=lambda group: group.split(" ", 1)[0]):
        names = list(of_env)
        table = _grid("policy", title=f"{env}: stall ratio (score)")
        for name in names:
            table.add_column(name.split(" ", 1)[1], justify="right")
        for one in found:
            cells = (f"{rounded(one.places[name].ratio)} ({rounded(one.places[name].score)})" for name in names)
            table.add_row(marked(one), *cells)
        console.print(table)
    headline = _grid("policy", "stall ratio", "worst family", title="All")
    headline.columns[1].justify = "right"
    for one in found:
        headline.add_row(marked(one), rounded(one.ratio), worst_family(one))
    console.print(headline)
    console.print(f"{EXPLANATION} {LEGEND}", style="dim")


# -- run


@app.command()
def run(
    env: Annotated[str, typer.Argument(help="Memory, CPU, System, Tier, or a full id.")],
    policy: Annotated[str, typer.Option(help="A name or alias, see `sos-gym policies`.")],
    workload: Annotated[str | None, typer.Option(help="A name, or a .npz tape; default: the environment's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the tape, the costs and the policy.")] = 0,
    given: Annotated[list[str] | None, typer.Option("--set", help="A setting, as frames=32; repeat for more.")] = None,
    render: Annotated[bool, typer.Option("--render", help="Show some decisions and the end as text.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write the timeline of slots as a PNG.")] = None,
) -> None:
    """Run one episode and print its metrics."""
    console = Console()
    with console.status(COMPILING):
        env_id = env_named(env)
        settings = settings_of(given, PRESETS[env_id].settings)
        for note in notes([policy]):
            console.print(note)
        if render or picture:
            mode = "rgb_array" if picture else "ansi"
            world = sos_gym.SosEnv(env_id, tape_of(workload), advisors=(policy,), render_mode=mode, **settings)
            found = _watched(world, policy, seed, console if render else None)
            if picture:
                _save_picture(world, picture)
        else:
            found = sos_gym.evaluate(env_id, policy, tape_of(workload), seed, **settings)[0]
    table = _grid("metric", "value", title=f"{policy} on {env_id}, seed {seed}")
    table.columns[1].justify = "right"
    for name, value in found.items():
        if not isinstance(value, str) and name != "seed":
            table.add_row(name, f"{value:,}" if isinstance(value, int) else f"{value:,.4g}")
    console.print(table)
    if picture:
        console.print(f"written: {picture}", soft_wrap=True)


def _watched(env: sos_gym.SosEnv, policy: str, seed: int, console: Console | None) -> dict[str, Any]:
    """The metrics of the same episode, decision by decision; the console is shown some and the end."""
    _, info = env.reset(seed=seed)
    for number in itertools.count():
        if console and number in DECISIONS_SHOWN:
            _show(console, env)
        *_, terminated, truncated, info = env.step(info["advice"].get(policy, 0))
        if terminated or truncated:
            break
    if console:
        _show(console, env)
    return info["metrics"]


def _show(console: Console, env: sos_gym.SosEnv) -> None:
    from sos_gym.envs.render import ansi

    console.print(Text.from_ansi(ansi(env)), soft_wrap=True)
    console.print()


def _save_picture(env: sos_gym.SosEnv, path: Path) -> None:
    from matplotlib.image import imsave

    from sos_gym.envs.render import timeline

    imsave(path, timeline(env), format="png")


# -- what the caller names


def env_named(name: str) -> str:
    """Memory, memory and sos/Memory-v0 are sos/Memory-v0.

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    known = {env.removeprefix("sos/").removesuffix("-v0").lower(): env for env in PRESETS}
    short = name.lower().removeprefix("sos/").removesuffix("-v0")
    if short not in known:
        near = difflib.get_close_matches(short, known, 1)
        remedy = f"did you mean {known[near[0]]!r}?" if near else "use one of these"
        raise SettingError("env", name, "one of " + ", ".join(PRESETS), remedy)
    return known[short]


def tape_of(workload: str | None) -> str | Tape | None:
    """The path of a .npz as its tape; a name as it is."""
    return Tape.load(workload) if workload is not None and workload.endswith(".npz") else workload


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


def notes(policies: Sequence[str]) -> Iterator[str]:
    """What an alias may be mistaken for: fifo is turns."""
    from sos_gym.policy import policy_named

    for name in policies:
        policy = policy_named(name)
        if policy.not_to_be_confused and name.lower() != policy.name:
            yield f"{name} is the rule `{policy.name}` — not to be confused with {policy.not_to_be_confused}"


# -- lists and cards


@app.command()
def workloads(name: Annotated[str | None, typer.Argument(help="Show its card.")] = None) -> None:
    """List the workloads, or show the card of one."""
    cards = workload_cards()
    if name is not None:
        Console().print(_workload_card(cards[_known("workload", name, cards)]))
        return
    table = _grid("workload", "side", "kind", "what")
    for card in cards.values():
        table.add_row(card.name, card.side, "recorded" if card.recorded else "drawn", card.summary)
    Console().print(table)


def _workload_card(card: "Card") -> Group:
    facts = {"what": card.summary, "side": card.side, "source": card.source}
    return _with_parameters(_facts(card.name, facts), card.parameters)


def _with_parameters(facts: Table, parameters: "Mapping[str, Parameter]") -> Group:
    """A card, and a table of what can be changed."""
    if not parameters:
        return Group(facts)
    table = _grid("parameter", "default", "unit", "from", "to", "more of it")
    for name, parameter in parameters.items():
        numbers = (f"{value:,}" for value in (parameter.low, parameter.high))
        table.add_row(name, f"{parameter.default:,}", parameter.unit, *numbers, parameter.effect)
    return Group(facts, table)


@app.command()
def policies(name: Annotated[str | None, typer.Argument(help="Show its card; an alias does.")] = None) -> None:
    """List the policies, or show the card of one."""
    from sos_gym.policy import policies as policy_cards
    from sos_gym.policy import policy_named

    if name is not None:
        Console().print(_policy_card(policy_named(name)))
        return
    table = _grid("policy", "also known as", "what")
    for policy in policy_cards().values():
        table.add_row(policy.name + (" †" if policy.privileged else ""), ", ".join(policy.aliases), policy.summary)
    Console().print(table, "† knows the future")


def _policy_card(policy: "Policy") -> Group:
    facts = {
        "what": policy.summary,
        "also known as": ", ".join(policy.aliases),
        "not to be confused with": policy.not_to_be_confused,
        "on cores": policy.on_cores,
        "on frames": policy.on_frames,
        "reads": policy.reads,
        "ties": policy.ties,
        "source": policy.source,
    }
    return _with_parameters(_facts(policy.name + (" †" if policy.privileged else ""), facts), policy.parameters)


def _facts(title: str, facts: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, title=title, title_justify="left", title_style="bold")
    for name, value in facts.items():
        if value:
            table.add_row(f"[dim]{name}[/]", escape(value))
    return table


def _grid(*heads: str, title: str | None = None) -> Table:
    return Table(*heads, box=box.SIMPLE_HEAD, title=title, title_justify="left")


def _known(what: str, name: str, known: Iterable[str]) -> str:
    """The name itself.

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    if name not in (names := list(known)):
        near = difflib.get_close_matches(name, names, 1)
        raise SettingError(what, name, "one of " + ", ".join(names), f"did you mean {near[0]!r}?" if near else "choose")
    return name


if __name__ == "__main__":
    app()
