"""The examples of the page on extending, as tests run them."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def extending() -> str:
    """The text of the page."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("extending*.md")))


def example(heading: str) -> str:
    """The Python code under a heading."""
    return re.search(rf"^## {heading}\n.*?```python\n(.*?)```", extending(), re.DOTALL | re.MULTILINE)[1]
