"""Copies of environments, simulations and policies: independent, with the same future, in another process too."""

import copy
import multiprocessing
import pickle

import cloudpickle
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import sos_gym
from sos_gym import Tape
from sos_gym.engine.simulation import Simulation
from sos_gym.envs.env import SosEnv
from sos_gym.envs.vector import SosVectorEnv
from sos_gym.policy import policy_named
from sos_gym.resource import Op
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import PRESETS

IDS = tuple(PRESETS)
ADVISORS = ("lottery", "sieve", "s3fifo(small=0.2125)")
COPIERS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "cloudpickle": lambda thing: cloudpickle.loads(cloudpickle.dumps(thing)),
}


def future(env, steps=300, seed=1) -> list[bytes]:
    """What random legal steps bring, episode after episode, byte for byte."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(
            int(rng.choice(np.flatnonzero(env.unwrapped.action_masks())))
        )
        found.append(b"".join(part.tobytes() for part in observation.values()) + repr((reward, info)).encode())
        if terminated or truncated:
            env.reset()
    return found


def started(env_id, **keywords):
    env = gym.make(env_id, advisors=ADVISORS, **keywords)
    env.reset(seed=3)
    future(env, 100, seed=0)
    return env


@pytest.mark.parametrize("copier", COPIERS)
@pytest.mark.parametrize("env_id", IDS)
def test_a_copied_environment_is_independent_and_exact(env_id, copier):
    twin, env = started(env_id), started(env_id)
    other = COPIERS[copier](env.unwrapped)
    expected = future(twin)
    assert future(other) == expected  # and leaves the original as it was
    assert future(env) == expected
    simulations = env.unwrapped.simulation, other.simulation
    written = [{array.ctypes.data for array in one.arrays.values() if array.flags.writeable} for one in simulations]
    assert not written[0] & written[1]


def test_the_copy_outlives_the_original():
    env = started("sos/System-v0")
    expected, other = future(copy.deepcopy(env)), pickle.loads(pickle.dumps(env))
    del env
    assert future(other) == expected


def test_an_environment_is_copied_before_its_first_reset_and_with_its_pictures():
    env = copy.deepcopy(SosEnv("sos/Memory-v0", render_mode="ansi"))
    env.reset(seed=1)
    drawn = copy.deepcopy(env).render()
    assert drawn == env.render()


def in_a_worker(env) -> tuple[list[bytes], dict]:
    return future(env), env.unwrapped.state()


@pytest.mark.parametrize("way", ["spawn", "fork"])
def test_an_environment_goes_on_in_another_process_and_its_state_comes_back(way):
    env = started("sos/System-v0")
    with multiprocessing.get_context(way).Pool(1) as pool:
        there, state = pool.apply_async(in_a_worker, (env,)).get(300)
    here = copy.deepcopy(env)
    assert future(here) == there
    env.unwrapped.reset(seed=here.unwrapped.episode_seed)
    env.unwrapped.restore(state)
    assert future(env) == future(here)


def vector_future(env, steps=200, seed=1) -> list[bytes]:
    rng, found = np.random.default_rng(seed), []
    for _ in range(steps):
        masks = env.action_masks()
        observation, *others = env.step(np.array([rng.choice(np.flatnonzero(m)) if m.any() else 0 for m in masks]))
        found.append(b"".join(part.tobytes() for part in observation.values()) + repr(others).encode())
    return found


@pytest.mark.parametrize("copier", COPIERS)
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_copied_vector_is_independent_and_exact(copier, mode, threads):
    def made():
        env = SosVectorEnv(4, mode, preset="sos/System-v0", advisors=ADVISORS, threads=threads)
        env.reset(seed=3)
        vector_future(env, 50, seed=0)
        return env

    twin, env = made(), made()
    other = COPIERS[copier](env)
    expected = vector_future(twin)
    assert vector_future(other) == expected
    assert vector_future(env) == expected
    other.close()
    assert not env.closed
    env.reset(seed=5)


def test_a_vector_is_copied_before_its_first_reset_and_when_it_is_closed():
    env = SosVectorEnv(2, preset="sos/CPU-v0")
    other = pickle.loads(pickle.dumps(env))
    assert repr(other.reset(seed=1)) == repr(env.reset(seed=1))
    env.close()
    with pytest.raises(gym.error.ClosedEnvironmentError):
        copy.deepcopy(env).reset()


def test_stable_baselines_vector_is_copied():
    sb3 = pytest.importorskip("sos_gym.envs.sb3")
    env = sb3.SosVecEnv("sos/Memory-v0", 2)
    env.seed(1)
    env.reset()
    for other in (copy.copy(env), copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        rows = env.action_masks().argmax(1)
        assert repr(other.step(rows)[:3]) == repr(copy.deepcopy(env).step(rows)[:3])


# -- what they are made of


@pytest.mark.parametrize("copier", COPIERS)
def test_scenarios_and_hosts_are_copied(copier):
    scenario = Scenario.of("sos/Memory-v0", advisors=ADVISORS)
    other = COPIERS[copier](scenario)
    assert [host.spec for host in other.hosts] == [host.spec for host in scenario.hosts]
    assert "0.2125" in other.hosts[2].spec
    ends = [one.episode(1, driver=2) for one in (scenario, other)]
    for simulation in ends:
        simulation.advance()
    assert ends[0].record["faults"] == ends[1].record["faults"]


def test_a_policy_from_outside_travels_with_its_kernels():
    @sos_gym.claim("copied_claim", "the newest want")
    def newest(entity, now):
        return entity.want_seq

    policy = policy_named("copied_claim")
    other = cloudpickle.loads(cloudpickle.dumps(policy.host()))
    assert other is not policy.host() and other.name == "copied_claim"
    tape, ends = Tape.from_references([0, 1, 2, 0, 1, 2]), []
    for host in (policy.host(), other):
        simulation = Simulation(tape, Scenario.of(frames=2, nodes=1).settings, [host], driver=0)
        simulation.advance()
        ends.append(int(simulation.record["faults"][0]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("copier", ["copy", "deepcopy"])
def test_a_tape_is_its_own_copy(copier, tmp_path):
    path = tmp_path / "mapped.npz"
    Tape.from_references(np.arange(1000) % 9).save(path, compressed=False)
    tape = Tape.load(path)
    assert COPIERS[copier](tape) is tape
    spec = gym.make("sos/Memory-v0", workload=tape).spec
    assert copy.deepcopy(spec).kwargs["workload"] is tape


def test_a_pickled_tape_is_equal_and_read_only():
    tape = Tape.build([[(Op.READ, 3), (Op.COMPUTE, 5)]], thread_names=["one"], card={"name": "x"})
    other = pickle.loads(pickle.dumps(tape))
    assert other == tape and other.card == tape.card and other.thread_names == ("one",)
    with pytest.raises(ValueError, match="read-only"):
        other.ops["arg"][0] = 7
