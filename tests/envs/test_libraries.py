"""What libraries of reinforcement learning take for granted: the same infos everywhere, masks, final observations."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

import sos_gym
import sos_gym.baseline
from sos_gym import CONTEXT, Tape
from sos_gym.envs.env import SosEnv
from sos_gym.metrics import BLANK, metrics
from sos_gym.resource import Kind
from sos_gym.settings.presets import PRESETS
from sos_gym.view.word import Word

IDS = tuple(PRESETS)
SHORT = {"horizon_ns": 400_000}
N, AUTORESETS = 3, 10


# -- vectors


LIMITS = {
    "horizon": SHORT,
    "steps": {"max_episode_steps": 17},
    "end": {"workload": Tape.from_jobs([0, 0, 1000, 2000, 2000, 2000], [30_000] * 6), "reward": "foresight"},
    "no decision": {"workload": Tape.from_jobs([0], [30_000])},
}


def equal(ours, theirs) -> bool:
    """The same keys, shapes, types, values and masks, all the way down."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[key], theirs[key]) for key in theirs)
    if theirs.dtype == object:
        return len(ours) == len(theirs) and all(
            (a is b is None) or equal(a, b) for a, b in zip(ours, theirs, strict=True)
        )
    return (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def modes(env_id, ways, autoreset, **keywords):
    for way in ways:
        chosen = {"autoreset_mode": autoreset} if way == "vector_entry_point" else {}
        beside = {} if chosen else {"vector_kwargs": {"autoreset_mode": autoreset}}
        yield gym.make_vec(env_id, N, way, **beside, **chosen, **keywords)


@pytest.mark.parametrize("autoreset", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("limit", LIMITS)
def test_native_sync_and_async_are_one(env_id, autoreset, limit):
    ways = ("vector_entry_point", "sync", "async") if limit == "horizon" else ("vector_entry_point", "sync")
    vectors = list(modes(env_id, ways, autoreset, advisors=("lru", "lottery"), **LIMITS[limit]))
    rng, ends = np.random.default_rng(0), np.zeros(N, int)
    found = [vector.reset(seed=5) for vector in vectors]
    while True:
        assert all(equal(found[0][0], other[0]) and equal(found[0][-1], other[-1]) for other in found[1:])
        if ends.min() >= AUTORESETS:
            break
        actions = rng.integers(16, size=N)  # many are masked out
        found = [vector.step(actions) for vector in vectors]
        for ours, *others in zip(*(one[1:4] for one in found), strict=True):
            assert all(ours.dtype == other.dtype and ours.tolist() == other.tolist() for other in others)
        ends += found[0][2] | found[0][3]
    for vector in vectors:
        vector.close()


def test_a_partial_reset_is_told_as_gymnasiums_vectors_tell_it():
    vectors = list(modes("sos/CPU-v0", ("vector_entry_point", "sync"), AutoresetMode.DISABLED))
    for vector in vectors:
        vector.reset(seed=0)
        vector.step(np.zeros(N, int))
    chosen = np.array([False, True, False])
    ours, theirs = (vector.reset(seed=[1, 2, 3], options={"reset_mask": chosen}) for vector in vectors)
    assert equal(ours[0], theirs[0]) and equal(ours[1], theirs[1])


def test_attributes_are_asked_for_as_of_gymnasiums_vectors():
    vectors = list(modes("sos/CPU-v0", ("vector_entry_point", "sync"), AutoresetMode.NEXT_STEP))
    for vector in vectors:
        vector.reset(seed=0)
    ours, theirs = ([row.tolist() for row in vector.call("action_masks")] for vector in vectors)
    assert ours == theirs
    for name in ("settings", "advisors", "preset", "tape"):
        assert vectors[0].get_attr(name) == vectors[1].get_attr(name)


@pytest.mark.parametrize("wrapper", [DictInfoToList, RecordEpisodeStatistics])
def test_wrappers_of_vectors_take_the_native_one(wrapper):
    vector = wrapper(gym.make_vec("sos/Memory-v0", N, **SHORT, autoreset_mode="SameStep"))
    vector.reset(seed=0)
    for _ in range(40):
        *_, infos = vector.step(vector.action_space.sample())
    told = infos[0] if wrapper is DictInfoToList else infos
    assert {"decision", "cost", "discount"} <= set(told)


# -- infos


def layout(value):
    """Keys and types, all the way down."""
    if isinstance(value, dict):
        return {key: layout(one) for key, one in value.items()}
    return (value.dtype, value.shape) if isinstance(value, np.ndarray) else type(value)


@pytest.mark.parametrize("env_id", IDS)
def test_infos_have_the_same_keys_and_types_at_every_step(env_id):
    env = gym.make(env_id, advisors=("lru",), **SHORT)
    layouts, rng = [], np.random.default_rng(0)
    for seed in range(3):
        _, info = env.reset(seed=seed)
        layouts.append(layout(info))
        assert (info["dt_ns"], info["work_ns"], info["discount"]) == (0, 0, 1.0)  # it is paid with the first step
        over = False
        while not over:
            *_, terminated, truncated, info = env.step(int(rng.integers(16)))
            layouts.append(layout(info))
            over = terminated or truncated
    empty = gym.make(env_id, advisors=("lru",), workload=Tape.from_jobs([0], [5]), strict=True)
    _, nothing = empty.reset(seed=0)
    layouts += [layout(nothing), layout(empty.step(nothing["advice"]["lru"])[-1])]
    assert all(one == layouts[0] for one in layouts)
    assert info["metrics"] == metrics(env.unwrapped.simulation) != BLANK


def test_a_word_is_its_number_and_its_name():
    word = Word(Kind.ADMIT)
    assert word == "admit" and word == 1 and word != "evict" and word in ("evict", "admit") and not (word != 1)  # noqa: SIM202
    assert f"{word:>6} {word}" == " admit admit" and repr(word) == "'admit'"
    assert {1: "x"}[word] == "x" and np.zeros(1, type(word)).dtype == np.int64


def test_the_mask_stands_in_observation_info_and_method():
    env = SosEnv("sos/CPU-v0")
    observation, info = env.reset(seed=0)
    for _ in range(20):
        assert (
            observation["action_mask"].tolist()
            == info["action_mask"].tolist()
            == env.action_masks().astype(int).tolist()
        )
        assert not np.shares_memory(observation["action_mask"], info["action_mask"])
        observation, *_, info = env.step(0)


# -- masked-out actions


@pytest.mark.parametrize("env_id", IDS)
def test_a_masked_out_action_is_a_fair_draw_that_the_seed_decides(env_id):
    def rows(seed):
        env = SosEnv(env_id, rows=128, workload="loop" if "Memory" in env_id else None)
        env.reset(seed=seed)
        found = []
        for _ in range(300):
            legal = int(env.action_masks().sum())
            *_, over, _, info = env.step(127)
            if over:
                break
            found.append((info["fallback_row"], legal))
        return found, env

    (found, env), (again, _), (other, _) = rows(0), rows(0), rows(1)
    assert found == again != other
    drawn = np.array([(row + 0.5) / legal for row, legal in found if row >= 0])
    assert len(drawn) > 100 and abs(drawn.mean() - 0.5) < 4 * 0.29 / np.sqrt(len(drawn))
    assert metrics(env.simulation)["masked_out"] == len(drawn)


def test_a_draw_goes_along_with_states():
    env = SosEnv("sos/System-v0", rows=128)
    env.reset(seed=0)
    state = env.state()
    ways = []
    for _ in range(2):
        env.restore(state)
        ways.append([env.step(127)[-1]["fallback_row"] for _ in range(30)])
    assert ways[0] == ways[1] and len(set(ways[0])) > 1
    assert metrics(env.simulation)["masked_out"] == 30


def test_to_insist_on_a_masked_row_does_not_pay():
    """The first legal row, taken in its place, was .68 of lottery's stall on System."""
    seeds = {"seed": 0, "episodes": 3}

    def last(observation, info):
        return 15

    stalls = [
        sum(run["weighted_stall_ns"] for run in sos_gym.evaluate("sos/System-v0", policy, **seeds))
        for policy in (last, "lottery")
    ]
    assert stalls[0] > 0.9 * stalls[1]


# -- the last observation


@pytest.mark.parametrize("env_id", IDS)
def test_a_truncated_episode_ends_with_an_observation_to_bootstrap_from(env_id):
    rows = 0
    for seed in range(10):
        env = SosEnv(env_id, horizon_ns=3_000_000 + 77 * seed)
        observation, info = env.reset(seed=seed)
        resource, truncated = None, False
        while not truncated:
            resource, kind = info["decision"]["resource"], info["decision"]["kind"]
            observation, _, _, truncated, info = env.step(int(np.flatnonzero(observation["action_mask"])[-1]))
        assert observation in env.observation_space
        context = dict(zip(CONTEXT, observation["context"], strict=True))
        assert context["slots"] > 0 and context["memory" if resource == 0 else "cpu"] == 1 and context[str(kind)] == 1
        assert info["decision"]["now_ns"] == env.settings.horizon_ns and not info["decision"]["open"]
        assert observation["action_mask"].sum() == observation["candidates"][:, 0].sum() == len(env.candidates)
        for e in env.candidates:
            entity = env.simulation.arrays["entities"][e] if e >= 0 else None
            assert entity is None or entity["slot"] >= 0 or entity["state"] == 1  # it holds, or waits
        rows += len(env.candidates)
    assert rows > 15


def test_a_cut_while_all_is_idle_shows_what_is_vacant():
    jobs = Tape.from_jobs([0, 0, 0, 1000, 2000, 9_000_000], [20_000] * 6)
    env = SosEnv("sos/CPU-v0", workload=jobs, cores=2, nodes=1, move_ns=0, horizon_ns=5_000_000)
    observation, _ = env.reset(seed=0)
    truncated = False
    while not truncated:
        observation, _, _, truncated, info = env.step(int(np.flatnonzero(observation["action_mask"])[0]))
    rows = observation["candidates"][observation["action_mask"] == 1]
    assert info["decision"]["number"] > 0 and rows[:, sos_gym.COLUMNS.index("vacant")].all() and len(rows) == 1


def test_a_cut_before_the_first_decision_shows_what_there_is():
    env = SosEnv("sos/Memory-v0", horizon_ns=1)
    observation, info = env.reset(seed=0)
    assert not info["decision"]["open"] and observation["action_mask"].any() and observation["context"].any()
    assert env.step(0)[3]


# -- keywords and options


def test_an_unknown_keyword_is_the_type_error_that_libraries_probe_for():
    """TorchRL, for one, gives `frameskip` and takes it back when the error says that nobody expects it."""
    for make in (gym.make, gym.make_vec, lambda *a, **k: gym.make_vec(*a, vectorization_mode="sync", **k)):
        with pytest.raises(
            TypeError, match=r"frameskip=4 .* did you mean 'frames'.*unexpected keyword argument 'frame"
        ):
            make("sos/Memory-v0", frameskip=4)
    with pytest.raises(sos_gym.SettingError, match="known setting"):
        sos_gym.evaluate("sos/Memory-v0", "lru", frameskip=4)


@pytest.mark.parametrize("make", [gym.make, lambda name: gym.make_vec(name, 4)], ids=["one", "many"])
def test_an_unknown_option_is_warned_of_once(make):
    env = make("sos/Memory-v0")
    with pytest.warns(UserWarning, match="'framez'.*did you mean 'frames'") as told:
        observation, _ = env.reset(seed=0, options={"framez": 3})
        env.reset(seed=0, options={"framez": 3})
    assert len(told) == 1
    assert observation["candidates"].tobytes() == make("sos/Memory-v0").reset(seed=0)[0]["candidates"].tobytes()


def test_options_stay_through_resets_and_autoresets():
    single = gym.make("sos/Memory-v0", **SHORT)
    vector = gym.make_vec("sos/Memory-v0", 2, autoreset_mode="SameStep", **SHORT)
    options = {"frames": 32, "workload": "zipf(alpha=0.5)", "discount_ns": 1_000_000}
    single.reset(seed=3, options=options), vector.reset(seed=3, options=options)
    for _ in range(3):
        ended = False
        while not ended:
            *_, truncated, info = single.step(0)
            *_, cut, infos = vector.step(np.zeros(2, int))
            ended = truncated
            told = infos["final_info"] if ended else infos
            assert cut[0] == ended and told["discount"][0] == info["discount"]
            assert told["dt_ns"][0] == info["dt_ns"]
        single.reset()
        for env in (single.unwrapped, vector.unwrapped.episodes[0]):
            card = env.tape.card
            assert (env.scenario.settings.frames, card["name"], card["parameters"]["alpha"]) == ((16, 16), "zipf", 0.5)
    single.reset(options={"settings": {}})
    assert single.unwrapped.settings.frames == (28, 28) and single.unwrapped.tape.card["name"] == "zipf"


def test_a_refused_option_changes_nothing():
    env = gym.make("sos/Memory-v0").unwrapped
    env.reset(seed=0, options={"frames": 40})
    before = env.simulation
    with pytest.raises(sos_gym.SettingError, match="lanes"):
        env.reset(seed=0, options={"frames": 30, "lanes": 0})
    assert env.simulation is before and env.settings.frames == (20, 20)


def test_a_refused_option_changes_none_of_many():
    vector = gym.make_vec("sos/Memory-v0", 2, each={"nodes": [2, 1]}).unwrapped
    vector.reset(seed=0)
    before = [episodes.simulation for episodes in vector.episodes]
    with pytest.raises(sos_gym.SettingError, match="frames"):
        vector.reset(seed=0, options={"frames": (20, 20)})  # which the second, of one node, cannot have
    assert [episodes.simulation for episodes in vector.episodes] == before


# -- many that do not begin at once


@pytest.mark.parametrize("env_id", IDS)
def test_a_spread_start_begins_at_even_shares_of_the_decisions(env_id):
    def start(**keywords):
        vector = gym.make_vec(env_id, 8, start="spread", **keywords).unwrapped
        return vector, *vector.reset(seed=0)

    vector, observation, infos = start()
    begun = infos["decision"]["number"]
    assert begun[0] == 0 and (np.diff(begun) > 0).sum() >= 6
    lengths = []
    for i, episodes in enumerate(vector.episodes):  # a whole random episode of each
        single = episodes.scenario.episode(i)
        sos_gym.baseline.RandomRow().play(single)
        lengths.append(int(single.record["decisions"][0]))
    assert begun.tolist() == [length * i // 8 for i, length in enumerate(lengths)]
    assert (
        observation["action_mask"].any(axis=1).all()
        and not infos["dt_ns"].any()
        and not infos["metrics"]["masked_out"].any()
    )
    again = start(threads=2)
    assert equal(observation, again[1]) and equal(infos, again[2])
    first = vector.step(np.zeros(8, int))
    assert (first[-1]["dt_ns"] < 100_000_000).all()  # not since the start of the episode
    masked = observation["action_mask"].sum(1)
    assert masked.min() >= 1


def test_ends_are_spread_too():
    ends = {}
    for start in ("together", "spread"):
        vector = gym.make_vec("sos/Memory-v0", 8, max_episode_steps=80, start=start)
        vector.reset(seed=0)
        ends[start] = [int(vector.step(np.zeros(8, int))[3].sum()) for _ in range(80)]
    assert max(ends["together"]) == 8 and max(ends["spread"]) == 1 and sum(ends["spread"]) == 8


def test_a_start_or_limit_that_makes_no_sense_is_named():
    for keywords in ({"start": "soon"}, {"max_episode_steps": 0}, {"max_episode_steps": 2.5}):
        with pytest.raises(sos_gym.SettingError, match=next(iter(keywords))):
            gym.make_vec("sos/CPU-v0", 2, **keywords)
