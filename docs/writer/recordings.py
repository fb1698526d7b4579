"""The page of recordings: the card of each, and its picture where one has been drawn."""

from pathlib import Path

from sos_gym.markdown import number, table
from sos_gym.workload import recordings, workloads

SIDES = {"memory": "Page references", "cpu": "Schedules", "joint": "Both"}
PICTURES = Path(__file__).parents[1] / "recordings"
SIZES = ("references", "footprint_pages", "instructions", "threads", "processes", "cores", "work_ns", "waits")
INTRODUCTION = """# The recordings

Written by `make docs` from the cards. The pictures were drawn by `python -m measurements.recordings`. The recordings
were made by `python -m measurements.tapes`, whose programs are in `measurements/programs`; a card names a file by where
it lay on the day. How it is done: [recording.md](recording.md).

`sos_gym.workload(NAME)` is the whole tape; `recorded_memory`, `recorded_cpu`, `recorded_joint` are families that draw
one, from a split if one is given; `sha256sum -c SHA256SUMS` in `sos_gym/workload/recorded` checks the files. CPU
recordings were made beside other work: time on the run queue is not in them.

Pictures: pages touched so far and within the last tenth of all references; misses of LRU and MIN by frames; bursts,
sleeps, and waits for a core under round robin (1 ms) on as many cores as the recorded machine had; work of each thread.
"""


def page() -> str:
    """docs/recordings.md."""
    sides = {name: card.side for name, card in workloads().items() if card.recorded}
    parts = [INTRODUCTION]
    for side, title in SIDES.items():
        parts += [f"## {title}\n", *(_section(name) for name in sides if sides[name] == side)]
    return "\n".join(parts)


def _section(name: str) -> str:
    card = recordings.cards()[name]
    parts = [f"### `{name}`", card["summary"], table(["", ""], _facts(card).items())]
    if (PICTURES / f"{name}.png").exists():
        parts.append(f"![{name}]({PICTURES.name}/{name}.png)")
    return "\n\n".join(parts) + "\n"


def _facts(card: dict) -> dict[str, str]:
    without = card.get("skipped", "nothing")
    return {
        "program": card["program"],
        "command": f"`{card['command']}`",
        "recorded": f"{card['date']}, {card['kernel']}",
        "by": card["source"],
        "extent": card["end"] + (f"; without {without}" if without != "nothing" else ""),
        "size": ", ".join(f"{key} {number(card[key])}" for key in SIZES if key in card),
        "split": recordings.SPLIT_OF[card["name"]],
    }
