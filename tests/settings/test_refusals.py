"""What makes no sense is refused, by an error that names argument, value, range and remedy."""

import math

import gymnasium as gym
import numpy as np
import pytest

import sos_gym
from sos_gym import SettingError, Tape, TapeError, evaluate
from sos_gym.envs.env import SosEnv
from sos_gym.leaderboard import leaderboard
from sos_gym.resource import Op
from sos_gym.settings.environment import Settings, build_settings

NAN, INF = math.nan, math.inf


def refused(call, *words) -> str:
    """The text of the SettingError or TapeError; each of `words` is in it."""
    with pytest.raises((SettingError, TapeError)) as caught:
        call()
    text = str(caught.value)
    missing = [word for word in words if word not in text]
    assert not missing, (missing, text)
    return text


NUMBERS = [
    ("frames", 0),
    ("frames", -1),
    ("frames", NAN),
    ("frames", 1.5),
    ("frames", True),
    ("frames", "64"),
    ("frames", (64,)),
    ("frames", (0, 0)),
    ("frames", (-1, 5)),
    ("frames", (1.5, 2)),
    ("frames", (NAN, 2)),
    ("frames", ("1", "2")),
    ("frames", {1: 2}),
    ("cores", 0),
    ("cores", -3),
    ("cores", (1, 2, 3)),
    ("cores", (True, True)),
    ("nodes", 0),
    ("nodes", 16),
    ("nodes", None),
    ("rows", 3),
    ("rows", 0),
    ("rows", 1_000_000),
    ("rows", INF),
    ("tick_ns", 0),
    ("tick_ns", -5),
    ("tick_ns", NAN),
    ("scan_ns", 0),
    ("hint_ns", -1),
    ("horizon_ns", 0),
    ("horizon_ns", -1),
    ("switch_ns", -1),
    ("switch_ns", NAN),
    ("switch_ns", INF),
    ("switch_ns", None),
    ("swap_in_ns", 1 << 51),
    ("move_ns", -1),
    ("move_ns", (1, -1)),
    ("move_ns", (1, 2, 3)),
    ("move_ns", NAN),
    ("move_ns", "5"),
    ("move_ns", None),
    ("move_ns", 1 << 51),
    ("warm_ns", -1),
    ("warm_ns", (1, 2, 3)),
    ("warm_ns", (0, (1 << 30) + 1)),
    ("hint_fault_ns", -1),
    ("lanes", 0),
    ("lanes", 2.5),
    ("reward", "progres"),
    ("reward", None),
    ("reward", 3),
    ("reclaim", "nearby"),
    ("stall_per_service", NAN),
    ("stall_per_service", -0.1),
    ("reward_scale_ns", 0),
    ("discount_ns", 0),
    ("cost_scale", (2.0, 0.5)),
    ("cost_scale", (0, 1)),
    ("cost_scale", (NAN, 1)),
    ("cost_scale", (1,)),
    ("cost_scale", 2.0),
    ("cost_scale", "ab"),
    ("tiers", "yes"),
    ("tiers", 2),
]


@pytest.mark.parametrize(("name", "value"), NUMBERS, ids=str)
def test_a_setting_out_of_range_names_itself(name, value):
    text = refused(lambda: gym.make("sos/System-v0", disable_env_checker=True, **{name: value}), f"{name}={value!r}")
    assert "must be" in text and ";" in text  # what is allowed; the remedy


@pytest.mark.parametrize("value", [np.int64(8), np.float64(8), 8.0, [4, 4], (4, 4), (np.int64(4), 4)])
def test_numbers_of_every_kind_are_accepted(value):
    assert build_settings({"frames": value}).frames == (4, 4)
    assert all(type(count) is int for count in build_settings({"frames": value}).frames)


def test_a_render_mode_that_is_none():
    refused(lambda: SosEnv("sos/CPU-v0", render_mode="human"), "render_mode='human'", "ansi", "rgb_array")


def test_none_means_plenty_or_off():
    made = build_settings(
        dict.fromkeys(("cores", "frames", "tick_ns", "scan_ns", "hint_ns", "horizon_ns", "cost_scale"))
    )
    assert made.cores is made.frames is made.tick_ns is made.scan_ns is None


def test_frames_and_cores_are_split_evenly_or_as_told():
    made = build_settings({"nodes": 3, "frames": 8, "cores": (0, 1, 5)})
    assert made.frames == (3, 3, 2) and made.cores == (0, 1, 5)


@pytest.mark.parametrize(
    ("name", "near"), [("frame", "frames"), ("core", "cores"), ("tick", "tick_ns"), ("swapin_ns", "swap_in_ns")]
)
def test_an_unknown_keyword_gets_did_you_mean(name, near):
    refused(lambda: SosEnv("sos/CPU-v0", **{name: 5}), f"{name}=5", "known setting", f"did you mean {near!r}")
    refused(lambda: evaluate("sos/CPU-v0", "lru", **{name: 5}), f"did you mean {near!r}")


def test_an_unlike_keyword_is_shown_where_to_look():
    refused(lambda: SosEnv("sos/CPU-v0", xyzzy=1), "xyzzy=1", "Settings")
    assert hasattr(Settings, "__dataclass_fields__")


def test_too_few_rows_for_the_advisors():
    names = ("lru", "fifo", "lfu")
    refused(
        lambda: SosEnv("sos/CPU-v0", rows=6, advisors=names), "rows=6", "4 + the number of advisors (3)", "raise rows"
    )
    SosEnv("sos/CPU-v0", rows=7, advisors=names).reset(seed=0)


@pytest.mark.parametrize(
    ("advisors", "words"),
    [
        (("lruu",), ("policy='lruu'", "did you mean 'lru'")),
        ("lru", ("advisors='lru'", "('lru',)")),
        (("lru", 5), ("policy=5",)),
        (("lru",) * 9, ("at most 8",)),
    ],
)
def test_advisors_that_make_no_sense(advisors, words):
    refused(lambda: SosEnv("sos/CPU-v0", advisors=advisors, rows=64), *words)


def test_overhead_that_fills_every_slice_or_scan():
    refused(lambda: SosEnv("sos/CPU-v0", tick_ns=1_000), "tick_ns=1000", "151000", "lengthen")
    refused(lambda: SosEnv("sos/Memory-v0", scan_ns=100), "scan_ns=100", "less often")


# -- tapes that do not fit the settings

TOUCHES = [[(Op.READ, 0), (Op.READ, 1), (Op.READ, 2)]]


def reset(env_id, tape, **keywords):
    SosEnv(env_id, workload=tape, **keywords).reset(seed=0)


def test_affinity_that_allows_no_node():
    thread = Tape.build([[(Op.COMPUTE, 5)]] * 2, affinity=[-1, 4])
    refused(lambda: reset("sos/CPU-v0", thread), "affinity of thread 1", "0b100", "nodes with cores (2, 2)", "allow")
    reset("sos/CPU-v0", thread, nodes=3)
    second = Tape.build([[(Op.COMPUTE, 5)]], affinity=2)
    refused(lambda: reset("sos/CPU-v0", second, cores=(4, 0)), "affinity of thread 0", "0b10", "(4, 0)")
    refused(lambda: reset("sos/Tier-v0", second), "affinity of thread 0")  # only the fast tier has cores
    page = Tape.build(TOUCHES, pages={1: {"affinity": 4}})
    refused(lambda: reset("sos/Memory-v0", page), "affinity of a page", "0b100", "nodes with frames (28, 28)", "allow")
    refused(lambda: reset("sos/Memory-v0", Tape.build(TOUCHES, pages={1: {"affinity": 2}}), frames=(4, 0)), "0b10")
    with pytest.raises(TapeError, match="affinity"):
        Tape.build([[(Op.COMPUTE, 5)]], affinity=0)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_pinned_pages_must_leave_a_frame(frames):
    tape = Tape.build(TOUCHES, pages={0: {"pinned": 1}, 1: {"pinned": 1}})
    if frames > 2:
        return reset("sos/Memory-v0", tape, nodes=1, frames=frames)
    refused(
        lambda: reset("sos/Memory-v0", tape, nodes=1, frames=frames), f"frames=({frames},)", "2 pinned", "add frames"
    )


def test_pinned_pages_must_leave_a_frame_on_every_allowed_set():
    pages = {0: {"pinned": 1, "affinity": 2}, 1: {"affinity": 2}}
    tape = Tape.build(TOUCHES, pages=pages)
    refused(lambda: reset("sos/Memory-v0", tape, frames=(9, 1)), "frames=(9, 1)", "1 pinned", "0b10")
    reset("sos/Memory-v0", tape, frames=(9, 2))
    reset("sos/Memory-v0", Tape.build(TOUCHES, pages={0: {"pinned": 1}}), frames=(1, 1))


# -- options, workloads, evaluate


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (3, ("options=3", "a dict")),
        ({"frames": 0}, ("frames=0",)),
        ({"rows": 3}, ("options['rows']=3", "gym.make")),
        ({"settings": {"reward": "stall"}}, ("reward", "gym.make")),
        ({"workload": "zipf(alpha=9)"}, ("alpha", "zipf", "5.0")),
        ({"workload": 5}, ("workload=5", "a name, a Tape or a split")),
        ({"workload": None}, ("workload=None",)),
        ({"workload": "phazes"}, ("phazes", "did you mean 'phases'")),
        ({"workload": "tset"}, ("tset",)),
    ],
    ids=str,
)
def test_options_that_make_no_sense(options, words):
    env = SosEnv("sos/Memory-v0")
    refused(lambda: env.reset(seed=0, options=options), *words)
    env.reset(seed=0)


def test_a_split_of_a_recording_or_tape_is_refused_or_ignored_openly():
    refused(lambda: SosEnv("sos/Memory-v0", workload="sort").reset(options={"workload": "test"}), "sort", "split")
    refused(lambda: SosEnv("sos/Memory-v0", split="tset"), "tset", "test")
    refused(lambda: SosEnv("sos/Memory-v0", workload="sort", split="test"), "sort", "split")
    refused(lambda: SosEnv("sos/Memory-v0", workload="phazes"), "phazes", "did you mean 'phases'")
    refused(lambda: SosEnv("sos/Memory-v0", workload="train"), "workload='train'", "split='train'")


@pytest.mark.parametrize("workload", ["phazes", "", 5, 2.5, ["phases"], b"phases"], ids=repr)
def test_a_workload_that_is_none(workload):
    refused(lambda: SosEnv("sos/Memory-v0", workload=workload).reset(seed=0))
    refused(lambda: evaluate("sos/Memory-v0", "lru", workload=workload))


def test_an_unknown_id():
    refused(lambda: evaluate("sos/Memry-v0", "lru"), "env_id='sos/Memry-v0'", "sos/Memory-v0")
    refused(lambda: SosEnv("sos/Memry-v0"), "sos/Memry-v0")


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"policy": "lruu"}, ("policy='lruu'", "did you mean 'lru'")),
        ({"policy": None}, ("policy=None",)),
        ({"policy": 3.5}, ("policy=3.5",)),
        ({"episodes": 0}, ("episodes=0", ">= 1")),
        ({"episodes": -1}, ("episodes=-1",)),
        ({"episodes": 1.5}, ("episodes=1.5",)),
        ({"episodes": NAN}, ("episodes=nan",)),
        ({"episodes": "2"}, ("episodes='2'",)),
        ({"seed": -1}, ("seed", "-1")),
        ({"seed": 1.5}, ("seed", "1.5")),
        ({"seed": None}, ("seed", "None")),
        ({"through": "fast"}, ("through='fast'", "'gym'")),
    ],
    ids=str,
)
def test_evaluate_refuses(keywords, words):
    refused(lambda: evaluate("sos/CPU-v0", **{"policy": "lru", **keywords}), *words)


def test_errors_are_value_errors_of_the_package():
    for error in (sos_gym.SettingError, sos_gym.TapeError, sos_gym.ActionError):
        assert issubclass(error, ValueError)
    assert issubclass(sos_gym.StuckError, RuntimeError)


def test_a_claim_that_makes_no_sense():
    refused(lambda: sos_gym.claim("lru", summary="taken")(lambda entity, now: 0.0), "name='lru'", "taken")
    refused(lambda: sos_gym.claim("mine", summary="arguments")(lambda page: 0.0), "(entity, now)")


# -- what is no list, no dict, no number of episodes

WRONG = (3, 1.5, True, b"x", object())


def board(**keywords):
    return lambda: leaderboard(**{"envs": ["sos/CPU-v0"], "policies": ["lru"], "recordings": False, **keywords})


def many(**keywords):
    return lambda: gym.make_vec("sos/CPU-v0", 2, **keywords)


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda value: lambda: SosEnv("sos/CPU-v0", advisors=value), "advisors"),
        (lambda value: many(advisors=value), "advisors"),
        (lambda value: many(each=value), "each"),
        (lambda value: many(each={"frames": value}), "each['frames']"),
        (lambda value: lambda: many()().reset(options=value), "options"),
        (lambda value: lambda: SosEnv("sos/CPU-v0").reset(options=value), "options"),
        (lambda value: board(envs=value), "envs"),
        (lambda value: board(policies=value), "policies"),
        (lambda value: board(workloads=value), "workloads"),
        (lambda value: board(workloads=[value]), "workloads"),
        (lambda value: lambda: evaluate(value, "lru"), "env_id"),
    ],
    ids=[
        "advisors",
        "of many",
        "each",
        "values",
        "options",
        "of one",
        "envs",
        "policies",
        "workloads",
        "one",
        "env_id",
    ],
)
def test_what_is_no_list_or_dict_is_refused_by_name(call, name, value):
    refused(call(value), f"{name}={value!r}")


@pytest.mark.parametrize("value", [1.5, "x", None, [1], math.nan])
def test_what_is_no_number_is_refused_by_name(value):
    refused(board(seed=value), f"seed={value!r}")
    refused(board(episodes=value), f"episodes={value!r}")
    if value is not None:
        refused(lambda: many()().reset(seed=value), "seed=")


def test_rows_are_kept_in_a_file_that_has_a_path():
    refused(board(keep=3.5), "keep=3.5")
