"""Write what is made from code: python docs/generate.py [pages] [readme] [notebooks]; nothing named: all of it.

Outputs are kept in the repository, so that it reads without running anything; tests/docs/test_docs.py makes them again
and compares. Pages take seconds, outputs of the README and the notebooks minutes.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from writer import PAGES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
WITH_EXAMPLES = (README, ROOT / "docs/write-a-policy.md", ROOT / "docs/rl-libraries.md")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXAMPLE = re.compile(r"```python\n(?P<code>.*?)```\n\n```text\n(?P<output>.*?)```", re.DOTALL)
BOARD = re.compile(r"\nsos-gym (?P<command>.*)\n```\n\n<!-- begin -->\n(?P<table>(?s:.*?))<!-- end -->")


def pages() -> None:
    """All pages that `writer` makes."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")


def readme() -> None:
    """The outputs and the table in README.md, and what other pages print."""
    for page in WITH_EXAMPLES:
        text = page.read_text(encoding="utf-8")
        for example in [*EXAMPLE.finditer(text)][::-1]:
            text = _replaced(text, example.span("output"), output(example["code"]))
        page.write_text(text, encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    board = BOARD.search(text)
    assert board, "README.md has no leaderboard"
    README.write_text(_replaced(text, board.span("table"), standings(board["command"])), encoding="utf-8")


def _replaced(text: str, span: tuple[int, int], by: str) -> str:
    return text[: span[0]] + by + text[span[1] :]


def output(code: str) -> str:
    """What a program prints, run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "example.py"
        program.write_text(code, encoding="utf-8")
        return run(program)


def run(*words: str | Path) -> str:
    """What Python prints for these arguments; a failure shows what it said."""
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def standings(command: str, *more: str) -> str:
    """The headline that `sos-gym COMMAND` writes to leaderboard.md, from its table on; `more` goes behind COMMAND."""
    with tempfile.TemporaryDirectory() as folder:
        run("-m", "sos_gym.cli", *command.split(), *more, "--out", folder)
        headline = (Path(folder) / "leaderboard.md").read_text(encoding="utf-8").split("\n## ")[0]
    return "\n" + headline[headline.index("| policy") :].strip() + "\n\n"


def notebooks() -> None:
    """Every notebook, with its outputs."""
    for path in NOTEBOOKS:
        nbformat.write(executed(path), path)


def executed(path: Path) -> nbformat.NotebookNode:
    """A notebook run from top to bottom in a fresh kernel."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=280, kernel_name="python3", record_timing=False, coalesce_streams=True)
    client.execute(cwd=str(path.parent))
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


if __name__ == "__main__":
    makers = {"pages": pages, "readme": readme, "notebooks": notebooks}
    for name in sys.argv[1:] or makers:
        print(f"making {name}", flush=True)
        makers[name]()
