"""What deciding costs on this machine: ns that a policy's own code takes per decision, and bytes that it keeps.

An episode is run with the policy deciding alone, and with COPIES more of it that are told and asked all the same, but
not heard: the same episode to the last bit. The difference is what the copies took: all their verbs and picks, and the
calls themselves. Divided by copies and decisions it is the cost of a decision, with the books kept up to date until
the next one. What the engine does for a policy, such as to list contenders or to look ahead for a clairvoyant, is no
part of it. It is CPU time of this thread, so that what else runs counts less; ways alternate, and the median of rounds
holds. A measurement belongs to its machine: no row has it, and no replay compares it.
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sos_gym.engine.simulation import Simulation
from sos_gym.leaderboard.grid import Entry, Group, Plan, named_or_tape
from sos_gym.policy.contract import Policy
from sos_gym.policy.kept import Footprint, footprint
from sos_gym.policy.pairing import Pair
from sos_gym.scenario import Scenario
from sos_gym.workload import Tape

COPIES = 4  # one alone drowns in the noise of the engine's own time, some 300 ns per decision; of Python one is enough
ROUNDS = 5
PATIENCE_S = 2.0  # of an entry on a group, after which no further round begins: plain policies take long


@dataclasses.dataclass(frozen=True)
class Cost:
    """What it costs to decide by an entry; NaN and None stand for what is not measured: agents, and Python's objects.

    `measured_ns`: per decision, the mean over environments. `charged_ns`: the constant of its card.
    """

    policy: str
    called: str
    measured_ns: float
    charged_ns: int | None
    footprint: Footprint | None


def costs(plan: Plan, progress: Callable[[str], None] | None = None, failed: Iterable[str] = ()) -> list[Cost]:
    """Of all entries of a plan, but for who `failed`: on the first workload and seed of each environment.

    `progress` is told whom it is about; both know an entry by what it is called.
    """
    first = {group.env: group for group in reversed(plan.groups)}
    found = []
    for entry in plan.entries:
        called = entry.called or entry.name
        if called in failed:
            continue
        if progress:
            progress(called)
        found.append(cost_of(entry, [*first.values()][::-1], plan.seeds[0]))
    return found


def cost_of(entry: Entry, groups: Sequence[Group], seed: int) -> Cost:
    """Of one entry; what is called step by step, or plays episodes itself, is not measured."""
    policy, measured = entry.decide, math.nan
    if isinstance(policy, (Policy, Pair)):
        measured = statistics.fmean(decision_ns(_scenario(entry, group), seed) for group in groups)
    return Cost(entry.name, entry.called or entry.name, measured, getattr(policy, "decision_ns", None), kept_by(policy))


def kept_by(policy: Any) -> Footprint | None:
    """Bytes per page and frame of a compiled policy; of a pair both have their own."""
    if isinstance(policy, Pair):
        halves = kept_by(policy.cores), kept_by(policy.frames)
        return halves[0] + halves[1] if halves[0] and halves[1] else None
    compiled = isinstance(policy, Policy) and policy.host().minds is None
    return footprint(policy) if compiled else None


def _scenario(entry: Entry, group: Group) -> Scenario:
    settings = {**group.settings, **entry.settings}
    return Scenario.of(group.env, named_or_tape(group.workload), group.split, (entry.decide,), **settings)


# -- measuring


def decision_ns(scenario: Scenario, seed: int, rounds: int = ROUNDS) -> float:
    """ns of its one policy's own code per decision of an episode: the median over rounds; NaN: nothing was decided."""
    tape, found, until = scenario.tape(seed), list[float](), time.monotonic() + PATIENCE_S
    copies = 1 if any(host.minds for one in scenario.hosts for host in one.hosts) else COPIES
    while len(found) < rounds and (not found or time.monotonic() < until):
        ns, decisions = {}, 0
        for count in (0, copies) if len(found) % 2 == 0 else (copies, 0):
            ns[count], decisions = timed(scenario, tape, seed, count)
        found.append(per_decision(ns[copies] - ns[0], copies, decisions))
    return statistics.median(found)


def per_decision(more_ns: int, copies: int, decisions: int) -> float:
    """per_decision(8000, 4, 10) = 200; noise makes nothing less than free; NaN: nothing was decided."""
    return max(0.0, more_ns) / copies / decisions if decisions else math.nan


def timed(scenario: Scenario, tape: Tape, seed: int, copies: int) -> tuple[int, int]:
    """CPU time of an episode in which so many copies of the policy follow it, and its decisions."""
    episode = Simulation(tape, scenario.settings, scenario.hosts * (1 + copies), driver=0, seed=seed)
    start = time.thread_time_ns()
    episode.advance()
    return time.thread_time_ns() - start, int(episode.record["decisions"][0])
