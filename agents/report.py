"""How a learned claim stands against named policies: the same episodes, in pairs."""

import io
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sos_gym import LearnedClaim, evaluate
from sos_gym.outputs import whole_file, write_whole
from sos_gym.policy import policy_named

DAGGER = " †"  # knows the future, or was paid by it in training
STUDENT_975 = 2.02  # of 40 episodes


def stalls(env: str, policy, split: str, seed: int, episodes: int, workers: int) -> np.ndarray:  # float (episodes,)
    """Weighted stall of each episode, ns."""
    runs = evaluate(env, policy, split=split, seed=seed, episodes=episodes, workers=workers)
    return np.array([run["weighted_stall_ns"] for run in runs])


def compare(env: str, claim: LearnedClaim, baselines: list[str], episodes: int, workers: int) -> Table:
    """On the val split: stall relative to the first baseline's, and what the claim saves of each one's, with 95 %."""
    found = {name: stalls(env, name, "val", 0, episodes, workers) for name in baselines}
    found[claim.__name__] = own = stalls(env, claim, "val", 0, episodes, workers)
    table = Table(
        "policy", f"stall / {baselines[0]}", "saved by the claim, %", title=f"{env}, val, {episodes} episodes"
    )
    for name, stall in sorted(found.items(), key=lambda item: item[1].mean()):
        saved = 100 * (1 - own / stall)
        error = STUDENT_975 * saved.std(ddof=1) / np.sqrt(episodes)
        words = "" if name == claim.__name__ else f"{saved.mean():.2f} ± {error:.2f}"
        table.add_row(_marked(name, claim), f"{stall.mean() / found[baselines[0]].mean():.4f}", words)
    return table


def _marked(name: str, claim: LearnedClaim) -> str:
    told = claim.privileged if name == claim.__name__ else policy_named(name).privileged
    return name + DAGGER * told


def draw(curve: list[float], label: str, path: Path) -> None:
    """The learning curve as a picture, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve)
    axes.axhline(1.0, color="grey", linewidth=0.8)
    axes.set_xlabel("step of training")
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)
    with whole_file(path) as file:
        figure.savefig(file, dpi=120, format=path.suffix[1:])


def finish(given, claim: LearnedClaim, curve: list[float], out: Path) -> None:
    """Write claim, curve and comparison to out/NAME, and show the comparison."""
    home = claim.save(out / given.name / "claim.npz").parent
    draw(curve, f"stall / {given.baselines[0]}", home / "curve.png")
    table = compare(given.env, claim, given.baselines, given.val_episodes, given.workers)
    Console().print(table)
    told = io.StringIO()
    Console(file=told, width=100).print(table)
    write_whole(home / "val.txt", told.getvalue().encode())
