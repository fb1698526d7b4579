"""The four environments: one class, different settings."""

import dataclasses
from typing import Any

from sos_gym.settings.ranges import SettingError, did_you_mean

# At real size a scan every 100 us would do nothing but list misplaced pages. A hint lists all pages of the fast tier,
# so that an episode takes time in proportion to hints x fast frames: 10^6 pages of Tier took over five minutes.
RARE_SCAN_NS = 10_000_000
RARE_HINT_NS = 1_000_000_000  # kernel/sched/fair.c: sysctl_numa_balancing_scan_period_min, 1000 ms


@dataclasses.dataclass(frozen=True)
class Preset:
    """An environment's defaults and what it is about."""

    id: str
    summary: str
    decides_on: str
    workload: str
    settings: dict[str, Any]  # stall_per_service is what `measurements/defaults.py` measures under lottery
    large: "Large"
    breaking: tuple[str, ...] = ()  # families at the point where things break


@dataclasses.dataclass(frozen=True)
class Large:
    """An environment at real size: a group of its own, which boards have on request only."""

    workload: str
    settings: dict[str, Any]  # what differs from the environment's


PRESETS = {
    preset.id: preset
    for preset in (
        Preset(
            "sos/Memory-v0",
            "scarce page frames on two NUMA nodes; every thread has its core",
            "EVICT at page faults, ADMIT at scans",
            "phases",
            {"frames": 56, "nodes": 2, "scan_ns": 100_000, "discount_service_ns": 1_000_000, "stall_per_service": 5.8},
            Large(
                "phases(threads=16, pages=6250, working_set=3500, references=60000, phase_references=20000, "
                "ns_per_reference=50000)",
                {"frames": 50_000, "scan_ns": RARE_SCAN_NS},
            ),
        ),
        Preset(
            "sos/CPU-v0",
            "scarce cores on two nodes; nothing faults",
            "ADMIT at ticks and idle cores, EVICT at wakeups",
            "hyperexponential",
            {"cores": 4, "nodes": 2, "discount_service_ns": 10_000_000, "stall_per_service": 0.27},
            Large("hyperexponential(threads=512)", {"cores": 64}),
            ("inversion",),
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
                "stall_per_service": 1.9,
            },
            Large(
                "working_sets(threads=256, pages=400, working_set=300, bursts=20, burst_references=400, "
                "phase_references=2000)",
                {"cores": 64, "frames": 50_000, "scan_ns": RARE_SCAN_NS},
            ),
            ("thrashing",),
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
                "discount_service_ns": 1_000_000,
                "stall_per_service": 0.63,
            },
            Large(
                "tiered(threads=16, pages=12500, alpha=0.8, references=100000, drift_references=50000)",
                {"frames": (8_192, 200_000), "hint_ns": RARE_HINT_NS},
            ),
        ),
    )
}


def short_id(env_id: str) -> str:
    """sos/Memory-v0 is Memory."""
    return env_id.removeprefix("sos/").removesuffix("-v0")


def preset_named(env_id: str) -> Preset:
    """The preset of an id.

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    if isinstance(env_id, str) and env_id in PRESETS:
        return PRESETS[env_id]
    remedy = did_you_mean(env_id, PRESETS, likeness=0.3) or "use a registered id"
    raise SettingError("env_id", env_id, "one of " + ", ".join(PRESETS), remedy)
