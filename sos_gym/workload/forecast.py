"""What a family's generator knew of a tape before it was drawn: `forecast` draws it again from its card, and asks."""

import inspect

import numpy as np

from sos_gym.workload.families.known import Known
from sos_gym.workload.families.registry import FAMILIES, workload
from sos_gym.workload.tables import GROWING, MEMORYLESS, TapeError
from sos_gym.workload.tape import Tape

__all__ = ["GROWING", "MEMORYLESS", "Known", "forecast", "is_informed"]


def forecast(tape: Tape) -> np.ndarray:  # FORECAST (rows,), by op
    """What the family of a tape knew before it was drawn.

    Raises:
        TapeError: the tape is no draw of a family that can say.
    """
    card = tape.card
    name = card.get("family")
    if name not in FAMILIES or not is_informed(name):
        can = ", ".join(sorted(filter(is_informed, FAMILIES)))
        raise TapeError(
            f"the tape {card.get('name', 'unnamed')!r} has no generator that could inform a policy; allowed: draws of "
            f"{can}; take another policy than 'informed'"
        )
    known = Known()
    again = workload(name, card["seed"], card["split"], known=known, **card["parameters"])
    if again != tape:
        raise TapeError(f"the tape {name!r} is not what its card says; draw it with sos_gym.workload({name!r}, ...)")
    return known.rows(tape)


def is_informed(name: str) -> bool:
    """Whether the family of that name can say what it knows."""
    return "known" in inspect.signature(FAMILIES[name].draw).parameters
