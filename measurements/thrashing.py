"""Where things break: throughput against the degree of multiprogramming, and what threads lose to inverted priorities.

    python -m measurements.thrashing [--episodes 8] [--out docs/thrashing.md]

Throughput is service of all processes over elapsed time, on two cores at most 2; mean over episodes of the `train`
split of `thrashing` on System. The second table is `inversion` on CPU. With --out what stands below the mark in the
page is replaced, and the picture is drawn beside it.
"""

from pathlib import Path

import matplotlib
import numpy as np
from rich.progress import track

import sos_gym
from measurements import page
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS

matplotlib.use("Agg")
from matplotlib import pyplot

MARK = "<!-- below: measurements/thrashing.py -->\n"
SEED = 0
SPLIT = "train"
DEGREES = (1, 2, 4, 6, 8, 10, 12, 16, 24, 32, 48)
FRAMES = PRESETS["sos/System-v0"].settings["frames"]
CURVES = ("turns + recency", "fair_share", "guard", "guard(room=1)", "guard(room=1, stay=2e+07)")
AMONG_LOCKS = ("inheritance", "priority", "edf", "shortest", "turns", "fair_share", "eevdf", "lottery")


def throughput(policy: str, degree: int, episodes: int) -> float:
    """Cores' worth of service."""
    name = f"thrashing(degree={degree})"
    runs = sos_gym.evaluate("sos/System-v0", policy, name, SEED, episodes, SPLIT)
    return float(np.mean([run["service_ns"] / run["elapsed_ns"] for run in runs]))


def curves(episodes: int) -> dict[str, list[float]]:
    """Of each policy, by degree."""
    return {
        name: [throughput(name, degree, episodes) for degree in DEGREES]
        for name in track(CURVES, "policies", auto_refresh=False)
    }


def inversions(episodes: int) -> list[list[str]]:
    """A row per policy, the best first."""
    found = {name: sos_gym.evaluate("sos/CPU-v0", name, "inversion", SEED, episodes, SPLIT) for name in AMONG_LOCKS}
    means = {
        name: [np.mean([run[key] for run in runs]) / 1e6 for key in ("weighted_stall_ns", "lock_wait_ns", "stall_ns")]
        for name, runs in found.items()
    }
    order = sorted(means, key=lambda name: means[name][0])
    return [[f"`{name}`", *(f"{ms:.0f}" for ms in means[name])] for name in order]


def picture(measured: dict[str, list[float]], working_set: int, frames: int, path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for name, values in measured.items():
        axes.plot(DEGREES, values, marker=".", label=name)
    axes.axvline(frames / working_set, color="grey", linestyle=":")
    axes.text(frames / working_set, 0.02, " all frames in use", fontsize=7, color="grey")
    axes.set(xlabel="degree of multiprogramming", ylabel="throughput, cores", ylim=(0, None), xscale="log")
    axes.set_xticks(DEGREES, map(str, DEGREES))
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def main() -> None:
    given = page.options(__doc__, episodes=8)
    measured = curves(given.episodes)
    tape = sos_gym.workload("thrashing", degree=1)
    rows = [[f"`{name}`", *(f"{value:.2f}" for value in values)] for name, values in measured.items()]
    locks = table(["policy", "weighted stall ms", "lock wait ms", "stall ms"], inversions(given.episodes), "lrrr")
    parts = [page.made(), table(["degree", *map(str, DEGREES)], rows, "l" + "r" * len(DEGREES))]
    if given.out:
        picture(measured, len(tape.pages), FRAMES, given.out.with_suffix(".png"))
        parts.append(f"![throughput against degree]({given.out.with_suffix('.png').name})")
    prose = given.out.read_text(encoding="utf-8").split(MARK)[0] if given.out and given.out.exists() else ""
    page.put(prose + MARK + "\n" + "\n\n".join([*parts, "### inversion on CPU", locks]) + "\n", given.out)


if __name__ == "__main__":
    main()
