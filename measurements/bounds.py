"""How much there is to gain on each workload: python -m measurements.bounds [--episodes 8] --out docs/bounds.md

Every registered policy on every family and recording, on the id that it is meant for; a bar shows how far it is.
"""

import os

from rich.progress import track

import sos_gym
from measurements import page
from sos_gym import evaluate, policies
from sos_gym.bounds import stall_bound_ns
from sos_gym.leaderboard.grid import fitted
from sos_gym.leaderboard.standing import STALL
from sos_gym.markdown import number, table
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
  (`sos_gym/policy/oracles/informed.py`). It is a rule too, and no bound: it looks at one resource and at each page or
  thread alone. Where it is behind, a heuristic gains more by what the two managers know of each other, or by leaving
  some threads without memory (`together`, `whole_sets`).
- **best known**: the least of all registered policies, tape by tape, clairvoyants too (`sos_gym.best_known`). It is
  known to be possible to one who knows the tape.
- **bound**: nobody can stay below it; blank where nothing is proved (`sos_gym.bounds.stall_bound_ns` says what).
- **saturated**: informed saves less than {saturated:.0%} of the best heuristic's stall. A learner can hardly show
  anything there; take another family to compare learners.
"""


def row_of(name: str, episodes: int) -> list[str]:
    """The line of one workload."""
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
    best_known = sum(min(values) for values in zip(*of_all.values(), strict=True))
    known = not card.recorded and is_informed(name)
    informed = sum(stalls("informed")) if known else None
    scenario = Scenario.of(env_id, name, split, **settings)

    def share(stall: int | None) -> str:
        return "" if stall is None else f"{stall / max(total['lottery'], 1):.3f}"

    return [
        name,
        number(total["lottery"] / count / 1e6, 1),
        f"{share(total[best])} {best}",
        share(informed),
        share(best_known),
        share(bound_of(scenario, count)),
        "" if informed is None else label_of(informed, total[best]),
    ]


def bound_of(scenario: Scenario, episodes: int) -> int | None:
    """The sum of the proved bounds, ns; None unless there is one for each tape, and all its threads weigh the same."""
    tapes = [scenario.tape(seed) for seed in range(episodes)]
    alike = [len(set(tape.threads["weight"])) == 1 for tape in tapes]
    bounds = [stall_bound_ns(tape, scenario.settings) for tape in tapes] if all(alike) else [None]
    return None if None in bounds else sum(bounds)


def label_of(informed: int, best: int) -> str:
    """Whether there is little to gain; stalls in ns, `best` of the heuristics: label_of(98, 100) is saturated."""
    if best - informed >= SATURATED * best:
        return ""
    return "saturated" if informed <= best else "saturated; informed is behind"


def main() -> None:
    given = page.options(__doc__, episodes=8)
    names = [name for name in sos_gym.workloads() if name not in FAMILIES or not FAMILIES[name].by_split]
    rows = {name: row_of(name, given.episodes) for name in track(names, "policies on workloads", auto_refresh=False)}
    head = ["workload", "lottery, ms", "best heuristic", "informed", "best known", "bound", ""]
    parts = [
        INTRODUCTION.format(
            command=page.command(), episodes=given.episodes, last=given.episodes - 1, saturated=SATURATED
        )
    ]
    for side, env_id in IDS.items():
        of_side = [row for name, row in rows.items() if sos_gym.workloads()[name].side == side]
        parts.append(f"## {env_id}\n\n{table(head, of_side)}\n")
    page.put("\n".join(parts), given.out)


if __name__ == "__main__":
    main()
