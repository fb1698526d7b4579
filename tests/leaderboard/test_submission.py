"""Submissions: what is in one, that it runs again to the last bit, and that one which was tampered with is refused."""

import dataclasses
import hashlib
import json
import shutil

import pytest
from typer.testing import CliRunner

from sos_gym import LearnedClaim, PolicyError, SettingError
from sos_gym.cli import app
from sos_gym.leaderboard.replaying import Limits, verify_apart
from sos_gym.leaderboard.submission import About, Board, SubmissionError, read, submit, verify
from sos_gym.loading.found import found

ABOUT = About("A. Tester", "The longest unused goes.", "Apache-2.0", "nothing", 0, "nothing")
BOARD = Board(envs=("sos/Memory-v0",), episodes=1)
SCRIPT = '''
import sos_gym
from pathlib import Path

Path(__file__).with_name("it-ran").touch()

class Oldest(sos_gym.PlainPolicy):
    """The longest unused goes."""

    def claim(self, my, entity):
        return entity.use_seq
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A submission of a claim, which nobody changes."""
    folder = tmp_path_factory.mktemp("made")
    claim = LearnedClaim.linear({"since_use": -1.0, "distance": 0.5}, "mine").save(folder / "mine.npz")
    return submit(str(claim), folder / "oldest-first", ABOUT, BOARD)


@pytest.fixture
def one(made, tmp_path):
    """A copy of it."""
    shutil.copytree(made.folder, tmp_path / made.name)
    return tmp_path / made.name


def changed(folder, number, **values):
    """A row with other values; of its metrics too."""
    lines = (folder / "rows.jsonl").read_text().splitlines()
    row = json.loads(lines[number])
    row["metrics"] |= values.pop("metrics", {})
    lines[number] = json.dumps(row | values)
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")


def card_with(folder, **values):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | values))


def test_a_submission_runs_again_to_the_last_bit(one):
    read_again = read(one)
    assert read_again.about == ABOUT and read_again.board == BOARD and not read_again.holds_code
    assert {row["policy"] for row in read_again.rows} == {"oldest-first"}
    outcomes = [*verify(read_again)]
    assert len(outcomes) == len(read_again.rows) > 2 and set(outcomes) == {""}


def test_one_digit_is_found_in_its_row(one):
    stall = read(one).rows[2]["metrics"]["weighted_stall_ns"]
    changed(one, 2, metrics={"weighted_stall_ns": stall + 1})
    outcomes = [*verify(read(one))]
    assert f"weighted_stall_ns {stall + 1} is now {stall}" in outcomes[2]
    assert {text for k, text in enumerate(outcomes) if k != 2} == {""}


def test_who_knows_the_future_cannot_deny_it(tmp_path):
    told = LearnedClaim(LearnedClaim.linear({"since_use": -1.0}).layers, (0.0, 0.0), "told", privileged=True).save(
        tmp_path / "told.npz"
    )
    one = submit(str(told), tmp_path / "told", ABOUT, BOARD)
    assert one.rows[0]["privileged"] is True
    changed(one.folder, 0, privileged=False)
    assert "privileged False is now True" in next(verify(read(one.folder)))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tape": "0" * 16}, "tape is '0{16}', on the board 2026.1 '3235654c2ec68f33'"),
        ({"settings": {"frames": 4000}}, "settings is .*4000"),
        ({"content": "0" * 16}, "content is '0{16}', of the policy here"),
        ({"kind": "heuristic"}, "kind is 'heuristic', of the policy here 'agent'"),
    ],
)
def test_rows_of_another_board_are_refused_before_any_is_run(one, values, said):
    changed(one, 0, **values)
    with pytest.raises(SubmissionError, match=said):
        next(verify(read(one)))


def test_another_weight_is_refused_even_if_the_card_knows_of_it(one):
    claim = LearnedClaim.load(one / "claim.npz")
    weights = [[layer.copy() for layer in pair] for pair in claim.layers]
    weights[0][0][0] += 1e-6
    LearnedClaim(weights, claim.pair_costs).save(one / "claim.npz")
    with pytest.raises(SubmissionError, match="another one than the card says"):
        read(one)
    card_with(one, digest=digest_of(one / "claim.npz"))
    with pytest.raises(SubmissionError, match="content is"):
        next(verify(read(one)))


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_row_of_the_board_is_there_once(one):
    lines = (one / "rows.jsonl").read_text().splitlines()
    for wrong in (lines[1:], [*lines, lines[0]], [lines[0], lines[0], *lines[2:]]):
        (one / "rows.jsonl").write_text("\n".join(wrong) + "\n")
        with pytest.raises(SubmissionError, match=r"rows; its board has|on the board"):
            read(one)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda one: (one / "card.json").write_text("{"), "is no JSON"),
        (lambda one: (one / "card.json").write_text("[1]"), "is no card"),
        (lambda one: (one / "rows.jsonl").write_text("1\n"), "line 1 is no row"),
        (lambda one: card_with(one, author=""), "author=''"),
        (lambda one: card_with(one, decisions="many"), "decisions='many'"),
        (lambda one: card_with(one, board={}), "'version' is missing"),
        (lambda one: card_with(one, board={"version": "2026.1", "envs": ["sos/No-v0"], "episodes": 1}), "envs="),
        (lambda one: card_with(one, board={"version": "1999.1", "envs": None, "episodes": 1}), "board='1999.1'"),
        (lambda one: card_with(one, board={"version": "2026.1", "envs": None, "episodes": 21}), "episodes=21"),
        (lambda one: card_with(one, policy="../../elsewhere.npz"), "must be a name, claim.npz"),
        (lambda one: card_with(one, policy="lru + policy.py:Oldest"), "no pair with a file"),
        (lambda one: card_with(one, policy="policy.py:Oldest + lru"), "no pair with a file"),
        (lambda one: card_with(one, policy="elsewhere.py:Oldest"), "is not in the file policy.py"),
        (lambda one: changed(one, 0, charged="much"), "line 1 is no row"),
    ],
)
def test_what_is_no_submission_is_said_in_one_line(one, spoilt, said):
    spoilt(one)
    with pytest.raises(SubmissionError, match=said):
        read(one)


def test_nothing_is_left_of_a_submission_that_fails(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def never(observation, info):\n    raise KeyError('lost')\n")
    with pytest.raises(PolicyError, match="lost"):
        submit(f"{bad}:never", tmp_path / "bad", ABOUT, BOARD)
    (tmp_path / "helper.py").write_text("X = 1\n")
    (tmp_path / "needs.py").write_text("from helper import X\n" + SCRIPT)
    with pytest.raises(SettingError, match="helper"):
        submit(f"{tmp_path / 'needs.py'}:Oldest", tmp_path / "needs", ABOUT, BOARD)
    with pytest.raises(SettingError, match="no pair with a file"):
        submit(f"{tmp_path / 'needs.py'}:Oldest + lru", tmp_path / "pair", ABOUT, BOARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.py", "helper.py", "needs.py"]


def test_a_submission_has_a_name_of_its_own(made, tmp_path):
    with pytest.raises(SettingError, match="a letter first"):
        submit("lru", tmp_path / "My Policy", ABOUT, BOARD)
    with pytest.raises(SettingError, match="not there yet"):
        submit("lru", made.folder, ABOUT, BOARD)
    with pytest.raises(SettingError, match="licence"):
        dataclasses.replace(ABOUT, licence=" ")


# -- what holds code


@pytest.fixture(scope="module")
def with_code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "mine.py").write_text(SCRIPT)
    made = submit(f"{folder / 'mine.py'}:Oldest", folder / "in-python", ABOUT, BOARD)
    (made.folder / "it-ran").unlink()
    return made


def test_code_is_run_by_who_trusts_it_alone(with_code):
    assert with_code.holds_code
    refused = CliRunner().invoke(app, ["verify", str(with_code.folder)])
    assert refused.exit_code == 1 and "holds code" in refused.output and not (with_code.folder / "it-ran").exists()
    trusted = CliRunner().invoke(app, ["verify", str(with_code.folder), "--trust"])
    assert trusted.exit_code == 0 and "verified" in trusted.output and (with_code.folder / "it-ran").exists()


@pytest.mark.parametrize(
    "policy", ["lru + {}:Oldest", "{}:Oldest + lru", "{}:Oldest", "claim.npz:x + {}:Oldest", "lru, {}:Oldest"]
)
def test_no_card_makes_code_run_that_nobody_trusts(one, tmp_path, policy):
    (tmp_path / "elsewhere.py").write_text(SCRIPT)
    card_with(one, policy=policy.format(tmp_path / "elsewhere.py"))
    refused = CliRunner().invoke(app, ["verify", str(one)])
    assert refused.exit_code == 1 and "refused" in refused.output and not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "signal SIGKILL"),
        ("import os; os._exit(0)", "exit status 0"),
        ("x = bytearray(64 << 30)", "exit status 1"),
        ("import time; time.sleep(3600)", "signal SIGKILL"),
    ],
)
def test_a_policy_that_ends_its_process_ends_no_other(with_code, tmp_path, line, said):
    shutil.copytree(with_code.folder, tmp_path / with_code.name)
    folder = tmp_path / with_code.name
    (folder / "policy.py").write_text(SCRIPT + line + "\n")
    card_with(folder, digest=digest_of(folder / "policy.py"))
    with pytest.raises(SubmissionError, match=f"ended after 0 of .*{said}"):
        list(verify_apart(read(folder), Limits(seconds=5 if "sleep" in line else 300)))


# -- the commands


def test_what_is_submitted_on_the_command_line_is_verified_there(tmp_path):
    said = ["--author", "A", "--summary", "S", "--licence", "MIT", "--envs", "CPU", "--episodes", "1"]
    submitted = CliRunner().invoke(app, ["submit", "--policy", "learned", "--out", str(tmp_path / "of-ours"), *said])
    assert submitted.exit_code == 0, submitted.output
    assert found("learned").content == read(tmp_path / "of-ours").rows[0]["content"]
    verified = CliRunner().invoke(app, ["verify", str(tmp_path / "of-ours")])
    assert verified.exit_code == 0 and "verified" in verified.output
    changed(tmp_path / "of-ours", 0, metrics={"decisions": 1})
    differs = CliRunner().invoke(app, ["verify", str(tmp_path / "of-ours")])
    assert differs.exit_code == 1 and "differs" in differs.output
