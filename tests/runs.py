"""A policy inside the engine on a tape: one line for a test to run it."""

from functools import cache

from sos_gym import Tape
from sos_gym.engine.simulation import Simulation
from sos_gym.policy import policy_named
from sos_gym.settings.environment import build_settings

ALWAYS = 1 << 40  # ns, longer than any of these tests runs
MS = 1_000_000


@cache
def host(name):
    return policy_named(name).host()


def run(tape: Tape, policy: str, **keywords) -> Simulation:
    """To its end, on one node."""
    made = build_settings({"nodes": 1, "may_idle": policy_named(policy).idles, **keywords})
    simulation = Simulation(tape, made, [host(policy)], driver=0, seed=1)
    simulation.advance()
    return simulation


def misses(references, policy: str, frames: int) -> int:
    """Faults of one thread that reads the pages `references` in turn."""
    return int(run(Tape.from_references(references), policy, frames=frames).record["faults"][0])
