"""Episodes made by a scenario: the same ones for a policy inside the engine, an environment and a batch."""

import gymnasium as gym
import numpy as np
import pytest

from sos_gym import SettingError, SosEnv, Tape, TapeError, evaluate, workload
from sos_gym.engine.records import SIM
from sos_gym.leaderboard import leaderboard
from sos_gym.metrics import metrics
from sos_gym.resource import Kind, Resource
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


# -- who may leave cores idle

IDLER = "guard(room=0.01)"  # nobody but the first is inside: the others' cores are idle


@pytest.mark.parametrize("advisors", [("lru", IDLER), (f"{IDLER} + lru",)])
def test_an_advisor_that_idles_brings_may_idle(advisors):
    assert Scenario.of("sos/System-v0", advisors=advisors).settings.may_idle
    assert not Scenario.of("sos/System-v0", advisors=advisors, may_idle=False).settings.may_idle
    assert not Scenario.of("sos/System-v0", advisors=("lru", f"lru + {IDLER}")).settings.may_idle


def test_it_idles_on_every_path():
    """Engine, advisor and leaderboard; where it is not allowed to, it decides otherwise."""
    settings = {"workload": "working_sets", "seed": 2, "split": "test"}
    alone, told, refused = (
        evaluate("sos/System-v0", IDLER, **settings, **ways)[0]
        for ways in ({}, {"may_idle": True}, {"may_idle": False})
    )
    assert alone == told != refused
    assert evaluate("sos/System-v0", IDLER, **settings, through="gym")[0] == alone
    (row,) = leaderboard(["sos/System-v0"], [IDLER], ["working_sets"], seed=2, episodes=1)
    assert row["settings"] == {"may_idle": True}
    assert all(alone[name] == value for name, value in row["metrics"].items())


def test_others_are_never_offered_an_idle_core():
    """Vacancies of ADMIT are contenders on cores with may_idle alone."""
    found = {}
    for may_idle in (False, True):
        env = SosEnv("sos/System-v0", may_idle=may_idle)
        env.reset(seed=0)
        found[may_idle] = 0
        for _ in range(1_000):
            decision = env.simulation.decision
            offered = decision["kind"] == Kind.ADMIT and decision["resource"] == Resource.CPU
            found[may_idle] += offered and bool((env.simulation.contenders < 0).any())
            *_, over, _, _ = env.step(int(np.flatnonzero(env.action_masks())[-1]))
            if over:
                break
    assert found[False] == 0 < found[True]


@pytest.mark.parametrize("env_id", PRESETS)
@pytest.mark.parametrize("policy", ["lru", "eevdf + sieve", IDLER])
def test_decisions_cost_the_same_on_every_path(env_id, policy):
    """Once, whoever else is asked: inside the engine, and followed beside other advisors."""
    ways = {"seed": 4, "decision_ns": 2_000, **SHORT}
    alone = evaluate(env_id, policy, **ways)[0]
    assert alone == evaluate(env_id, policy, through="gym", **ways)[0]

    def follow(observation, info):
        return info["advice"][policy]

    may_idle = {"may_idle": policy == IDLER}
    beside = evaluate(env_id, follow, advisors=("sieve", policy, "turns"), **may_idle, **ways)[0]
    assert {**beside, "policy": alone["policy"]} == alone
    assert 0 < alone["deciding_ns"] <= 2_000 * alone["decisions"]
    free = evaluate(env_id, policy, **{**ways, "decision_ns": 0})[0]
    assert free["deciding_ns"] == 0 and free != alone
