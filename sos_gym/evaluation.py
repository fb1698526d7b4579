"""Score one policy on one environment: a list of metrics, one per episode."""

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sos_gym.baseline import RANDOM_ROW, RandomRow
from sos_gym.detail import LOG
from sos_gym.detail import detail as in_detail
from sos_gym.engine.simulation import Simulation
from sos_gym.envs.env import SosEnv
from sos_gym.learned import LearnedClaim
from sos_gym.metrics import metrics
from sos_gym.policy import is_policy, policy_of
from sos_gym.policy.contract import Policy
from sos_gym.policy.pairing import Pair
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import preset_named
from sos_gym.settings.ranges import SettingError, number_in
from sos_gym.shipped import SHIPPED, Shipped
from sos_gym.workload import Tape

Decide = Callable[[dict, dict], int]  # (observation, info) -> row
Play = Callable[[int], Simulation]  # an episode of a seed, to its end


def evaluate(
    env_id: str,
    policy: str | Policy | Pair | Decide | RandomRow,
    workload: str | Tape | None = None,
    seed: int = 0,
    episodes: int = 1,
    split: str | None = None,
    through: str = "engine",
    workers: int = 1,
    strict: bool = False,
    detail: bool = False,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Run `policy` for `episodes` episodes of seeds seed, seed + 1, …; one dict of metrics each.

    Args:
        env_id: one of the registered ids.
        policy: a name or alias, "eevdf + sieve" for a pair, a `Policy`, a `PlainPolicy` class or a `LearnedClaim`, all
            of which run inside the engine; or a callable (observation, info) -> action, which may carry `rows` and
            `advisors`, the settings under which it decides, and `privileged`: it was told of the future in training.
            "learned" and others that ship (`sos_gym.shipped`) are found by name too, for the id that is played;
            "random_row" is the untrained agent: a legal row, drawn uniformly.
        workload: a family, a recorded tape, a `Tape`, or None for the environment's default.
        through: "engine", or "gym": the step-by-step path, with the policy as an advisor whose row is followed.
            Both give the same metrics to the last bit.
        workers: threads over which the episodes are spread; the result does not depend on it.
        detail: each dict also has "threads", "owners" and "events", see `sos_gym.detail`; it takes much longer.
        strict: a masked-out row that a callable chooses raises `ActionError`.
        settings: as for `gym.make`.

    Raises:
        SettingError: a name or value that makes no sense.
        StuckError: a tape on which nothing can go on.
    """
    for name, value, low in (("episodes", episodes, 1), ("seed", seed, 0), ("workers", workers, 1)):
        number_in(name, value, low, exact=True, allowed=f"an integer >= {low}", remedy="pass a whole number")
    policy = _by_name(policy, env_id)
    if not is_policy(policy) and not callable(policy):
        raise SettingError(
            "policy", policy, "a name, a Policy, or a callable (observation, info) -> row", "see `sos-gym policies`"
        )
    if through not in ("engine", "gym"):
        raise SettingError("through", through, "'engine' or 'gym'", "choose one of these")
    named = policy_of(policy) if is_policy(policy) else None
    inside = isinstance(policy, RandomRow) or (
        (named is not None or isinstance(policy, LearnedClaim)) and through == "engine"
    )
    made = {"workload": workload, "split": split, **(wishes_of(policy) if named is None else {}), **settings}
    made["advisors"] = (named,) if named is not None else tuple(made.get("advisors", ()))
    decide: Any = policy if named is None else named
    play = (_inside if inside else _step_by_step)(_scenario(env_id, made, detail), decide, strict)
    name = getattr(policy, "__name__", "callable") if named is None else named.spec

    def run(own: int) -> dict[str, Any]:
        episode = play(own)
        return {
            "env": env_id,
            "policy": name,
            "seed": own,
            "tape": episode.tape.hash(),
            "privileged": getattr(policy, "privileged", False) or advised_by_privileged(made["advisors"]),
            **metrics(episode),
            **_detail(episode, detail),
        }

    seeds, threads = range(seed, seed + episodes), min(workers, episodes) if inside else 1
    if threads == 1:
        return [run(own) for own in seeds]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, seeds))


def _by_name(policy: Any, env_id: str) -> Any:
    """What plays whole episodes without being a policy of the engine has a name too."""
    if isinstance(policy, str):
        policy = RandomRow() if policy == RANDOM_ROW else SHIPPED.get(policy, policy)
    return policy.on(preset_named(env_id).id) if isinstance(policy, Shipped) else policy


def wishes_of(policy: Any) -> dict[str, Any]:
    """The settings under which a callable decides: its attributes `rows` and `advisors`."""
    wishes = {name: getattr(policy, name, None) for name in ("rows", "advisors")}
    return {name: wish for name, wish in wishes.items() if wish is not None and wish != ()}


def advised_by_privileged(advisors: Iterable[str | Policy | Pair]) -> bool:
    """Whether one of them knows the future."""
    return any(policy_of(one).privileged for one in advisors)


def _scenario(env_id: str, made: dict[str, Any], detail: bool) -> Scenario:
    return dataclasses.replace(Scenario.of(env_id, **made), listeners=(LOG,) if detail else ())


def _detail(episode: Simulation, wanted: bool) -> dict[str, list]:
    return in_detail(episode) if wanted else {}


def _inside(scenario: Scenario, policy: Any, strict: bool) -> Play:
    """The engine decides, by the one advisor or by the claim."""

    def play(seed: int) -> Simulation:
        if isinstance(policy, (LearnedClaim, RandomRow)):
            episode = scenario.episode(seed)
            policy.play(episode)
        else:
            episode = scenario.episode(seed, driver=0)
            episode.advance()
        return episode

    return play


def _step_by_step(scenario: Scenario, policy: Any, strict: bool) -> Play:
    """An environment, of whose rows the policy chooses."""
    decide: Decide = policy if callable(policy) else lambda observation, info: info["advice"].get(policy.spec, 0)
    env = SosEnv.of(scenario, strict=strict)

    def play(seed: int) -> Simulation:
        observation, info = env.reset(seed=seed)
        over = False
        while not over:
            # a tape without a decision has one legal row, and nobody to ask
            action = decide(observation, info) if info["decision"]["open"] else 0
            observation, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        return env.simulation

    return play
