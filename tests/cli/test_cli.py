"""The command line: what it prints, what it refuses, how it ends."""

import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import sos_gym
from sos_gym.cli.alphabet import readable
from sos_gym.cli.app import app
from sos_gym.cli.names import env_named, settings_of
from sos_gym.leaderboard import grid, replay, standings
from sos_gym.leaderboard.certainty import certainties
from sos_gym.resource import Op
from sos_gym.shipped import SHIPPED

pytestmark = pytest.mark.usefixtures("names_given_back")

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
    assert "belady †" in result.stdout and "worst family" in result.stdout
    assert result.stdout.count("CPU hyperexponential       lru ") == 1  # as they come: one line per policy
    assert document["command"].startswith("sos-gym leaderboard --envs memory,CPU --policies fifo,lru,belady,random")
    again = cli(*document["command"].split()[1:], "--out", tmp_path / "again")
    assert again.exit_code == 0
    assert json.loads((tmp_path / "again" / "leaderboard.json").read_text())["rows"] == document["rows"]


def test_without_matplotlib_the_leaderboard_says_so_and_goes_on(tmp_path, tape_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ("--envs", "Memory", "--policies", "lru", "--workloads", tape_path, "--episodes", 1)
    result = cli("leaderboard", *words, "--out", tmp_path)
    assert result.exit_code == 0 and "pip install 'sos-gym[plot]'" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"leaderboard{kind}" for kind in ("-costs.json", "-costs.md", ".json", ".jsonl", ".md")
    ]


def test_quick_is_one_seed_without_recordings(tmp_path):
    result = cli("leaderboard", "--quick", "--envs", "CPU", "--policies", "lru,fcfs", "--out", tmp_path)
    assert result.exit_code == 0
    rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert [(row["workload"], row["policy"], row["seed"]) for row in rows] == [
        ("hyperexponential", "recency", 0),
        ("hyperexponential", "seniority", 0),
    ]


def test_the_leaderboard_refuses_where_it_cannot_write_before_it_runs(tmp_path, tape_path, monkeypatch):
    monkeypatch.setattr(grid, "evaluate", None)  # fails if it is called
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "leaderboard.md").mkdir(parents=True)
    for out, named in (("file", "file"), ("file/below", "file/below"), ("taken", "taken/leaderboard.md")):
        result = cli("leaderboard", "--policies", "lru", "--workloads", tape_path, "--out", tmp_path / out)
        assert result.exit_code == 2 and f"{tmp_path / named}: " in result.stderr, result.output


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device", "leaderboard.jsonl")])
def test_a_stopped_leaderboard_says_where_its_rows_are_and_goes_on(tmp_path, tape_path, monkeypatch, error):
    words = ("leaderboard", "--envs", "Memory", "--policies", "lru,random", "--workloads", tape_path, "--episodes", 2)
    whole, stopped, evaluate = tmp_path / "whole", tmp_path / "stopped", grid.evaluate
    assert cli(*words, "--out", whole).exit_code == 0
    calls = []

    def until_the_third(*args, **named):
        calls.append(args)
        if len(calls) == 3:
            raise error
        return evaluate(*args, **named)

    monkeypatch.setattr(grid, "evaluate", until_the_third)
    result = cli(*words, "--out", stopped)
    assert result.exit_code != 0 and f"{stopped}/leaderboard.jsonl; --resume goes on" in result.stderr
    assert [path.name for path in stopped.iterdir()] == ["leaderboard.jsonl"]
    assert cli(*words, "--out", stopped, "--resume").exit_code == 0
    assert len(calls) == 3 + 2
    assert "stopped" not in cli(*words, "--out", whole).stdout.replace(str(tmp_path), "")  # it was finished
    for name in ("leaderboard.json", "leaderboard.jsonl", "leaderboard.md", "leaderboard.png"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_a_new_run_sets_the_rows_of_a_stopped_one_aside(tmp_path, tape_path):
    (tmp_path / "leaderboard.jsonl").write_text("{}\n")
    words = ("leaderboard", "--envs", "Memory", "--policies", "lru", "--workloads", tape_path, "--episodes", 1)
    result = cli(*words, "--out", tmp_path)
    assert f"rows of a run that was stopped are now in {tmp_path}/leaderboard.jsonl.old" in result.stdout
    assert (tmp_path / "leaderboard.jsonl.old").read_text() == "{}\n"


# -- for programs


def parsed(form, text):
    return json.loads(text) if form == "--json" else list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_lists_as_records(form):
    found = parsed(form, cli("policies", form).stdout)
    assert {one["name"] for one in found} == {*sos_gym.policies(), *SHIPPED}
    (lru,) = parsed(form, cli("policies", "lru", form).stdout)
    assert (lru["name"], str(lru["privileged"])) == ("recency", "False") and "lru" in lru["aliases"]
    found = parsed(form, cli("workloads", form).stdout)
    assert [one["name"] for one in found] == list(sos_gym.workloads())
    parameters = found[[one["name"] for one in found].index("zipf")]["parameters"]
    alpha = (parameters if form == "--json" else json.loads(parameters))["alpha"]
    assert alpha["default"] == sos_gym.workloads()["zipf"].parameters["alpha"].default


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_run_as_records(form, tape_path):
    words = ("run", "Memory", "--policy", "lru", "--workload", tape_path, "--set", "frames=3", "--episodes", 2)
    found = parsed(form, cli(*words, form).stdout)
    expected = sos_gym.evaluate("sos/Memory-v0", "lru", sos_gym.Tape.load(tape_path), 0, 2, frames=3)
    assert [str(one["stall_ns"]) for one in found] == [str(one["stall_ns"]) for one in expected]
    assert [str(one["seed"]) for one in found] == ["0", "1"]


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_the_leaderboard_as_records(form, tape_path, tmp_path):
    words = ("leaderboard", "--envs", "Memory", "--policies", "lru,fifo,belady", "--workloads", tape_path)
    found = parsed(form, cli(*words, "--episodes", 1, "--out", tmp_path, form).stdout)  # notes are on stderr
    assert {one["called"]: one["policy"] for one in found} == {
        "lru": "recency",
        "fifo": "turns",
        "belady": "clairvoyant",
    }
    assert all(one["score"] in (None, "") for one in found)  # lottery was not run
    costs = json.loads((tmp_path / "leaderboard-costs.json").read_text())["costs"]
    for one, cost in ((one, cost) for one in found for cost in costs if cost["policy"] == one["policy"]):
        assert {name: str(value) for name, value in cost.items()} == {name: str(one[name]) for name in cost}
        paid, tape = sos_gym.policies()[one["policy"]].decision_ns, sos_gym.Tape.load(tape_path)
        settings = grid.fitted("sos/Memory-v0", tape) | {"decision_ns": paid}
        run = sos_gym.evaluate("sos/Memory-v0", one["policy"], tape, **settings)[0]
        assert float(one["charged_weighted_stall_ms"]) == pytest.approx(run["weighted_stall_ns"] / 1e6, abs=1e-6)
        assert one["charged_weighted_stall_ms"] != one["weighted_stall_ms"]


def test_a_board_of_many_seeds_says_how_sure_it_is(tape_path, tmp_path):
    words = ("leaderboard", "--envs", "Memory", "--policies", "lru,lottery,belady", "--workloads", tape_path)
    shown = cli(*words, "--episodes", 2, "--out", tmp_path).stdout
    rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    sure = certainties(rows, standings(rows))
    found = {one["policy"]: one for one in parsed("--json", cli(*words, "--full", "--out", tmp_path, "--json").stdout)}
    assert "95 %" in shown and "place" in shown and {*sure} == {*found} == {"recency", "lottery", "clairvoyant"}
    rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert {row["seed"] for row in rows} == {*range(20)}
    for name, one in certainties(rows, standings(rows)).items():
        told = [found[name][key] for key in ("overall_stall_ratio_low", "overall_stall_ratio_high")]
        assert told == [one.low, one.high] and found[name]["place_last"] == one.last
        assert found[name]["track"] == ("privileged" if name == "clairvoyant" else "online")


def test_a_board_is_quick_or_full():
    result = cli("leaderboard", "--quick", "--full")
    assert result.exit_code == 2 and "choose one of them" in result.stderr


@pytest.mark.parametrize("name", SHIPPED)
def test_learned_policies_are_run_shown_and_ranked_by_name(name, tape_path, tmp_path):
    (run,) = parsed("--json", cli("run", "Memory", "--policy", name, "--workload", tape_path, "--json").stdout)
    expected = sos_gym.evaluate("sos/Memory-v0", name, sos_gym.Tape.load(tape_path))[0]
    assert run["policy"] == name and run["stall_ns"] == expected["stall_ns"]
    assert SHIPPED[name].summary in flat(cli("policies", name).stdout)
    words = ("leaderboard", "--envs", "Memory", "--policies", f"lru,{name}", "--workloads", tape_path)
    found = parsed("--json", cli(*words, "--episodes", 1, "--out", tmp_path, "--json").stdout)
    assert {one["policy"] for one in found} == {"recency", name}


def test_the_leaderboard_shows_what_deciding_costs(tape_path, tmp_path):
    words = ("leaderboard", "--envs", "Memory", "--policies", "lru,lru + sieve,random_row", "--workloads", tape_path)
    result = cli(*words, "--episodes", 1, "--out", tmp_path)
    shown = flat(result.stdout.partition("Decisions")[2])
    lru, sieve = (sos_gym.policies()[name].decision_ns for name in ("recency", "sieve"))
    assert re.search(rf" lru \d\.\d\d {lru} \d+ 0 256 ", shown), result.stdout
    assert re.search(rf" lru \+ sieve \d\.\d\d {lru + sieve} \d+ 16 256 ", shown), result.stdout
    assert " random_row – – – – – " in shown
    card = flat(cli("policies", "lru").stdout)
    assert f"a decision costs {lru:,} ns" in card
    assert json.loads(cli("policies", "lru + sieve", "--json").stdout)[0]["decision_ns"] == lru + sieve


def test_json_and_csv_are_one_too_many():
    result = cli("policies", "--json", "--csv")
    assert result.exit_code == 2 and "choose one of them" in result.stderr


# -- episodes, splits


def test_episodes_of_a_split(tmp_path):
    result = cli("run", "CPU", "--policy", "lru", "--episodes", 2, "--seed", 5, "--split", "val", "--json")
    assert json.loads(result.stdout) == sos_gym.evaluate("sos/CPU-v0", "lru", None, 5, 2, "val")


def test_several_episodes_show_mean_and_range(tape_path):
    shown = flat(cli("run", "CPU", "--policy", "lru", "--episodes", 2).stdout)
    decisions = [one["decisions"] for one in sos_gym.evaluate("sos/CPU-v0", "lru", None, 0, 2)]
    assert "lru on sos/CPU-v0, seeds 0 to 1" in shown
    assert f"decisions {sum(decisions) / 2:,.4g} {min(decisions):,} {max(decisions):,} " in shown


@pytest.mark.parametrize(
    "words, said",
    [
        (("CPU", "--split", "tets"), "did you mean 'test'?"),
        (("Memory", "--split", "test", "--workload", "x.npz"), "a tape is not drawn"),
        (("Memory", "--split", "test", "--workload", "sort"), "split"),
        (("CPU", "--episodes", "2", "--render"), "1 with --render or --picture"),
        (("CPU", "--picture", "nowhere/x.png"), "nowhere/x.png: No such file or directory"),
        (("CPU", "--workload", "zipf"), "run it on sos/Memory-v0, sos/Tier-v0"),
        (("Memory", "--workload", "hyperexponential"), "run it on sos/CPU-v0"),
    ],
)
def test_what_run_refuses(words, said):
    result = cli("run", *words, "--policy", "lru")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert said in result.stderr and not result.stdout


def test_pages_alone_are_no_work_for_cores_unless_threads_compete(tape_path):
    result = cli("run", "CPU", "--policy", "lru", "--workload", tape_path)
    assert result.exit_code == 2 and "something to decide on" in result.stderr
    assert cli("run", "CPU", "--policy", "lru", "--workload", "phases", "--set", "cores=2").exit_code == 0


# -- terminals


def shell(*words, **environment):
    """The command in a process of its own; its output as bytes."""
    command = [sys.executable, "-m", "sos_gym", *map(str, words)]
    return subprocess.run(command, capture_output=True, env=os.environ | environment, timeout=120)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_alphabet(encoding):
    done = shell("policies", PYTHONIOENCODING=encoding, COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert "clairvoyant +" in text and "+ knows the future" in text
    assert shell("--help", PYTHONIOENCODING=encoding).returncode == 0


def test_characters_that_an_alphabet_lacks():
    assert "".join(map(readable, "†é≥½中")) == "+e>=1/2\\u4e2d"
    assert readable("\udcff") == "\\udcff"  # of a file's name


@pytest.mark.parametrize("columns", [20, 40, 60, 80])
def test_no_text_is_lost_on_a_narrow_terminal(columns):
    for words in (("policies",), ("workloads",), ("policies", "lruk"), ("workloads", "zipf"), ("import", "--formats")):
        wide = RUNNER.invoke(app, words, env={"COLUMNS": "1000"}).stdout
        narrow = RUNNER.invoke(app, words, env={"COLUMNS": str(columns)}).stdout
        letters = "".join(filter(str.isalnum, narrow))
        assert all("".join(filter(str.isalnum, word)) in letters for word in wide.split()), words
    lines = RUNNER.invoke(app, ["policies"], env={"COLUMNS": "40"}).stdout.replace(" †", "").splitlines()
    assert {f"policy: {name}" for name in sos_gym.policies()} <= set(lines)


def test_brackets_and_colons_in_names_are_shown(tmp_path, tape_path):
    odd = tmp_path / "[bold]a[b]:smile:.npz"
    odd.write_bytes(tape_path.read_bytes())
    out = tmp_path / "[red]out"
    words = ("--envs", "Memory", "--policies", "lru,random", "--workloads", odd, "--episodes", 1)
    result = cli("leaderboard", *words, "--out", out)
    assert result.exit_code == 0, result.output
    assert "Memory [bold]a[b]:smile: " in result.stdout and f"{out}/leaderboard.json" in result.stdout
    picture = tmp_path / "[i]x.png"
    result = cli("run", "Memory", "--policy", "lru", "--workload", odd, "--picture", picture)
    assert f"written: {picture}" in result.stdout and picture.exists()


@pytest.mark.parametrize("words", [("policies",), ("policies", "--json")])
def test_a_reader_that_has_enough_is_no_error(words):
    command = [sys.executable, "-m", "sos_gym", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(60) in (0, 1)


def test_the_package_is_the_command():
    assert shell("--version").stdout.decode().strip() == f"sos-gym {sos_gym.__version__}"


# -- policies in files

MINE = '''
import numpy as np
import sos_gym
from sos_gym.policy.words import Policy, kernel


@kernel
def claim(my, entity):
    return entity.use_seq * 1.0, 0.0


@kernel
def far(my, entity):
    return my.entities[my.entities.size].use_seq * 1.0, 0.0


print("printed by the file")
LRU = Policy("cli_lru", "mine: least recently used", "turns", "LRU", "uses", "a test", claim=claim)
BAD = Policy("cli_bad", "reads what is not there", "", "", "", "", claim=far)
SEER = Policy("cli_seer", "knows", "", "", "", "", claim=claim, needs_future=True)


@sos_gym.claim("cli_most", parameters={"half": 0.25})
def most(entity, now, parameters):
    """Who was used most."""
    return entity.uses * parameters.half


class Plain(sos_gym.PlainPolicy):
    """Least recently used, in Python."""

    name = "cli_plain"

    def claim(self, my, entity):
        return entity.use_seq


class Divides(sos_gym.PlainPolicy):
    def claim(self, my, entity):
        return np.linalg.inv(np.zeros((2, 2)))  # the line of a mistake is one's own, not numpy's


class Exits(sos_gym.PlainPolicy):
    def claim(self, my, entity):
        raise SystemExit


def exits(observation, info):
    raise SystemExit(0)


def first(observation, info):
    """The first legal row."""
    print("printed by a policy")
    return observation["action_mask"].argmax()


class Follow:
    """Does as it is advised."""

    rows, advisors = 24, ("lru",)

    def __call__(self, observation, info):
        return info["advice"]["lru"]


follow = Follow()


def wrong(observation, info):
    return None


def tires(observation, info):
    """Goes wrong in its second episode."""
    tires.episodes += info["decision"]["number"] == 0
    return 0 if tires.episodes < 2 else 99


tires.episodes = 0
'''


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("my [red] files, (odd)") / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="module")
def claim_path(tmp_path_factory):
    return sos_gym.LearnedClaim.linear({"payoff": -1.0}).save(tmp_path_factory.mktemp("claims") / "claim.npz")


@pytest.fixture
def small(tape_path):
    return ("--workload", tape_path, "--set", "frames=3", "--set", "nodes=1")


def every_kind(mine, claim_path):
    names = ("LRU", "Plain", "cli_most(half=0.5)", "LRU + sieve", "first", "follow")
    return [*(f"{mine}:{name}" for name in names), str(claim_path), "eevdf + sieve"]


def test_run_takes_every_kind_and_render_says_the_same(mine, claim_path, small):
    for spec in every_kind(mine, claim_path):
        plain, rendered = (cli("run", "memory", "--policy", spec, *small, *more) for more in ((), ("--render",)))
        assert plain.exit_code == rendered.exit_code == 0, (spec, plain.output, rendered.output)
        assert "printed by the file" not in plain.stdout and f"{spec} on sos/Memory-v0" in plain.stdout
        table = plain.stdout[plain.stdout.index("metric") :]
        assert rendered.stdout.endswith(table) and "who goes without?" in rendered.stdout


def test_run_takes_a_saved_model(tmp_path, small):
    contrib = pytest.importorskip("sb3_contrib")
    from sos_gym.envs.sb3 import SosVecEnv

    path = tmp_path / "model.zip"
    env = SosVecEnv("sos/Memory-v0", 1, rows=12)
    contrib.MaskablePPO("MultiInputPolicy", env, device="cpu").save(path)
    one, named = (
        json.loads(cli("run", "memory", "--policy", spec, *small, "--json").stdout)[0]
        for spec in (path, f"{path}:MaskablePPO")
    )
    assert one["policy"] == str(path) and named["policy"] == f"{path}:MaskablePPO"
    assert one["stall_ns"] == named["stall_ns"] > 0
    assert cli("run", "memory", "--policy", path, *small, "--render").exit_code == 0
    wrong = cli("run", "memory", "--policy", f"{path}:PPO", *small)
    assert wrong.exit_code == 2 and "a model that PPO.save wrote" in wrong.stderr


def test_a_picture_of_a_policy_in_a_file(mine, claim_path, small, tmp_path):
    for spec in (f"{mine}:LRU", f"{mine}:follow", claim_path):
        path = tmp_path / "[i]x.png"
        result = cli("run", "memory", "--policy", spec, *small, "--picture", path)
        assert result.exit_code == 0 and path.read_bytes().startswith(b"\x89PNG"), result.output
        path.unlink()


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_records_hold_nothing_that_a_policy_prints(mine, form, small):
    result = cli("run", "memory", "--policy", f"{mine}:first", *small, form)
    (found,) = parsed(form, result.stdout)
    assert found["policy"] == f"{mine}:first" and "printed by a policy" in result.stderr


def test_what_a_callable_asks_for_can_be_overruled(mine, small):
    rows = [
        json.loads(cli("run", "memory", "--policy", f"{mine}:{name}", *small, *more, "--json").stdout)[0]["stall_ns"]
        for name, more in (("LRU", ()), ("follow", ()), ("follow", ("--set", "rows=5")))
    ]
    assert rows[0] == rows[1] and cli("run", "memory", "--policy", f"{mine}:follow", "--set", "rows=4").exit_code == 2


def test_a_record_calls_a_policy_in_a_file_as_it_was_asked_for(mine, small):
    for more in ((), ("--render",)):
        (found,) = json.loads(cli("run", "memory", "--policy", f"{mine}:LRU", *small, "--json", *more).stdout)
        assert found["policy"] == f"{mine}:LRU"


@pytest.mark.parametrize(
    "name, said",
    [
        ("BAD", "policy 'cli_bad', claim on frames"),
        ("Divides", "LinAlgError: Singular matrix; see mine.py, line 40"),
        ("Exits", "a policy called sys.exit(None), mine.py, line 45"),
        ("exits", "mine.py, line 49: it calls sys.exit(0)"),
        ("wrong", "it returned None, which is no row"),
        ("LRv", "did you mean 'LRU'?"),
        ("LRU + LRU + LRU", "is not allowed"),
    ],
)
def test_a_policy_in_a_file_that_fails_is_one_line(mine, name, said, small):
    for more in ((), ("--render",)):
        result = cli("run", "memory", "--policy", f"{mine}:{name}", *small, *more)
        assert result.exit_code == 2 and said in result.stderr.splitlines()[-1], result.output
        others = set(result.stderr.splitlines()[:-1])
        assert others <= {"printed by the file"} and "Traceback" not in result.output


def test_the_help_says_that_code_is_run():
    for command in ("run", "leaderboard", "policies"):
        said = flat(cli(command, "--help").stdout.replace("│", " "))
        assert "FILE.py:NAME" in said and "code in a .py or .zip is run" in said


def test_cards_of_every_kind(mine, claim_path):
    cards = {spec: flat(cli("policies", spec).stdout) for spec in every_kind(mine, claim_path)}
    lru, plain, most, pair, first, follow, claim, names = cards.values()
    assert "mine: least recently used" in lru and plain.startswith("cli_plain what Least recently used, in Python.")
    assert "Who was used most. " in most and "source mine.most" in most and "half 0.25" in most
    assert pair.startswith("cli_lru + sieve what cli_lru on the cores and sieve on the frames")
    assert "mine: least recently used" in pair and "SIEVE, exact" in pair
    assert "The first legal row." in first and "rows 24; advised by lru" in follow
    assert f"{claim_path} what a learned claim: a network of" in claim
    assert "EEVDF over all cores" in names and "SIEVE, exact" in names
    assert cli("policies", f"{mine}:SEER").stdout.startswith("cli_seer †")
    assert cli("policies", "lru + clairvoyant").stdout.startswith("recency + clairvoyant †")


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_cards_of_every_kind_as_records(form, mine, claim_path):
    names = list(parsed(form, cli("policies", "lru", form).stdout)[0])
    for spec in every_kind(mine, claim_path):
        (one,) = parsed(form, cli("policies", spec, form).stdout)
        assert list(one) == names and one["summary"] and str(one["privileged"]) == "False"
    (pair,) = parsed(form, cli("policies", "lruk + clairvoyant", form).stdout)
    parameters = pair["parameters"] if form == "--json" else json.loads(pair["parameters"])
    assert pair["name"] == "lruk + clairvoyant" and str(pair["privileged"]) == "True" and "cores.k" in parameters


@pytest.mark.parametrize("columns", [20, 40])
def test_cards_are_whole_on_a_narrow_terminal(columns, mine):
    for spec in (f"{mine}:follow", f"{mine}:LRU + s3fifo(small=0.2)"):
        wide = RUNNER.invoke(app, ["policies", spec], env={"COLUMNS": "1000"}).stdout
        narrow = RUNNER.invoke(app, ["policies", spec], env={"COLUMNS": str(columns)}).stdout
        letters = "".join(filter(str.isalnum, narrow))
        assert all("".join(filter(str.isalnum, word)) in letters for word in wide.split())


def test_any_alphabet_shows_any_path(tmp_path):
    path = tmp_path / "mïne †中.py"
    path.write_text('"""x"""\ndef f(observation, info):\n    """Erst †."""\n    return 0\n', encoding="utf-8")
    for encoding, tail in (("latin-1", "mïne +\\u4e2d.py:f"), ("ascii", "mine +\\u4e2d.py:f")):
        done = shell("policies", f"{path}:f", PYTHONIOENCODING=encoding, COLUMNS="300", PYTHONUTF8="1")
        assert done.returncode == 0 and tail in done.stdout.decode(encoding), done


def test_the_leaderboard_takes_every_kind_and_resumes(mine, claim_path, tmp_path, tape_path, monkeypatch, recwarn):
    specs = [*every_kind(mine, claim_path), f"{mine}:SEER", "lru"]
    words = ("leaderboard", "--envs", "Memory", "--policies", ",".join(specs), "--workloads", tape_path)
    words += ("--episodes", 1, "--out", tmp_path)
    result = cli(*words)
    assert not recwarn.list  # of the picture, whose labels are paths
    assert result.exit_code == 0 and "printed by the file" not in result.stdout, result.output
    rows = json.loads((tmp_path / "leaderboard.json").read_text())["rows"]
    assert [row["called"] for row in rows] == specs
    kinds = ["heuristic"] * 4 + ["agent", "ensemble", "agent", "heuristic", "clairvoyant", "heuristic"]
    assert [row["kind"] for row in rows] == kinds and f"{mine}:SEER †" in result.stdout
    assert rows[0]["metrics"] == rows[1]["metrics"] == rows[-1]["metrics"]
    calls, evaluate = [], grid.evaluate
    monkeypatch.setattr(grid, "evaluate", lambda *args, **named: calls.append(args) or evaluate(*args, **named))
    assert cli(*words, "--resume").exit_code == 0
    assert len(calls) == 2  # the callables, of which nobody can say whether they are the same
    command = json.loads((tmp_path / "leaderboard.json").read_text())["command"]
    assert grid.entries_of(specs) and ",".join(specs) in shlex.split(command)
    for row in rows:
        if any(kind in row["policy"] for kind in (".py", ".npz")):
            with pytest.raises(sos_gym.SettingError, match="replay: that file is run"):
                replay(row)
            assert replay(row, row["policy"]) == row["metrics"]
        else:
            assert replay(row) == row["metrics"]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_policy_that_fails_is_left_out_of_the_leaderboard(mine, tmp_path, tape_path, form):
    specs = f"{mine}:BAD,{mine}:tires,lru,{mine}:wrong,random"
    words = ("leaderboard", "--envs", "Memory", "--policies", specs, "--workloads", tape_path, "--episodes", 2)
    result = cli(*words, "--out", tmp_path, *form)
    document = json.loads((tmp_path / "leaderboard.json").read_text())
    *_, bad, tires, wrong = result.stderr.splitlines()
    assert result.exit_code == 2 and "Traceback" not in result.output
    assert bad.startswith(f"sos-gym: {mine}:BAD is left out: policy 'cli_bad'") and f"{mine}:wrong is left out" in wrong
    assert "tires is left out: policy" in tires and "it returned 99" in tires
    stalls = [row["metrics"]["weighted_stall_ns"] for row in document["rows"] if row["policy"] == "lottery"]
    said = result.stderr if form else result.stdout
    assert re.findall(r"random +weighted stall +([\d.]+) ms", said) == [f"{sum(stalls) / 2e6:.1f}"]
    assert {row["policy"] for row in document["rows"]} == {"recency", "lottery"}
    assert list(document["failed"]) == [f"{mine}:{name}" for name in ("BAD", "tires", "wrong")]
    if form:
        assert {one["called"] for one in json.loads(result.stdout)} == {"lru", "random"}


def test_a_leaderboard_of_failures_writes_no_report(mine, tmp_path, tape_path):
    words = ("leaderboard", "--envs", "Memory", "--policies", f"{mine}:BAD", "--workloads", tape_path)
    result = cli(*words, "--out", tmp_path)
    assert result.exit_code == 2 and "is left out" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["leaderboard.jsonl"]


def test_a_file_that_never_ends_can_be_interrupted(tmp_path):
    path = tmp_path / "forever.py"
    path.write_text("import sys\nprint('on', file=sys.stderr, flush=True)\nwhile True:\n    pass\n")
    command = [sys.executable, "-c", HEARS_INTERRUPTS, "run", "Memory", "--policy", f"{path}:X"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr.readline() == b"on\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in (0, None) and b"Traceback" not in said


HEARS_INTERRUPTS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in a shell's background it is ignored
from sos_gym.cli import app
app()
"""
