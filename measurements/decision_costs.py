"""What a decision costs every policy of the package: the constants of their cards.

    python -m measurements.decision_costs [--episodes 3] [--out sos_gym/policy/costs.py]

Measured as a leaderboard measures (sos_gym/leaderboard/costs.py): the policy's own code, verbs and picks, per raised
decision; the mean over episodes of the `train` split, then over the four ids, each under its defaults.
"""

import math
import statistics
from datetime import date

from rich.progress import track

from measurements import page
from sos_gym.leaderboard.costs import decision_ns
from sos_gym.leaderboard.machine import machine, versions
from sos_gym.policy import policies, policy_named
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import PRESETS, short_id

SEED = 0
SPLIT = "train"
ROUNDS = 15
APART = ("informed",)  # found by name alone
HEAD = '''"""What a decision costs the policies of the package, in ns: `decision_ns` of their cards.

Measured on one machine by `python -m measurements.decision_costs`, which says how and writes this file anew. A policy
that is not here has no constant: leaderboards leave its column empty.
"""

'''


def measure(name: str, episodes: int) -> dict[str, float]:
    """Id -> ns of the policy's own code per decision."""
    found = {}
    for env_id in PRESETS:
        scenario = Scenario.of(env_id, split=SPLIT, advisors=(name,))
        runs = [decision_ns(scenario, seed, ROUNDS) for seed in range(SEED, SEED + episodes)]
        found[env_id] = statistics.fmean(run for run in runs if not math.isnan(run))
    return found


def constant(by_id: dict[str, float]) -> int:
    """Their mean in whole ns, at least 1: constant({"a": 20.0, "b": 41.0}) = 30."""
    return max(1, round(statistics.fmean(by_id.values())))


def said_of_machine() -> str:
    of, using = machine(), versions()
    return f"{of['processor']}, {of['cpus']} cores, numba {using['numba']}, {date.today():%Y-%m}"


def module(constants: dict[str, int]) -> str:
    """The file in which cards find them."""
    lines = [f'    "{name}": {constants[name]},' for name in sorted(constants)]
    return HEAD + "\n".join([f'MACHINE = "{said_of_machine()}"', "DECISION_NS = {", *lines, "}"]) + "\n"


def main() -> None:
    given = page.options(__doc__, episodes=3)
    constants = {}
    for name in track([*policies(), *APART], "policies", auto_refresh=False):
        by_id = measure(policy_named(name).name, given.episodes)
        constants[name] = constant(by_id)
        print(name, constants[name], {short_id(env_id): round(ns) for env_id, ns in by_id.items()}, flush=True)
    page.put(module(constants), given.out)


if __name__ == "__main__":
    main()
