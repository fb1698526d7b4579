"""Score one policy on one environment: a list of metrics, one per episode."""

import numbers
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from sos_gym.engine.simulation import Simulation
from sos_gym.envs.env import SosEnv
from sos_gym.learned import LearnedClaim
from sos_gym.metrics import metrics
from sos_gym.policy import policy_named
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import Tape

Plain = Callable[[dict, dict], int]


def evaluate(
    env_id: str,
    policy: str | Plain,
    workload: str | Tape | None = None,
    seed: int = 0,
    episodes: int = 1,
    split: str | None = None,
    through: str = "engine",
    workers: int = 1,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Run `policy` for `episodes` episodes of seeds seed, seed + 1, …; one dict of metrics each.

    Args:
        env_id: one of the registered ids.
        policy: a name or alias (runs inside the engine), a `LearnedClaim` (also inside), or a callable
            (observation, info) -> action.
        workload: a family, a recorded tape, a `Tape`, or None for the environment's default.
        through: "engine", or "gym": the step-by-step path, with the policy as an advisor whose row is followed.
            Both give the same metrics to the last bit.
        workers: threads over which the episodes are spread; the result does not depend on it.
        settings: as for `gym.make`.

    Raises:
        SettingError: a name or value that makes no sense.
        StuckError: a tape on which nothing can go on.
    """
    for name, value, low in (("episodes", episodes, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
            raise SettingError(name, value, f"an integer >= {low}", "pass a whole number")
    if not isinstance(policy, str) and not callable(policy):
        raise SettingError(
            "policy", policy, "a name or a callable (observation, info) -> row", "see `sos-gym policies`"
        )
    if through not in ("engine", "gym"):
        raise SettingError("through", through, "'engine' or 'gym'", "choose one of these")
    inside = isinstance(policy, (str, LearnedClaim)) and through == "engine"
    advisors = (policy,) if isinstance(policy, str) else tuple(settings.pop("advisors", ()))
    workers = min(workers, episodes) if inside else 1
    envs = [SosEnv(env_id, workload=workload, split=split, advisors=advisors, **settings) for _ in range(workers)]
    name = policy_named(policy).spec if isinstance(policy, str) else getattr(policy, "__name__", "callable")

    def runs_of(worker: int) -> list[dict[str, Any]]:
        env, runs = envs[worker], []
        for own in range(seed + worker, seed + episodes, workers):
            found = _inside(env, policy, own) if inside else _step_by_step(env, policy, own)
            runs.append({"env": env_id, "policy": name, "seed": own, "tape": env.tape.hash(), **found})
        return runs

    with ThreadPoolExecutor(workers) as pool:
        return sorted(chain.from_iterable(pool.map(runs_of, range(workers))), key=lambda run: run["seed"])


def _inside(env: SosEnv, policy: str | Plain, seed: int) -> dict[str, Any]:
    if isinstance(policy, LearnedClaim):
        simulation = env.begin(seed, None)
        policy.play(simulation)
    else:
        simulation = Simulation(env.draw_tape(seed), env.settings, env.hosts, driver=0, seed=seed)
        simulation.advance()
    return metrics(simulation)


def _step_by_step(env: SosEnv, policy: str | Plain, seed: int) -> dict[str, Any]:
    decide: Plain = policy if callable(policy) else lambda observation, info: info["advice"].get(policy, 0)
    observation, info = env.reset(seed=seed)
    while True:
        # a tape without a decision has one legal row, and nobody to ask
        action = decide(observation, info) if info["decision"] else 0
        observation, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return info["metrics"]
