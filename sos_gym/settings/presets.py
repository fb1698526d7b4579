"""The four environments: one class, different settings."""

import dataclasses
from typing import Any

from sos_gym.settings.ranges import SettingError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Preset:
    """An environment's defaults and what it is about."""

    id: str
    summary: str
    decides_on: str
    workload: str
    settings: dict[str, Any]  # stall_per_service is what `measurements/defaults.py` measures under lottery


PRESETS = {
    preset.id: preset
    for preset in (
        Preset(
            "sos/Memory-v0",
            "scarce page frames on two NUMA nodes; every thread has its core",
            "EVICT at page faults, ADMIT at scans",
            "phases",
            {"frames": 56, "nodes": 2, "scan_ns": 100_000, "stall_per_service": 5.7},
        ),
        Preset(
            "sos/CPU-v0",
            "scarce cores on two nodes; nothing faults",
            "ADMIT at ticks and idle cores, EVICT at wakeups",
            "hyperexponential",
            {"cores": 4, "nodes": 2, "stall_per_service": 0.33},
        ),
        Preset(
            "sos/System-v0",
            "scarce cores and frames; a thread that waits for the device gives up its core",
            "EVICT at page faults and wakeups, ADMIT at ticks, idle cores and scans, interleaved",
            "working_sets",
            {
                "cores": 2,
                "frames": 96,
                "nodes": 2,
                "scan_ns": 250_000,
                "move_ns": (5_000, 50_000),
                "warm_ns": (65_000, 650_000),
                "stall_per_service": 4.5,
            },
        ),
        Preset(
            "sos/Tier-v0",
            "a small fast tier and a large slow one; a slow page is served in place",
            "EVICT when a slow page is used: who lies in the fast tier",
            "tiered",
            {
                "frames": (32, 1000),
                "nodes": 2,
                "tiers": True,
                "hint_ns": 100_000,
                "remote_line_ns": 250,
                "stall_per_service": 0.56,
            },
        ),
    )
}


def preset_named(env_id: str) -> Preset:
    """The preset of an id.

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    if isinstance(env_id, str) and env_id in PRESETS:
        return PRESETS[env_id]
    remedy = did_you_mean(env_id, PRESETS, likeness=0.3) or "use a registered id"
    raise SettingError("env_id", env_id, "one of " + ", ".join(PRESETS), remedy)
