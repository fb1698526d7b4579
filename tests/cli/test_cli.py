"""The command line: what it prints, what it refuses, how it ends."""

import json
import sys

import pytest
from typer.testing import CliRunner

import sos_gym
from sos_gym.cli.app import app
from sos_gym.cli.names import env_named, settings_of
from sos_gym.leaderboard import replay
from sos_gym.resource import Op

RUNNER = CliRunner()


def cli(*words):
    return RUNNER.invoke(app, list(map(str, words)), env={"COLUMNS": "200"})


def flat(text):
    """Without the line breaks of tables."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def tape_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tapes") / "circle.npz"
    sos_gym.Tape.from_references([0, 1, 2, 3] * 10).save(path)
    return path


# -- what it prints


def test_version():
    result = cli("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, f"sos-gym {sos_gym.__version__}")


def test_help_names_the_commands():
    result = cli("--help")
    assert all(name in result.stdout for name in ("leaderboard", "run", "workloads", "policies"))


@pytest.mark.parametrize("name", ["Memory", "memory", "sos/Memory-v0", "SOS/memory-v0"])
def test_environments_have_short_names(name):
    assert env_named(name) == "sos/Memory-v0"


def test_lists_name_everything():
    listed = cli("workloads").stdout
    assert all(name in listed for name in sos_gym.workloads())
    listed = cli("policies").stdout
    assert all(name in listed for name in sos_gym.policies())
    assert "clairvoyant †" in listed and "recency †" not in listed


def test_a_card_shows_parameters_with_default_unit_range_and_effect():
    parameter = sos_gym.workloads()["zipf"].parameters["write_ratio"]
    card = flat(cli("workloads", "zipf").stdout)
    assert f"write_ratio {parameter.default} {parameter.low} {parameter.high} {parameter.effect}" in card


def test_the_card_of_fifo_says_what_it_is_not():
    card = flat(cli("policies", "fifo").stdout)
    assert card.startswith("turns") and "SCHED_FIFO, which is `seniority`" in card
    assert "on cores that is round robin" in card


def test_run_prints_what_evaluate_returns(tape_path):
    result = cli("run", "memory", "--policy", "lru", "--workload", tape_path, "--set", "frames=3", "--set", "nodes=1")
    assert result.exit_code == 0
    faults = sos_gym.evaluate("sos/Memory-v0", "lru", sos_gym.Tape.load(tape_path), frames=3, nodes=1)[0]["faults"]
    assert faults == 40  # LRU misses all of a circle that is longer than memory
    assert f"faults {faults} " in flat(result.stdout)


def test_run_says_that_fifo_is_round_robin_on_cores():
    result = cli("run", "CPU", "--policy", "fifo", "--workload", "hyperexponential")
    assert "SCHED_FIFO" in flat(result.stdout) and "round robin" in flat(result.stdout)
    assert "SCHED_FIFO" not in cli("run", "CPU", "--policy", "turns").stdout


def test_render_shows_decisions_and_gives_the_same_metrics(tape_path):
    words = ("run", "memory", "--policy", "lru", "--workload", tape_path, "--set", "frames=3", "--set", "nodes=1")
    plain, rendered = cli(*words), cli(*words, "--render")
    assert "wants a frame, fault: who goes without?" in rendered.stdout
    assert rendered.stdout.endswith(plain.stdout[plain.stdout.index("lru on") :])


def test_picture_is_a_png(tape_path, tmp_path):
    path = tmp_path / "circle.png"
    assert cli("run", "Memory", "--policy", "lru", "--workload", tape_path, "--picture", path).exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_settings_are_literals_or_words():
    given = ["frames=32,1000", "nodes=2", "tick_ns=none", "tiers=true", "reclaim=local", "stall_per_service=.5"]
    assert settings_of(given, {}) == {
        "frames": (32, 1000),
        "nodes": 2,
        "tick_ns": None,
        "tiers": True,
        "reclaim": "local",
        "stall_per_service": 0.5,
    }


# -- what it refuses


@pytest.mark.parametrize(
    "words, said",
    [
        (("run", "Memorry", "--policy", "lru"), "did you mean 'sos/Memory-v0'?"),
        (("run", "CPU", "--policy", "lrv"), "did you mean 'lru'?"),
        (("run", "CPU", "--policy", "lru", "--workload", "hyperexponentail"), "did you mean 'hyperexponential'?"),
        (("run", "CPU", "--policy", "lru", "--set", "coers=2"), "did you mean 'cores'?"),
        (("run", "CPU", "--policy", "lru", "--set", "cores=0"), "cores=0 is not allowed"),
        (("run", "CPU", "--policy", "lru", "--set", "cores"), "name=value"),
        (("run", "CPU", "--policy", "lru", "--set", "seed=3"), "seed=3 is not allowed"),
        (("run", "Memory", "--policy", "lru", "--workload", "nowhere.npz"), "nowhere.npz: No such file"),
        (("workloads", "zip"), "did you mean 'zipf'?"),
        (("policies", "siive"), "is not allowed"),
        (("leaderboard", "--envs", "CPU,Tear"), "did you mean 'sos/Tier-v0'?"),
        (("leaderboard", "--policies", "lru,fiffo"), "did you mean 'fifo'?"),
        (("leaderboard", "--envs", "CPU", "--workloads", "zipf"), "run it on sos/Memory-v0"),
        (("leaderboard", "--episodes", "0"), "episodes=0 is not allowed"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(words, said, tmp_path):
    result = cli(*words, *(("--out", tmp_path) if words[0] == "leaderboard" else ()))
    assert result.exit_code == 2
    assert said in result.stderr and len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_tape_is_refused(tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04 no tape")
    result = cli("run", "Memory", "--policy", "lru", "--workload", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "broken.npz is not a tape" in result.stderr


def test_a_tape_that_waits_for_ever_is_refused(tmp_path):
    path = tmp_path / "stuck.npz"
    late_giver = [(Op.COMPUTE, 1_000_000), (Op.WAIT, 0), (Op.SIGNAL, 0)]  # the taker has the only token by then
    sos_gym.Tape.build([late_giver, [(Op.WAIT, 0)]], channels=[1]).save(path)
    result = cli("run", "CPU", "--policy", "lru", "--workload", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "stuck at" in result.stderr and "thread 0" in result.stderr


def test_a_picture_without_matplotlib_says_what_to_install(tape_path, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.image", None)
    result = cli("run", "Memory", "--policy", "lru", "--workload", tape_path, "--picture", tmp_path / "x.png")
    assert result.exit_code == 2 and "pip install 'sos-gym[plot]'" in result.stderr


# -- leaderboard


def test_leaderboard_writes_rows_that_replay(tmp_path, tape_path):
    words = ("--envs", "memory,CPU", "--policies", "fifo,lru,belady", "--policies", "random", "--episodes", 2)
    workloads = ("--workloads", f"{tape_path},hyperexponential")
    result = cli("leaderboard", *words, *workloads, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "leaderboard.json").read_text())
    assert len(document["rows"]) == 2 * 4 * 2
    assert all(replay(row) == row["metrics"] for row in document["rows"])
    assert "SCHED_FIFO" in flat(result.stdout)
    assert "clairvoyant †" in result.stdout and "worst family" in result.stdout
    assert result.stdout.count("CPU hyperexponential       recency") == 1  # as they come: one line per policy
    assert document["command"].startswith("sos-gym leaderboard --envs memory,CPU --policies fifo,lru,belady,random")
    again = cli(*document["command"].split()[1:], "--out", tmp_path / "again")
    assert again.exit_code == 0
    assert json.loads((tmp_path / "again" / "leaderboard.json").read_text())["rows"] == document["rows"]


def test_without_matplotlib_the_leaderboard_says_so_and_goes_on(tmp_path, tape_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ("--envs", "Memory", "--policies", "lru", "--workloads", tape_path, "--episodes", 1)
    result = cli("leaderboard", *words, "--out", tmp_path)
    assert result.exit_code == 0 and "pip install 'sos-gym[plot]'" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaderboard.json", "leaderboard.md"]


def test_quick_is_one_seed_without_recordings(tmp_path):
    result = cli("leaderboard", "--quick", "--envs", "CPU", "--policies", "lru,fcfs", "--out", tmp_path)
    assert result.exit_code == 0
    rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert [(row["workload"], row["policy"], row["seed"]) for row in rows] == [
        ("hyperexponential", "recency", 0),
        ("hyperexponential", "seniority", 0),
    ]
