"""What is written for people is what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

import sos_gym
from sos_gym import cards
from sos_gym.cards import number
from sos_gym.settings.presets import PRESETS
from sos_gym.view import columns
from sos_gym.workload.recordings import SPLIT_OF

ROOT = Path(__file__).parents[1]
REMEDY = "run `make docs`"

spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)

README = generate.README.read_text(encoding="utf-8")
PAGES = [generate.README, *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = list(generate.EXAMPLE.finditer(README))


# -- README


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_readme_examples_print_what_stands_below_them(example):
    assert generate.output(example["code"]) == example["output"], REMEDY


def test_every_python_block_of_the_readme_is_an_example():
    assert README.count("```python") == len(EXAMPLES) >= 1


def test_readme_leaderboard_is_what_the_command_prints():
    board = generate.BOARD.search(README)
    assert generate.standings(board["command"]) == board["table"], REMEDY


def test_the_map_of_files_is_complete():
    named = set(re.findall(r"[\w.]+/?", README.split("## The files")[1].split("```")[1]))
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "sos_gym").iterdir()}
    missing = there - named - {"__init__.py", "__pycache__/", "py.typed"}
    assert not missing
    folders = {name for name in named if name.endswith("/")} - {"sos_gym/"}
    assert all((ROOT / name).is_dir() or (ROOT / "sos_gym" / name).is_dir() for name in folders)
    files = {name for name in named if name.endswith(".py")}
    assert all(list(ROOT.glob(f"*/{name}")) for name in files)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def test_make_has_the_targets_that_the_readme_names():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets


# -- docs/environments.md


def test_the_page_of_environments_is_what_the_generator_prints():
    assert generate.ENVIRONMENTS.read_text(encoding="utf-8") == cards.page(), REMEDY
    assert generate.WORKLOADS.read_text(encoding="utf-8") == cards.workloads_page(), REMEDY


def test_the_page_names_every_metric():
    tape = sos_gym.Tape.from_references([0, 1, 0])
    run = sos_gym.evaluate("sos/Memory-v0", "turns", tape, frames=2)[0]
    named = set(re.findall(r"\w+", cards.page().split("## Metrics")[1]))
    assert set(run) <= named


def test_the_page_tells_every_column():
    page = cards.page()
    for column in (*columns.CANDIDATE_COLUMNS, *columns.CONTEXT_COLUMNS):
        assert f"| `{column.name}` | {column.meaning} |" in page


def test_the_page_of_policies_is_what_the_cards_say():
    page = (ROOT / "docs/policies.md").read_text(encoding="utf-8")
    assert page.startswith(cards.policies_page()), "run python benchmarks/policies.py --out docs/policies.md"
    measured = re.findall(r"^\| `(\w+)`", page.split("## How they do")[1], re.MULTILINE)
    assert sorted(measured) == sorted(sos_gym.policies())


def test_numbers_are_written_in_threes():
    assert cards.number(60_000) == "60 000"
    assert cards.number((32, 1000)) == "(32, 1 000)"
    assert [cards.number(value) for value in (None, True, 0.5)] == ["None", "True", "0.5"]
    assert cards.short(PRESETS["sos/Tier-v0"]) == "Tier"


# -- notebooks


def texts(notebook) -> list[str]:
    """What the cells print, in order; pictures are not compared."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output["text"] for output in outputs if "text" in output]


@pytest.mark.parametrize("path", generate.NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_say_what_they_said(path):
    again = generate.executed(path)
    committed = generate.nbformat.read(path, as_version=4)
    assert texts(again) == texts(committed), REMEDY
    outputs = [output for cell in again.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_the_page_of_recordings_has_all_of_them():
    page = (ROOT / "docs/recordings.md").read_text(encoding="utf-8")
    names = [name for name, card in sos_gym.workloads().items() if card.recorded]
    assert sorted(re.findall(r"### `(\w+)`", page)) == sorted(names)
    for name in names:
        card = sos_gym.workload(name).card
        part = page[page.index(f"### `{name}`") :].partition("![")[0]
        assert card["summary"] in part and card["date"] in part and f"| split | {SPLIT_OF[name]} |" in part
        for key in ("references", "footprint_pages", "threads", "work_ns"):
            assert key not in card or f"{key} {number(card[key])}" in part
        assert f"| command | `{card['command']}` |" in part.replace("\\|", "|")
        assert (ROOT / f"docs/recordings/{name}.png").read_bytes().startswith(b"\x89PNG")
