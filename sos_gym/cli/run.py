"""sos-gym run: one episode, its metrics and, if wanted, its pictures."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

import sos_gym
from sos_gym.cli.names import env_named, notes, settings_of, tape_of
from sos_gym.cli.printing import COMPILING, grid
from sos_gym.settings.presets import PRESETS

if TYPE_CHECKING:
    from sos_gym.envs.env import SosEnv

DECISIONS_SHOWN = (0, 10, 100)  # of --render, besides the end


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
    table = grid("metric", "value", title=f"{policy} on {env_id}, seed {seed}")
    table.columns[1].justify = "right"
    for name, value in found.items():
        if not isinstance(value, str) and name != "seed":
            table.add_row(name, f"{value:,}" if isinstance(value, int) else f"{value:,.4g}")
    console.print(table)
    if picture:
        console.print(f"written: {picture}", soft_wrap=True)


def _watched(env: "SosEnv", policy: str, seed: int, console: Console | None) -> dict[str, Any]:
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


def _show(console: Console, env: "SosEnv") -> None:
    from sos_gym.envs.render import ansi

    console.print(Text.from_ansi(ansi(env)), soft_wrap=True)
    console.print()


def _save_picture(env: "SosEnv", path: Path) -> None:
    from matplotlib.image import imsave

    from sos_gym.envs.render import timeline

    imsave(path, timeline(env), format="png")
