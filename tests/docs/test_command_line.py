"""The page of the command line: its examples do what stands below them."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sos_gym.cli.app import app

pytestmark = pytest.mark.usefixtures("names_given_back")

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
EXAMPLES = [
    (command, [line.strip() for line in output.splitlines()])
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command, output in re.findall(r"^\$ sos-gym (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("page")
    (path / "mine.py").write_text(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1])
    (path / "broken.py").write_text("import nmupy\n")
    return path


@pytest.mark.parametrize("command, output", EXAMPLES, ids=[command[:30] for command, _ in EXAMPLES])
def test_a_command_prints_what_stands_below_it(command, output, folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, shlex.split(command), env={"COLUMNS": "120"})
    assert done.exit_code == (2 if any(line.startswith("sos-gym: ") for line in output) else 0), done.output
    printed = iter([line.strip() for line in done.output.splitlines()])
    assert not [line for line in output if line not in printed]  # in that order


def test_the_page_has_examples_of_both_kinds():
    errors = [output for _, output in EXAMPLES if output and output[0].startswith("sos-gym: ")]
    assert len(EXAMPLES) > len(errors) > 1


def test_the_page_names_every_command():
    named = set(re.findall(r"^\| `sos-gym (\w+)|`, `sos-gym (\w+)`", PAGE, re.MULTILINE))
    assert {first or second for first, second in named} == {
        command.name or command.callback.__name__ for command in app.registered_commands
    }
