"""The recordings that ship with the package."""

from functools import cache
from pathlib import Path

from sos_gym.workload import archive
from sos_gym.workload.tape import Tape

# Which recordings a policy may be trained on. No program is in two splits: gcc, sort, CPython, SQLite are in one each.
SPLIT_OF = {
    **dict.fromkeys(("python", "gzip", "perl", "web", "tests", "mixed", "barrier"), "train"),
    **dict.fromkeys(("archive", "hunt", "workers", "history", "stages", "pool"), "train"),
    **dict.fromkeys(("awk", "bc", "bzip2", "diff", "git", "vim", "node"), "train"),
    **dict.fromkeys(("fourier", "rank", "stencil", "join", "tree", "folding", "merge"), "train"),
    **dict.fromkeys(("grep", "matrix", "search", "zstd"), "val"),
    **dict.fromkeys(("sort", "compile", "pipeline", "make", "xz"), "test"),
    **dict.fromkeys(("redis", "sqlite", "database", "pigz"), "ood"),
}
FOLDER = Path(__file__).parent / "recorded"


@cache
def cards() -> dict[str, dict]:
    """Name -> card of every recording in the folder."""
    found = (archive.read_card(path) for path in sorted(FOLDER.glob("*.npz")))
    return {card["name"]: card for card in found}


def load(name: str) -> Tape:
    """The recording of that name."""
    return Tape.load(FOLDER / f"{name}.npz")
