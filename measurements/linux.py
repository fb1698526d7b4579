"""How `linux`, the line to beat, stands beside what it should beat, on the recordings that ship.

    python -m measurements.linux [--out docs/linux.md]

Every recording on every id that its side fits, as on the leaderboard: on Memory a quarter of its pages as frames, on
Tier as many fast ones, on CPU its own cores, on System both. Weighted stall in ms, one episode: tape and policies leave
nothing to chance. Below, stall to that of `linux`, geometric mean over the recordings: more than 1 is worse than Linux;
first where all see every use, then where all see accessed bits, as Linux does: at a look of 100 ns and a harvest every
10 ms (docs/sight.md).
"""

import math
from typing import Any

from rich.progress import track

import sos_gym
from measurements import page
from sos_gym.leaderboard.grid import group_of, own_workloads
from sos_gym.leaderboard.standing import STALL
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS, short_id
from sos_gym.workload import workloads

LINE = "linux"
POLICIES = (LINE, "turns", "lru", "fair_share", "cfs", "eevdf", "second_chance")
SEED = 0
WAYS: dict[str, dict[str, Any]] = {
    "exact": {},
    "scanned": {"sight": "scanned", "harvest_ns": 10_000_000, "look_ns": 100},
}
NOTES = """
## What to read in it

- **`linux` beats `turns`** on frames: those that are used stay. On Tier under accessed bits it does not (0.94).
- **`lru` and `fair_share` are a little better on frames as long as they see what no kernel sees**: every reference, at
  its time, for nothing. (With one owner `fair_share` is `lru` there.) `linux` learns of uses at its walks only, under
  every sight. **Where all see accessed bits `linux` is first on System, and on Memory behind `eevdf` alone (0.96).**
- **On Tier it promotes a page whenever it is hot**, if an unused fast page makes room, and hot is what was used soon
  after it was unmapped. `lru` leaves a page where it is that was used longer ago than all fast ones; where more pages
  are warm than are fast, that saves moves (`gzip`, `sqlite`).
- **On cores `search` decides**: four equal jobs of some 1.05 ms at a time on two cores. A new thread asks for half a
  slice, 0.75 ms on two cores, and is preempted shortly before its end by the next one, so that most jobs wait for each
  other and move; with whole slices at first (`first=1`) the stall is less than half. Turns of 1 ms suit these jobs.
- **`cfs` does better than `linux` on cores**: sleepers start half a latency ahead and preempt. That is what EEVDF gave
  up for bounded lag.
"""


def groups() -> list[tuple[str, str]]:
    """All (id, recording) that fit each other."""
    recorded = {name: card.side for name, card in workloads().items() if card.recorded}
    fits = {env: {recorded[name] for name in own_workloads(env) if name in recorded} for env in PRESETS}
    return [(env, name) for env in PRESETS for name, side in recorded.items() if side in fits[env]]


def stall_ms(env: str, name: str, policy: str, **settings: Any) -> float:
    """`settings` are those that differ from the leaderboard's."""
    own = {**group_of(env, name, None).settings, **settings}
    return sos_gym.evaluate(env, policy, name, SEED, **own)[0][STALL] / 1e6


def measured(way: dict[str, Any], said: str) -> dict[tuple[str, str], dict[str, float]]:
    """Stall of every policy on every recording."""
    return {
        (env, name): {
            # nothing faults on CPU, and nothing is looked at
            policy: stall_ms(env, name, policy, **({} if env == "sos/CPU-v0" else way))
            for policy in POLICIES
        }
        for env, name in track(groups(), said, auto_refresh=False)
    }


def ratio(stalls: dict[tuple[str, str], dict[str, float]], policy: str, env: str | None) -> float:
    """Geometric mean over the recordings of an id, or over all."""
    logs = [math.log(one[policy] / one[LINE]) for (id_, _), one in stalls.items() if env in (None, id_)]
    return math.exp(sum(logs) / len(logs))


def main() -> None:
    given = page.options(__doc__)
    heads, parts = [f"`{policy}`" for policy in POLICIES], []
    found = {way: measured(settings, way) for way, settings in WAYS.items()}
    for way, stalls in found.items():
        means = [
            (short_id(env) if env else "all", *(f"{ratio(stalls, policy, env):.2f}" for policy in POLICIES))
            for env in (*PRESETS, None)
        ]
        parts.append(table([f"stall to that of linux, {way}", *heads], means))
    each = [
        (f"{short_id(env)} {name}", *(f"{ms:.1f}" for ms in one.values()))
        for (env, name), one in found["exact"].items()
    ]
    parts.append(table(["recording, exact", *heads], each))
    said = __doc__.split("\n\n")[-1].strip()
    text = "\n\n".join(["# Linux, the line to beat", page.made(), said, *parts])
    page.put(f"{text}\n{NOTES}", given.out)


if __name__ == "__main__":
    main()
