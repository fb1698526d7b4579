"""sos-gym run: episodes, their metrics and, if wanted, the pictures of one."""

import contextlib
import io
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import sos_gym
from sos_gym.cli.names import (
    KINDS_OF_SPECS,
    env_named,
    notes,
    policy_asked,
    refuse_unused,
    settings_of,
    split_named,
    tape_of,
)
from sos_gym.cli.printing import COMPILING, AsCsv, AsJson, Form, form_of, grid, print_records, show, terminal
from sos_gym.outputs import check_writable, write_whole
from sos_gym.settings.presets import PRESETS
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import Tape

if TYPE_CHECKING:
    from sos_gym.envs.env import SosEnv
    from sos_gym.loading.found import Found

DECISIONS_SHOWN = (0, 10, 100)  # of --render, besides the end


def run(
    env: Annotated[str, typer.Argument(help="Memory, CPU, System, Tier, or a full id.")],
    policy: Annotated[str, typer.Option(help=f"A name, {KINDS_OF_SPECS}")],
    workload: Annotated[str | None, typer.Option(help="A name, or a .npz tape; default: the environment's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the tape, the costs and the policy.")] = 0,
    episodes: Annotated[int, typer.Option(help="How many, of seeds SEED, SEED + 1, …")] = 1,
    split: Annotated[str | None, typer.Option(help="Draw the workload from train, val, test or ood.")] = None,
    given: Annotated[list[str] | None, typer.Option("--set", help="A setting, as frames=32; repeat for more.")] = None,
    render: Annotated[bool, typer.Option("--render", help="Show some decisions and the end as text.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write the timeline of slots as a PNG.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Run one episode, or some, and print metrics."""
    form = form_of(as_json, as_csv)
    console = terminal(form)
    with console.status(COMPILING), _printing(form):
        env_id, split = env_named(env), split_named(split, workload)
        settings = settings_of(given, PRESETS[env_id].settings) | {"split": split}
        if picture:
            _check_picture(picture)
        chosen = policy_asked(policy)
        settings = {**chosen.settings, **settings}
        for note in notes([chosen]):
            console.print(note)
        if render or picture:
            if episodes != 1:
                raise SettingError("--episodes", episodes, "1 with --render or --picture", "show one at a time")
            world = _world(env_id, chosen, tape_of(workload), "rgb_array" if picture else "ansi", settings)
            found = [_watched(world, chosen, seed, console if render else None)]
        else:
            found = sos_gym.evaluate(env_id, chosen.policy, tape_of(workload), seed, episodes, **settings)
        found = [{**one, "policy": chosen.spec} for one in found]
        refuse_unused(env_id, workload, found)
        if picture:
            _save_picture(world, picture)
    if form is Form.TABLES:
        show(console, _table(found, f"{policy}{' †' * found[0]['privileged']} on {env_id}"))
    else:
        print_records(form, found)
    if picture:
        console.print(f"written: {picture}", soft_wrap=True)


def _printing(form: Form) -> contextlib.AbstractContextManager:
    """What a policy prints goes to stderr while a program reads stdout."""
    return contextlib.nullcontext() if form is Form.TABLES else contextlib.redirect_stdout(sys.stderr)


def _table(found: Sequence[dict[str, Any]], title: str) -> Table:
    """Each metric; of several episodes the mean and the range."""
    first = found[0]
    names = [name for name, value in first.items() if not isinstance(value, (str, bool)) and name != "seed"]
    if len(found) == 1:
        table = grid("metric", "value", title=f"{title}, seed {first['seed']}")
    else:
        table = grid("metric", "mean", "least", "most", title=f"{title}, seeds {first['seed']} to {found[-1]['seed']}")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in names:
        values = [one[name] for one in found]
        shown = values if len(found) == 1 else (sum(values) / len(values), min(values), max(values))
        table.add_row(name, *map(_number, shown))
    return table


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _world(env_id: str, chosen: "Found", workload: str | Tape | None, mode: str, settings: dict[str, Any]) -> "SosEnv":
    """An environment to watch it in; a policy of the engine advises there."""
    advisors = {} if chosen.is_callable else {"advisors": (chosen.policy,)}
    return sos_gym.SosEnv(env_id, workload, render_mode=mode, **{**settings, **advisors})


def _watched(env: "SosEnv", chosen: "Found", seed: int, console: Console | None) -> dict[str, Any]:
    """What `evaluate` says of the episode, decision by decision; the console is shown some and the end."""
    observation, info = env.reset(seed=seed)
    for number in itertools.count():
        if console and number in DECISIONS_SHOWN:
            _show(console, env)
        observation, *_, terminated, truncated, info = env.step(_row(env, chosen, observation, info))
        if terminated or truncated:
            break
    if console:
        _show(console, env)
    about = {"env": env.preset.id, "policy": chosen.spec, "seed": seed}
    return about | {"tape": env.simulation.tape.hash(), "privileged": info["privileged"]} | info["metrics"]


def _row(env: "SosEnv", chosen: "Found", observation: Any, info: Any) -> int:
    """What it chooses; on a tape without a decision nobody is asked."""
    if chosen.is_callable:
        return chosen.policy(observation, info) if info["decision"]["open"] else 0
    return info["advice"].get(env.advisors[0], 0)


def _show(console: Console, env: "SosEnv") -> None:
    from sos_gym.envs.render import ansi

    console.print(Text.from_ansi(ansi(env)), soft_wrap=True)
    console.print()


def _check_picture(path: Path) -> None:
    """Refuse now what would be refused after the run."""
    import matplotlib.image  # noqa: F401  # whether it is installed

    check_writable(path)


def _save_picture(env: "SosEnv", path: Path) -> None:
    from matplotlib.image import imsave

    from sos_gym.envs.render import timeline

    file = io.BytesIO()
    imsave(file, timeline(env), format="png")
    write_whole(path, file.getvalue())
