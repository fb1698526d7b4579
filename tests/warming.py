"""python tests/warming.py engine | policies: compile the kernels, into the disk cache."""

import sys

import gymnasium as gym

import sos_gym
from sos_gym.policy import policy_named
from sos_gym.settings.presets import PRESETS


def policies() -> None:
    """Every policy's own kernels."""
    for name in (*sos_gym.policies(), "informed"):
        policy_named(name).host()


def engine() -> None:
    """The loop, the step, batches, claims, and what clairvoyants know."""
    env = gym.make("sos/Memory-v0", advisors=("lottery",))
    env.reset(seed=0)
    env.step(0)
    envs = gym.make_vec("sos/Memory-v0", num_envs=2, threads=2)
    envs.reset(seed=0)
    envs.step([0, 0])
    envs.close()
    claim = sos_gym.LearnedClaim.linear({"payoff": -1.0})
    for env_id in PRESETS:
        for policy in (claim, "lottery", "clairvoyant"):
            sos_gym.evaluate(env_id, policy)


if __name__ == "__main__":
    {"policies": policies, "engine": engine}[sys.argv[1]]()
