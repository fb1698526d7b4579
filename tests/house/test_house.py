"""The house itself: what a reader should never meet."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "sos_gym"
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES, MEDIAN_LINES = 40, 5  # of a body, without its docstring
MOST_OF_A_POLICY, MEDIAN_OF_POLICIES = 180, 70  # non-blank lines, card included
FORBIDDEN = {
    r"\b(row|context)\[\d": "a column has a name",
    r"\bint\((Kind|Why|Op|State|Status|Resource|Event|Item|Verb)\.": "an enum member is a number in a kernel",
    r"^(?!.*TYPE_CHECKING)\s*from \.": "imports are absolute, so that a file can move",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def bodies(path: Path):
    """(name, lines of the body without the docstring) of every function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield node.name, (body[-1].end_lineno - body[0].lineno + 1 if body else 0)


def test_bodies_are_short():
    lengths = {f"{name_of(path)}.{name}": lines for path in FILES for name, lines in bodies(path)}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_LINES


def test_policies_are_short():
    rooms = [path for path in (PACKAGE / "policy").glob("*/*.py") if path.parent.name != "books"]
    lengths = {path.stem: sum(map(bool, map(str.strip, path.open(encoding="utf-8")))) for path in rooms}
    lengths = {name: lines for name, lines in lengths.items() if name != "__init__"}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_OF_A_POLICY} == {}
    assert statistics.median(lengths.values()) < MEDIAN_OF_POLICIES
    aims = {"mru": 30, "sieve": 55, "recency": 31, "arc": 80}
    assert {name: lengths[name] for name, aim in aims.items() if lengths[name] > aim} == {}


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_the_package_has_none_of(pattern):
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], FORBIDDEN[pattern]


# -- imports


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, for types too, but not within functions."""
    found, ahead = set(), list(ast.parse(path.read_text(encoding="utf-8")).body)
    while ahead:
        node = ahead.pop()
        if isinstance(node, (ast.Try, ast.ClassDef, ast.With, ast.If)):
            ahead += node.body
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {member if member in MODULES else node.module for member in members}
    return {name for name in found if name in MODULES}


MODULES = {name_of(path): path for path in FILES}


def test_imports_have_no_circle():
    """But for the face of the package, whose names are there for users, and loaded when they are asked for."""
    rests_on = {name: imports(path) - {name, "sos_gym"} for name, path in MODULES.items()}
    done: set[str] = set()
    while True:
        free = {name for name, others in rests_on.items() if name not in done and others <= done}
        if not free:
            break
        done |= free
    assert sorted(set(rests_on) - done) == []


def test_no_module_has_a_name_that_says_nothing():
    assert {path.stem for path in FILES} & {"utils", "util", "common", "core", "helpers", "misc"} == set()


def test_a_bar_has_no_thread_that_outlives_its_loop():
    """A `track` that an error has left refreshes until it is collected; in its own thread that waits for itself."""
    calls = [
        (path.name, [keyword.arg for keyword in node.keywords])
        for folder in ("agents", "measurements", "benchmarks", "docs", "sos_gym")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "track"
    ]
    assert calls and [name for name, keywords in calls if "auto_refresh" not in keywords] == []
