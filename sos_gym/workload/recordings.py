"""The recordings that ship with the package."""

from functools import cache
from pathlib import Path

from sos_gym.workload import archive
from sos_gym.workload.tape import Tape

# Which recordings a policy may be trained on; no program is in two splits.
SPLIT_OF = {
    **dict.fromkeys(("compile", "python", "gzip", "perl", "pipeline", "web", "mixed", "barrier"), "train"),
    **dict.fromkeys(("grep", "matrix", "tests", "zstd"), "val"),
    **dict.fromkeys(("sort", "sqlite", "make", "xz"), "test"),
    **dict.fromkeys(("redis", "database", "pigz"), "ood"),
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
