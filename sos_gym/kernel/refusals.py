"""Why a kernel does not compile, in one line."""

import re
from pathlib import Path

from numba.core.errors import NumbaError

BEGIN, END = "\x02", "\x03"  # around a reason, which Numba wraps in text of its own


class RefusedError(NumbaError):
    """What a checked kernel may not do, found when it is compiled."""

    def __init__(self, reason: str):
        super().__init__(reason if BEGIN in reason else f"{BEGIN}{reason}{END}")  # Numba makes it again with more text


_KNOWN = (rf"{BEGIN}(.*?){END}", r"(a record has no field .*)")


def reason_of(error: Exception) -> str:
    """Why a kernel does not compile, in one line: our own words where they are in the text, else Numba's."""
    text = str(error)
    for pattern in _KNOWN:
        if found := re.findall(pattern, text, re.DOTALL if BEGIN in pattern else 0):
            return f"{found[-1]}{'' if BEGIN in pattern else _line(text)}"
    said = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in said if not re.match(r"(Failed in|During|File |- |\^|<source|def |This error)", line)]
    return " ".join([*told[:1], *(line for line in told[1:] if line.startswith(">>>"))][:2]) + _line(text)


def _line(text: str) -> str:
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    return f" ({Path(places[-1][0]).name}:{places[-1][1]})" if places else ""
