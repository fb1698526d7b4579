"""Mistakes of policies, in words."""

from typing import Any

import numpy as np

from sos_gym.engine.guards import Fault
from sos_gym.engine.hosts import Host
from sos_gym.engine.records import PARTS
from sos_gym.kernel.attempts import raised_at
from sos_gym.kernel.checks import PlaceError, TurnsError
from sos_gym.resource import NONE, Resource
from sos_gym.workload.tape import Tape

INSTANCES = {Resource.MEMORY: "frames", Resource.CPU: "cores"}


class PolicyError(RuntimeError):
    """A policy from outside made a mistake; the text names policy, part and entity, and says what to do."""


def mistake(fault: np.void, host: Host, tape: Tape, mind: Any) -> PolicyError:
    """The error that a FAULT record tells of, in the process in which it happened."""
    part, place = PARTS[fault["part"]], INSTANCES[Resource(fault["resource"])]
    about = _entity(int(fault["entity"]), tape)
    said, remedy = _REASONS[Fault(fault["code"])](fault, part, mind)
    return PolicyError(
        f"policy {host.name!r}, {part} on {place}{about and f', {about}'}, decision {fault['number']}: {said}; {remedy}"
    )


def _entity(e: int, tape: Tape) -> str:
    if e == NONE:
        return ""
    threads = len(tape.threads)
    return f"entity {e} ({tape.thread_name(e) if e < threads else f'page {e - threads}'})"


def _raised(fault: np.void, part: str, mind: Any) -> tuple[str, str]:
    error, where = raised_at(int(fault["error_at"]))
    said = " ".join(map(str, error.args))
    if isinstance(error, TurnsError):
        return f"its loops took too many turns, the last one {said}", "make sure that the loop ends"
    if isinstance(error, PlaceError) and fault["size"]:
        allowed = f"it must be in 0..{fault['size'] - 1}"
        remedy = "-1 may be NONE: test for it first" if fault["wrong"] == NONE else "hold it to that range"
        return f"index {fault['wrong']} is not in {said}: {allowed}", remedy
    if isinstance(error, PlaceError):
        return f"an index is not in {said}", "hold it to the size of what it is of"
    return f"{type(error).__name__}{said and ': '}{said}{where}", "mend it"


def _raised_in_python(fault: np.void, part: str, mind: Any) -> tuple[str, str]:
    return f"{type(mind.mistake).__name__}: {mind.mistake}", "see the traceback above"


def _no_contender(fault: np.void, part: str, mind: Any) -> tuple[str, str]:
    remedy = "return one of my.contenders[:decision.count], or what legal_holder allows where none are listed"
    return f"it returned {fault['choice']}, which is no contender of this decision", remedy


def _not_a_number(fault: np.void, part: str, mind: Any) -> tuple[str, str]:
    return f"the {part} is not a number (nan)", "look for a division by 0, or inf - inf"


def _missing(fault: np.void, part: str, mind: Any) -> tuple[str, str]:
    return f"its {part} was asked for, and it has none", f"give it a {part}, or do not pick by it"


def _nested(fault: np.void, part: str, mind: Any) -> tuple[str, str]:
    return f"its {part} calls itself, by way of another function", f"do not pick by the {part} within it"


_REASONS = {
    Fault.RAISED: _raised,
    Fault.PLAIN: _raised_in_python,
    Fault.NO_CONTENDER: _no_contender,
    Fault.NOT_A_NUMBER: _not_a_number,
    Fault.MISSING: _missing,
    Fault.NESTED: _nested,
}
