"""What is written for people is what the code does."""

import ast
import importlib.util
import re
from pathlib import Path

import generate
import nbformat
import pytest
from writer import PAGES, environments, importing

import sos_gym
from sos_gym.policy import policies
from sos_gym.view import columns
from sos_gym.workload import recordings
from sos_gym.workload.traces import FORMATS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
IN_SECONDS, IN_MINUTES = "run `make docs`", "run `make readme`, or `make notebooks`"

README = generate.README.read_text(encoding="utf-8")
WRITTEN = [generate.README, ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = [
    example for page in generate.WITH_EXAMPLES for example in generate.EXAMPLE.finditer(page.read_text("utf-8"))
]


# -- README


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_print_what_stands_below_them(example):
    assert generate.output(example["code"]) == example["output"], IN_MINUTES


def test_every_python_block_of_these_pages_is_an_example():
    assert sum(page.read_text("utf-8").count("```python") for page in generate.WITH_EXAMPLES) == len(EXAMPLES) >= 1


@pytest.mark.timeout(1200)  # forty seconds on two idle cores, six minutes where others work beside
def test_readme_leaderboard_is_what_the_command_prints():
    """For the policies that it has: a new one need not be measured before it is added."""
    board = generate.BOARD.search(README)
    shown = ",".join(re.findall(r"^\| (\w+)(?: [†◂])? \| \d", board["table"], re.MULTILINE))
    assert generate.standings(board["command"], "--policies", shown) == board["table"], IN_MINUTES


# -- the map of files


def mapped() -> set[str]:
    """Paths that the map names: an indented one is in the folder above it."""
    paths, above = set(), {0: ""}
    for line in README.split("## The files")[1].split("```")[1].strip("\n").removeprefix("text\n").splitlines():
        depth = len(line) - len(line.lstrip())
        names = re.match(r"\S+(?: \S+)*", line.strip())[0].split()
        paths |= {above[depth] + name for name in names}
        above[depth + 2] = above[depth] + names[0]
    return paths


def children(folder: Path, kinds: str = "*") -> set[str]:
    """Paths below the root of what is in a folder; what no reader looks for is left out."""
    found = (path for path in folder.glob(kinds) if not path.name.startswith(("_", ".")) and path.name != "py.typed")
    return {str(path.relative_to(ROOT)) + "/" * path.is_dir() for path in found}


def has_code(path: str) -> bool:
    """Whether it is a folder of modules, not of data."""
    return path.endswith("/") and any((ROOT / path).glob("*.py"))


def test_the_map_of_files_is_complete():
    rooms = children(ROOT / "sos_gym")
    deeper = {path for room in rooms for path in children(ROOT / room) if room.endswith("/") and has_code(path)}
    scripts = {f"{path.parent.name}/" for path in ROOT.glob("*/*.py")}
    assert not (rooms | deeper | scripts) - mapped()


def test_the_map_of_files_names_what_is_there():
    assert not [path for path in mapped() if not (ROOT / path).exists()]


# -- links, paths and names


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


def test_make_has_the_targets_that_the_readme_names():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets


PATH = re.compile(r"(?<![\w/.-])(?:[\w-]+/)+[\w-]+\.(?:py|md|c|sh|json|ya?ml|ipynb|npz)\b")
PACKAGE = sorted(path for path in (ROOT / "sos_gym").rglob("*.py"))
NOTED = [*WRITTEN, ROOT / "Makefile", *generate.NOTEBOOKS, *(ROOT / "agents").glob("*.py"), *PACKAGE]
NOTED += [path for folder in ("benchmarks", "docs", "measurements") for path in (ROOT / folder).rglob("*.py")]
ROOMS = {path.name for folder in (ROOT, ROOT / "sos_gym") for path in folder.iterdir() if path.is_dir()}
ELSEWHERE = re.compile(
    r"kernel/(sched/|locking/|softirq\.c)|tests/test_tape\.py"
)  # Linux's; moved since a tape was recorded (MOVED)


def paths_of(page: Path) -> set[str]:
    """The paths below one of our folders that a file names, except where it shows the card of a recording."""
    text = page.read_text(encoding="utf-8")
    for card in recordings.cards().values():
        text = text.replace(card["command"], "").replace(card["summary"], "")
    return {path for path in PATH.findall(text) if path.split("/")[0] in ROOMS and not ELSEWHERE.match(path)}


@pytest.mark.parametrize("page", NOTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page):
    homes = (ROOT, ROOT / "sos_gym", page.parent)
    assert not [path for path in paths_of(page) if not any((home / path).exists() for home in homes)]


def test_a_path_that_is_gone_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("see `policy/gone.py`, sos_gym/kernel.py, not kernel/sched/fair.c or https://a.b/docs/c.md")
    assert paths_of(page) == {"policy/gone.py", "sos_gym/kernel.py"}


@pytest.mark.parametrize("page", NOTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_named_can_be_run(page):
    modules = re.findall(
        r"python -m ((?:benchmarks|measurements|sos_gym)(?:\.[a-z]\w*)*)", page.read_text(encoding="utf-8")
    )
    assert not [name for name in modules if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_names_of_the_package_are_its_names(page):
    for name in set(re.findall(r"`sos_gym\.([\w.]+)", page.read_text(encoding="utf-8"))):
        *modules, last = name.rstrip(".").split(".")
        found = importlib.import_module(".".join(["sos_gym", *modules]))
        assert hasattr(found, last), name


def test_no_card_cites_a_page_that_readers_do_not_have():
    cards = [*policies().values(), *sos_gym.workloads().values()]
    assert not [card.name for card in cards if "DESIGN" in repr(card)]


# -- pages of cards and settings


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_its_writer_makes(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), IN_SECONDS


def imported(path: Path) -> set[str]:
    """The packages that a file imports from."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def test_the_package_does_not_know_who_writes_about_it():
    writers = {"docs", "writer", "benchmarks", "measurements"}
    assert not [path for path in PACKAGE if imported(path) & writers]
    assert imported(DOCS / "generate.py") & writers


def test_the_page_names_every_metric():
    tape = sos_gym.Tape.from_references([0, 1, 0])
    run = sos_gym.evaluate("sos/Memory-v0", "turns", tape, frames=2)[0]
    named = set(re.findall(r"\w+", environments.page().split("## Metrics")[1]))
    assert set(run) <= named


def test_the_page_tells_every_column():
    page = environments.page()
    for column in (*columns.CANDIDATE_COLUMNS, *columns.CONTEXT_COLUMNS):
        assert f"| `{column.name}` | {column.meaning} |" in page


def test_a_recording_without_a_picture_is_on_the_page(monkeypatch, tmp_path):
    from writer import recordings as writer

    drawn = writer.page()
    monkeypatch.setattr(writer, "PICTURES", tmp_path / "recordings")
    bare = writer.page()
    names = list(recordings.cards())
    assert names and all(f"### `{name}`" in bare for name in names)
    assert "](recordings/sort.png)" in drawn and "](recordings/" not in bare


def test_a_format_without_an_example_gets_one(monkeypatch, tmp_path):
    hand_written = importing.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(importing, "PAGE", tmp_path / "importing.md")
    importing.PAGE.write_text(re.sub(r"## `swf`.*\Z", "", hand_written, flags=re.DOTALL), encoding="utf-8")
    made = importing.page().split("\n## `swf`\n")[1]
    assert FORMATS["swf"].sample in made and re.search(r"becomes\n\n```text\nCOMPUTE \d+", made)


# -- measured pages: they may lack what is new, and not name what is gone


def test_measured_policies_are_registered():
    page = (DOCS / "policies-measured.md").read_text(encoding="utf-8")
    measured = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    assert measured and set(measured) <= set(policies())


def test_measured_workloads_are_registered():
    page = (DOCS / "bounds.md").read_text(encoding="utf-8")
    measured = re.findall(r"^\| (\w+) \| [\d ]+\.\d", page, re.MULTILINE)
    assert measured and set(measured) <= set(sos_gym.workloads())


def test_every_picture_of_a_recording_has_its_recording():
    drawn = {path.stem for path in (DOCS / "recordings").glob("*.png")}
    assert drawn and drawn <= set(recordings.cards())


# -- notebooks


def texts(notebook) -> list[str]:
    """What the cells print, in order; pictures are not compared."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output["text"] for output in outputs if "text" in output]


@pytest.mark.parametrize("path", generate.NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_say_what_they_said(path):
    again = generate.executed(path)
    committed = nbformat.read(path, as_version=4)
    assert texts(again) == texts(committed), IN_MINUTES
    outputs = [output for cell in again.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
