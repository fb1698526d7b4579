"""A family in which mistakes can be read: what a page is for stands in its number, and little else happens."""

import numpy as np

from sos_gym.workload.families.known import Known
from sos_gym.workload.families.pages import THINK, WRITES, touches
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tape import Tape

ONCE = -1  # the class of a page that is used once
NEVER_BACK = 100  # lengths of the episode: what is told of the next use of such a page


def class_of(page: int, pages_per_class: int, classes: int) -> int:
    """The class of a page, which is used every 2^class rounds; ONCE: in one round alone.

    With 16 pages in each of 4 classes page 0 is of class 0, page 63 of class 3, page 64 of none.
    """
    found = page // pages_per_class
    return found if found < classes else ONCE


@family(
    "rounds",
    "memory",
    "For diagnosis: one thread touches pages that are due every 1, 2, 4, ... rounds, others once; a page's number "
    "tells which, so that each wrong eviction can be read. Nothing else runs, so that one mistake costs what it costs.",
    "ours; measurements/mistakes.py reads it",
    diagnostic=True,
    rounds=Parameter(64, "rounds", 1, 10**6, "a longer episode"),
    classes=Parameter(4, "classes", 1, 16, "class k is due every 2^k rounds; longer reuse distances"),
    pages_per_class=Parameter(16, "pages", 1, 10**6, "more pages are worth keeping", ood=(20, 28)),
    once=Parameter(12, "pages per round", 0, 10**6, "pages that never come back; more pollution", ood=(18, 30)),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def rounds(
    rng, *, rounds, classes, pages_per_class, once, write_ratio, ns_per_reference, known: Known | None = None
) -> Tape:
    """The order within a round is drawn, but for the first, which meets all pages in the order of their numbers."""
    fresh, period = classes * pages_per_class, 1 << np.arange(classes)
    parts = [np.arange(fresh)]
    for now in range(1, rounds):
        due = np.flatnonzero((now + np.arange(classes)) % period == 0)
        again = (due[:, None] * pages_per_class + np.arange(pages_per_class)).ravel()
        parts.append(rng.permutation(np.concatenate([again, fresh + np.arange(once)])))
        fresh += once
    program = touches(rng, np.concatenate(parts), write_ratio)
    if known:
        known.programs([program])
        gaps = period.repeat(pages_per_class) * len(program) / rounds
        known.gaps(0, 0, np.arange(len(gaps)), gaps)
        known.gaps(0, 0, np.arange(len(gaps), fresh), NEVER_BACK * len(program))
    return Tape.build([program], think_ns=ns_per_reference)
