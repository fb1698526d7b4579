"""State and restore of a simulation: whole, of the same episode, or not at all."""

import copy
import pickle

import numpy as np
import pytest

from sos_gym import Tape
from sos_gym.engine.hosts import Host
from sos_gym.engine.simulation import Simulation
from sos_gym.envs.env import SosEnv
from sos_gym.policy import policy_named
from sos_gym.scenario import Scenario
from sos_gym.settings.ranges import SettingError

TAPE = Tape.from_references([0, 1, 2, 3, 0, 4, 1, 2, 5, 0, 3] * 4)
OTHER_TAPE = Tape.from_references([0, 1, 2, 3, 0, 4, 1, 2, 5, 3, 0] * 4)


def simulation(tape=TAPE, policy="sieve", seed=1, observed=True, **settings) -> Simulation:
    made = Scenario.of(frames=3, nodes=1, **settings).settings
    return Simulation(tape, made, [policy_named(policy).host()], seed=seed, observed=observed, listing=True)


def content(one: Simulation) -> dict[str, bytes]:
    return {"": one.record.tobytes(), **{name: array.tobytes() for name, array in one.arrays.items()}}


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"tape": OTHER_TAPE}, "tape of the state"),
        ({"policy": "lru"}, "policies of the state"),
        ({"policy": "lruk"}, "policies of the state"),
        ({"seed": 2}, "seed of the state"),
        ({"observed": False}, "observed of the state"),
        ({"swap_in_ns": 5}, "swap_in_ns of the state"),
    ],
)
def test_a_state_of_another_episode_is_refused(theirs, said):
    one = simulation()
    one.advance()
    before = content(one)
    with pytest.raises(SettingError, match=said):
        one.restore(simulation(**theirs).state())
    assert content(one) == before


def test_parameters_of_a_policy_tell_episodes_apart():
    one, two = simulation(policy="s3fifo(small=0.2)"), simulation(policy="s3fifo(small=0.20000001)")
    with pytest.raises(SettingError, match="policies of the state"):
        one.restore(two.state())


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state["arrays"].pop("slots"),
        lambda state: state["arrays"].update(more=np.zeros(1)),
        lambda state: state["arrays"].update(slots=state["arrays"]["slots"][:-1]),
        lambda state: state["arrays"].update(waits=state["arrays"]["waits"].astype(float)),
        lambda state: state["arrays"].update(slots=None),
        lambda state: state.pop("episode"),
        lambda state: state.clear(),
    ],
)
def test_a_damaged_state_changes_nothing(damage):
    one = simulation()
    one.advance()
    state = one.state()
    one.advance(int(one.contenders[0]))
    before = content(one)
    damage(state)
    with pytest.raises(SettingError):
        one.restore(state)
    assert content(one) == before


def test_a_state_holds_no_addresses():
    one = simulation()
    addresses = {int(array.ctypes.data) for array in one.arrays.values()}
    addresses |= {part for parts in one.hosts[0].parts for part in parts}
    words = np.concatenate(
        [array.view(np.uint8).reshape(-1)[: array.nbytes // 8 * 8].view(np.int64) for array in
         (part.copy() for part in one.state()["arrays"].values())]
    )  # fmt: skip
    assert not set(words.tolist()) & (addresses - {0})


def test_a_restored_simulation_goes_on_alike():
    one = simulation()
    one.advance()
    state = pickle.loads(pickle.dumps(one.state()))
    two = simulation()
    two.restore(state)
    for other in (two, copy.copy(one), copy.deepcopy(one)):
        while not other.over:
            other.advance(int(other.contenders[-1]))
    while not one.over:
        one.advance(int(one.contenders[-1]))
    assert one.record["now"] == two.record["now"] == other.record["now"]
    assert one.arrays["entities"].tobytes() == two.arrays["entities"].tobytes() == other.arrays["entities"].tobytes()


def test_a_host_that_no_policy_made_is_copied_here_and_says_why_it_cannot_leave():
    settings = Scenario.of(frames=3, nodes=1).settings
    one = Simulation(TAPE, settings, [Host("by hand", policy_named("recency").host().parts)], seed=1)
    assert copy.deepcopy(one).record["now"] == one.record["now"]
    with pytest.raises(pickle.PicklingError, match="by hand"):
        pickle.dumps(one)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shown", np.zeros(3, np.int32)),
        ("mask", None),
        ("np_random", {"bit_generator": "MT19937"}),
        ("np_random", None),
        ("simulation", {}),
        ("more", 1),
    ],
)
def test_an_environments_state_is_checked_before_anything_is_written(key, value):
    env = SosEnv("sos/Memory-v0")
    env.reset(seed=1)
    state = {**env.state(), key: value}
    env.step(int(np.flatnonzero(env.action_masks())[0]))
    before, random = content(env.simulation), env.np_random.bit_generator.state
    with pytest.raises(SettingError):
        env.restore(state)
    assert content(env.simulation) == before and env.np_random.bit_generator.state == random


def test_the_state_of_another_tape_is_refused_by_an_environment():
    env = SosEnv("sos/Memory-v0")
    env.reset(seed=1)
    state = env.state()
    env.reset(seed=2)
    with pytest.raises(SettingError, match="tape of the state"):
        env.restore(state)
