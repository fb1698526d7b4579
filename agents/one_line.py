"""What is wrong with a command is said in one line on stderr, not by a traceback."""

import sys
from collections.abc import Callable

from sos_gym import SettingError, TapeError

USAGE, INTERRUPTED = 2, 130  # exit codes; the second as shells say it


def run(main: Callable[[], None]) -> None:
    """A script's `main`. Exits with USAGE where it refuses what it was given, with INTERRUPTED after Ctrl-C."""
    try:
        main()
    except (SettingError, TapeError, OSError) as error:
        leave(USAGE, str(error))
    except KeyboardInterrupt:
        leave(INTERRUPTED, "interrupted; what was played is kept: the same command goes on")


def leave(code: int, said: str) -> None:
    print(f"sos-gym: {' '.join(said.split())}", file=sys.stderr)
    sys.exit(code)
