"""On what, and with what, a board was made."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sos_gym import __version__


def machine() -> dict[str, Any]:
    """System, kind of machine, cores, processor."""
    system, kind = platform.platform(), platform.machine()
    return {"platform": system, "machine": kind, "cpus": os.cpu_count(), "processor": processor()}


def versions() -> dict[str, str]:
    """Of what decides over results and speed."""
    needed = {name: version(name) for name in ("numpy", "numba", "gymnasium")}
    return {"sos_gym": __version__, "python": platform.python_version(), **needed}


def processor() -> str:
    """Its name, as it says it itself where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
