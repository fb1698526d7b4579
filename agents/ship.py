"""Put the claim of a run into the package, with its card: python agents/ship.py runs/generalist-memory-0

The card says how it was trained, from the run's own files: configuration, command, versions, machine, the curve's last
row, and how it stood on val. In the package the claim has the configuration's name; one that is there is replaced.
"""

import argparse
import json
from pathlib import Path

import distill
import one_line
import search
import yaml
from cases import cases_of
from configuration import checked

from sos_gym import LearnedClaim, SettingError
from sos_gym.outputs import write_whole
from sos_gym.shipped import FOLDER

NEEDED = ("claim.npz", "config.yaml", "about.json", "curve.jsonl", "val.json")


def card_of(run: Path) -> dict:
    """What is to be known of a claim, from the folder of its run.

    Raises:
        SettingError: it is no run of a search that came to its end.
    """
    missing = [name for name in NEEDED if not (run / name).exists()]
    if missing:
        raise SettingError(
            "run", str(run), f"the folder of a finished run, with {', '.join(missing)}", "train it to its end"
        )
    claim, config = LearnedClaim.load(run / "claim.npz"), yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    if config["algorithm"] not in EPISODES:
        allowed = f"one of the algorithms {', '.join(EPISODES)}, not {config['algorithm']}"
        raise SettingError("run", str(run), allowed, "ship one of those")
    curve = [json.loads(line) for line in (run / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "config": config,
        "about": json.loads((run / "about.json").read_text(encoding="utf-8")),
        "last": curve[-1],
        "looks": len(curve),
        "elapsed_s": round((run / "val.json").stat().st_mtime - (run / "config.yaml").stat().st_mtime),  # and pauses
        "episodes": EPISODES[config["algorithm"]](config),
        "val": json.loads((run / "val.json").read_text(encoding="utf-8")),
        "sizes": claim.sizes.tolist(),
        "weights": len(claim.weights),
        "privileged": claim.privileged,
    }


def searched(config: dict) -> int:
    """Episodes of a search."""
    given = checked(search.Training, config, "config.yaml")
    envs = [case.env for case in cases_of(given.envs, given.workloads, "train")]

    def cases(most: int) -> int:
        return sum(min(most or len(envs), envs.count(env)) for env in given.envs)

    stages = given.shortened
    return sum(one.generations * one.population * cases(given.cases_in(one)) for one in stages) * given.episodes


def distilled(config: dict) -> int:
    """Episodes of a distillation, without those of its teachers."""
    given = checked(distill.Training, config, "config.yaml")
    return given.rounds * given.episodes * len(cases_of(given.envs, given.workloads, "train"))


EPISODES = {"search": searched, "distill": distilled}


def ship(run: Path, folder: Path = FOLDER) -> Path:
    """Copy the claim, and write its card; the folder that has both."""
    card = card_of(run)
    home = folder / card["config"]["name"]
    home.mkdir(parents=True, exist_ok=True)
    write_whole(home / "claim.npz", (run / "claim.npz").read_bytes())
    write_whole(home / "card.json", (json.dumps(card, indent=1) + "\n").encode())
    return home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    for run in parser.parse_args().runs:
        print(f"shipped {ship(run)}")


if __name__ == "__main__":
    one_line.run(main)
