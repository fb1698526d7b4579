"""The shipped recordings as families: a split names the programs that may be drawn."""

from typing import Any

import numpy as np

from sos_gym.workload import recordings
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tables import PAGE_OPS, PAGES, THREADS, TapeError, field_names, op_in
from sos_gym.workload.tape import Tape

SOURCE = "this package's recordings (docs/recordings.md)"


def drawn(rng: np.random.Generator, side: str, split: str | None) -> Tape:
    """One of the recordings of a side, of a split if one is given."""
    of_side = [name for name, card in recordings.cards().items() if card["side"] == side]
    names = [name for name in of_side if split is None or recordings.SPLIT_OF[name] == split]
    if not names:
        known = ", ".join(sorted({recordings.SPLIT_OF[name] for name in of_side}))
        raise TapeError(f"split is {split!r}, in which there is no recording of side {side!r}; allowed: {known}")
    return recordings.load(names[int(rng.integers(len(names)))])


@family(
    "recorded_memory",
    "memory",
    "A stretch of one of the recorded programs' page references.",
    SOURCE,
    by_split=True,
    references=Parameter(30_000, "references", 1, 10**8, "length of the stretch; a longer episode"),
)
def recorded_memory(rng, *, split: str | None, references: int) -> Tape:
    """A stretch that begins at a seeded place; of several threads the same part of each."""
    tape = drawn(rng, "memory", split)
    return stretch(tape, min(1.0, references / tape.card["references"]), rng.random())


def stretch(tape: Tape, share: float, place: float) -> Tape:
    """That share of each thread's ops; `place` 0 is the start, 1 the end. Requires a tape without channels."""
    first = tape.threads["first"] + np.floor(place * (1 - share) * (tape.threads["last"] - tape.threads["first"]))
    last = first + np.ceil(share * (tape.threads["last"] - tape.threads["first"]))
    programs = [tape.ops[int(a) : int(b)] for a, b in zip(first, last, strict=True)]
    used = np.unique(np.concatenate([part["arg"][op_in(part, PAGE_OPS)] for part in programs]))
    kept = [name for name in field_names(PAGES) if name not in ("owner", "private")]  # build finds these two
    pages = {int(p): {name: int(tape.pages[name][p]) for name in kept} for p in used}
    gone = ("first", "last", "arrival_ns")  # of the whole tape; all threads of a stretch begin at once
    settings: dict[str, Any] = {name: tape.threads[name] for name in field_names(THREADS) if name not in gone}
    return Tape.build(programs, pages=pages, card=tape.card, **settings)


@family("recorded_cpu", "cpu", "One of the recorded schedules.", SOURCE, by_split=True)
def recorded_cpu(rng, *, split: str | None) -> Tape:
    """A whole schedule: threads that wait for each other cannot be cut."""
    return drawn(rng, "cpu", split)


@family("recorded_joint", "joint", "One of the recorded schedules with page references.", SOURCE, by_split=True)
def recorded_joint(rng, *, split: str | None) -> Tape:
    """A whole recording."""
    return drawn(rng, "joint", split)
