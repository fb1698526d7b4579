"""Episodes made by a scenario: the same ones for a policy inside the engine, an environment and a batch."""

import gymnasium as gym
import numpy as np
import pytest

from sos_gym import SettingError, SosEnv, Tape, TapeError, evaluate, workload
from sos_gym.engine.records import SIM
from sos_gym.metrics import metrics
from sos_gym.scenario import Scenario
from sos_gym.settings.presets import PRESETS

SHORT = {"horizon_ns": 2_000_000}


@pytest.mark.parametrize("env_id", PRESETS)
def test_it_makes_what_evaluate_plays(env_id):
    episode = Scenario.of(env_id, advisors=("lru",), **SHORT).episode(3, driver=0)
    episode.advance()
    run = evaluate(env_id, "lru", seed=3, **SHORT)[0]
    assert {name: run[name] for name in metrics(episode)} == metrics(episode) and run["tape"] == episode.tape.hash()


def test_an_environment_and_a_batch_lay_out_the_same():
    scenario = Scenario.of("sos/System-v0", split="val", cost_scale=(0.5, 2.0))
    own = scenario.episode(11)
    single = SosEnv("sos/System-v0", split="val", cost_scale=(0.5, 2.0))
    batch = gym.make_vec("sos/System-v0", num_envs=2, split="val", cost_scale=(0.5, 2.0)).unwrapped
    single.reset(seed=11), batch.reset(seed=10)
    own.advance()
    for other in (single.simulation, batch.episodes[1].simulation):
        assert other.tape == own.tape
        assert all(other.record[name] == own.record[name] for name in ("now", "swap_in_ns", "rows_seed", "decisions"))


def test_an_episode_lies_where_it_is_asked_to():
    records = np.zeros(2, SIM)
    episode = Scenario.of("sos/CPU-v0").episode(0, record=records[1:])
    assert np.shares_memory(episode.record, records) and records["threads_count"].tolist()[0] == 0
    assert records["threads_count"][1] == len(episode.tape.threads)


def test_only_an_agent_has_what_observations_need():
    scenario = Scenario.of("sos/Memory-v0", advisors=("lru",), reward="foresight")
    flags = [
        [int(episode.record[name][0]) for name in ("driver", "observed", "prophets")]
        for episode in (scenario.episode(0), scenario.episode(0, driver=0))
    ]
    assert flags == [[-1, 1, 1], [0, 0, 0]]


def test_options_name_a_workload_a_tape_or_a_split():
    scenario, tape = Scenario.of("sos/Memory-v0"), Tape.from_references([1, 2, 1])
    assert scenario.tape(0) == scenario.tape(0) != scenario.tape(1)
    assert scenario.under({"workload": tape}).tape(0) is tape
    assert scenario.under({"workload": "loop"}).tape(0) == Scenario.of("sos/Memory-v0", "loop").tape(0)
    assert scenario.under({"workload": "val"}).tape(0) == Scenario.of("sos/Memory-v0", split="val").tape(0)
    assert scenario.under({"workload": "val"}).tape(0) != scenario.tape(0)


@pytest.mark.parametrize(
    "options, name",
    [
        ({"workload": 3}, "workload"),
        ({"workload": "zipf(alpha=9)"}, "alpha"),
        ({"workload": "phase"}, "phases"),
        ({"split": "tests"}, "did you mean 'test'"),
        ({"frames": 0}, "frames"),
        ({"settings": 3}, "settings"),
        ({"settings": {"frame": 3}}, "frames"),
        ({"settings": {"rows": 8}}, "rows"),
        ({"rows": 8}, "rows"),
        ({"advisors": ("lru",)}, "advisors"),
    ],
)
def test_wrong_options_are_named(options, name):
    with pytest.raises((SettingError, TapeError), match=name):
        Scenario.of("sos/Memory-v0").under(options)


def test_options_are_kept_setting_by_setting_or_replaced_all_at_once():
    made = Scenario.of("sos/Memory-v0", frames=40)
    few = made.under({"frames": 32}).under({"lanes": 2, "split": "val"})
    assert (few.settings.frames, few.settings.lanes, few.split) == ((16, 16), 2, "val")
    assert few.under({}) is few and few.under({"unheard of": 1}) is few
    other = few.under({"settings": {"swap_in_ns": 6000}})
    assert (other.settings.frames, other.settings.lanes, other.settings.swap_in_ns) == ((20, 20), 4, 6000)
    assert other.under({"settings": {}}).settings == made.settings
    assert other.under({"workload": "zipf(alpha=0.5)"}).tape(3) == workload("zipf", 3, "val", alpha=0.5)


def test_what_it_is_made_of_is_never_changed():
    with pytest.raises(AttributeError):
        Scenario.of("sos/Memory-v0").split = "val"
