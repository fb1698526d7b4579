"""How much there is to gain on each workload: python benchmarks/references.py [--episodes 8] --out docs/references.md

Every registered policy on every family and recording, on the id that it is meant for; a bar shows how far it is.
"""

import argparse
import os
from pathlib import Path

from rich.progress import track

import sos_gym
from sos_gym import evaluate, policies
from sos_gym.bounds import stall_bound_ns
from sos_gym.cards import table
from sos_gym.leaderboard.grid import fitted
from sos_gym.leaderboard.standing import STALL
from sos_gym.scenario import Scenario
from sos_gym.workload.families.registry import FAMILIES
from sos_gym.workload.forecast import is_informed

IDS = {"memory": "sos/Memory-v0", "tier": "sos/Tier-v0", "cpu": "sos/CPU-v0", "joint": "sos/System-v0"}
SATURATED = 0.03  # of the best heuristic's stall
INTRODUCTION = """# What is possible

Written by `{command}`. Weighted stall as a share of lottery's, over {episodes} paired episodes of seeds 0 to {last} of
the split `val` under each id's settings; a recording is one episode, in frames for a quarter of its pages or on its own
cores.

- **best heuristic**: the least of all registered policies that know nothing of the tape.
- **informed**: knows the family's generator and its parameters, not what was drawn: A0 on pages (the page with the
  longest mean time to its next use goes), the shortest mean rest on threads, where a core that is near counts as .5 ms
  (`sos_gym/policy/informed.py`). It is a rule too, and no bound: it looks at one resource and at each page or thread
  alone. Where it is behind, a heuristic gains more by what the two managers know of each other, or by leaving some
  threads without memory (`together`, `whole_sets`).
- **reference**: the least of all registered policies, tape by tape, clairvoyants too (`sos_gym.reference`). It is known
  to be possible to one who knows the tape.
- **bound**: nobody can stay below it; blank where nothing is proved (`sos_gym.references.stall_bound_ns` says what).
- **saturated**: informed saves less than {saturated:.0%} of the best heuristic's stall. A learner can hardly show
  anything there; take another family to compare learners.
"""


def row_of(name: str, episodes: int) -> list[str]:
    card = sos_gym.workloads()[name]
    env_id = IDS[card.side]
    settings = fitted(env_id, sos_gym.workload(name)) if card.recorded else {}
    count, split = (1, None) if card.recorded else (episodes, "val")

    def stalls(policy: str) -> list[int]:
        runs = evaluate(env_id, policy, name, episodes=count, split=split, workers=os.cpu_count() or 1, **settings)
        return [run[STALL] for run in runs]

    of_all = {policy: stalls(policy) for policy in policies()}
    total = {policy: sum(values) for policy, values in of_all.items()}
    blind = [policy for policy, card in policies().items() if not card.privileged]
    best = min(blind, key=lambda policy: total[policy])
    reference = sum(min(values) for values in zip(*of_all.values(), strict=True))
    known = not card.recorded and is_informed(name)
    informed = sum(stalls("informed")) if known else None
    scenario = Scenario.of(env_id, name, split, **settings)
    tapes = [scenario.tape(seed) for seed in range(count)]
    bounds = [
        stall_bound_ns(tape, scenario.settings) if len(set(tape.threads["weight"])) == 1 else None for tape in tapes
    ]
    bound = None if None in bounds else sum(bounds)

    def share(stall: int | None) -> str:
        return "" if stall is None else f"{stall / max(total['lottery'], 1):.3f}"

    label = ""
    if informed is not None and total[best] - informed < SATURATED * total[best]:
        label = "saturated" if informed <= total[best] else "saturated; informed is behind"
    return [
        name,
        f"{total['lottery'] / count / 1e6:,.1f}".replace(",", " "),
        f"{share(total[best])} {best}",
        share(informed),
        share(reference),
        share(bound),
        label,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    names = [name for name in sos_gym.workloads() if name not in FAMILIES or not FAMILIES[name].by_split]
    rows = {name: row_of(name, given.episodes) for name in track(names, "policies on workloads")}
    command = f"python benchmarks/references.py --episodes {given.episodes} --out docs/references.md"
    said = INTRODUCTION.format(command=command, episodes=given.episodes, last=given.episodes - 1, saturated=SATURATED)
    head = ["workload", "lottery, ms", "best heuristic", "informed", "reference", "bound", ""]
    parts = [said]
    for side, env_id in IDS.items():
        of_side = [row for name, row in rows.items() if sos_gym.workloads()[name].side == side]
        parts.append(f"## {env_id}\n\n{table(head, of_side)}\n")
    given.out.write_text("\n".join(parts), encoding="utf-8")
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
