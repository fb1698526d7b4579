"""What the card of a recording says that cannot be measured."""

import datetime
import os
import platform
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sos_gym.workload.tables import TapeError

CountProgress = Callable[[int], None]  # references or events so far


@dataclass(frozen=True)
class About:
    """Name, words and origin of a recording."""

    name: str
    summary: str = ""
    program: str = ""  # with its version
    date: str = ""  # ISO; by default today
    command: str = ""  # as others should repeat it; by default the one that was run

    def card(self, side: str, command: Sequence[str], source: str, **measured: object) -> dict:
        """The card of a recording."""
        program = Path(command[0]).name
        return {
            "name": self.name,
            "family": "recorded",
            "side": side,
            "summary": self.summary or f"A recorded run of {program}.",
            "source": source,
            "parameters": {},
            "recorded": True,
            "program": self.program or program,
            "command": self.command or shlex.join(command),
            "date": self.date or datetime.date.today().isoformat(),
            "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
            **measured,
        }


def path_of(tool: str, remedy: str) -> str:
    """The path of a program.

    Raises:
        TapeError: it is not on PATH; `remedy` says how to get it.
    """
    path = shutil.which(tool)
    if not path:
        where = f"PATH ({os.environ.get('PATH', '')})"
        raise TapeError(f"{tool!r} is not installed; allowed: a program on {where}; {remedy}")
    return path
