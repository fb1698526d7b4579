"""On what, with what and how a result was made."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks import peers
from sos_gym.leaderboard.machine import processor

PACKAGES = ("sos-gym", "gymnasium", "numba", "numpy", "stable-baselines3", "torch")


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.platform(terse=True),
    }


def versions() -> dict[str, str]:
    """Of Python and of all packages that take part, peers included; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | peers.versions()
