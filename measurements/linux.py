"""How `linux`, the line to beat, stands beside what it should beat, on the recordings that ship.

    python -m measurements.linux [--out docs/linux.md]

Every recording on every id that its side fits, as on the leaderboard: on Memory a quarter of its pages as frames, on
Tier as many fast ones, on CPU its own cores, on System both. Weighted stall in ms, one episode: tape and policies leave
nothing to chance. Below, stall to that of `linux`, geometric mean over the recordings: more than 1 is worse than Linux.
"""

import math
from typing import Any

from rich.progress import track

import sos_gym
from measurements import page
from sos_gym.leaderboard.grid import group_of, own_workloads
from sos_gym.leaderboard.standing import STALL, short_id
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS
from sos_gym.workload import workloads

LINE = "linux"
POLICIES = (LINE, "turns", "lru", "fair_share", "cfs", "eevdf", "second_chance")
SEED = 0
NOTES = """
## What to read in it

- **`linux` beats `turns`**, as it should: on frames those that are used stay, on cores those that are owed service go.
- **`lru` and `fair_share` are a little better on frames, since they see what no kernel sees**: every reference, at its
  time, for nothing. (With one owner `fair_share` is `lru` there.) `linux` learns of uses at its walks only, under every
  sight; on Memory it lies between `lru` and `second_chance`, which sees one bit per page. What can be built is compared
  only where all see alike: `sight="scanned"`.
- **On Tier the kernel promotes whatever is used**, if it finds an unused fast page to make room: a page counts as hot
  that is used within a second (`sysctl_numa_balancing_hot_threshold`), and these recordings are shorter. `lru`
  leaves a page where it is that was used longer ago than all fast ones. Where more pages are warm than are fast, that
  saves moves (`redis`).
- **On cores `search` decides**: four equal jobs of some 1.05 ms at a time on two cores. A new thread asks for half a
  slice, 0.75 ms on two cores, and is preempted shortly before its end by the next one, so that most jobs wait for each
  other and move; with whole slices at first (`first=1`) the stall is less than half. Turns of 1 ms suit these jobs.
- **`cfs` does better than `linux` on cores**: sleepers start half a latency ahead and preempt. That is what EEVDF gave
  up for bounded lag.
"""


def groups() -> list[tuple[str, str]]:
    """All (id, recording) that fit each other."""
    recorded = {name: card.side for name, card in workloads().items() if card.recorded}
    fits = {env: {recorded[name] for name in own_workloads(env)[1:]} for env in PRESETS}
    return [(env, name) for env in PRESETS for name, side in recorded.items() if side in fits[env]]


def stall_ms(env: str, name: str, policy: str, **settings: Any) -> float:
    """`settings` are those that differ from the leaderboard's."""
    own = {**group_of(env, name, None).settings, **settings}
    return sos_gym.evaluate(env, policy, name, SEED, **own)[0][STALL] / 1e6


def ratio(stalls: dict[tuple[str, str], dict[str, float]], policy: str, env: str | None) -> float:
    """Geometric mean over the recordings of an id, or over all."""
    logs = [math.log(one[policy] / one[LINE]) for (id_, _), one in stalls.items() if env in (None, id_)]
    return math.exp(sum(logs) / len(logs))


def main() -> None:
    given = page.options(__doc__)
    stalls = {
        group: {policy: stall_ms(*group, policy) for policy in POLICIES} for group in track(groups(), "recordings")
    }
    each = [(f"{short_id(env)} {name}", *(f"{ms:.1f}" for ms in one.values())) for (env, name), one in stalls.items()]
    means = [
        (short_id(env) if env else "all", *(f"{ratio(stalls, policy, env):.2f}" for policy in POLICIES))
        for env in (*PRESETS, None)
    ]
    heads = ["recording", *(f"`{policy}`" for policy in POLICIES)]
    said = __doc__.split("\n\n")[-1].strip()
    measured = f"{table(['stall to that of linux', *heads[1:]], means)}\n\n{table(heads, each)}"
    page.put(f"# Linux, the line to beat\n\n{page.made()}\n\n{said}\n\n{measured}\n{NOTES}", given.out)


if __name__ == "__main__":
    main()
