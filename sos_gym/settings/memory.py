"""What makes pages in frames an instance of the model: numbers and flags, no loop."""

import dataclasses

from sos_gym.settings.ranges import setting

LONGEST_NS = 1 << 50
USE_IS_CREDIT = 1  # usage earns: who was used often stays
RECLAIM = ("global", "local")
SIGHTS = ("exact", "sampled", "scanned")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemorySettings:
    """Frames, the swap device, and what distance costs."""

    frames: int | tuple | None = setting(
        None, "frames", 1, 1 << 30, "in all, or one number per node; None: plenty, nothing faults", many=True
    )
    tiers: bool = setting(False, "", help="node 0 is the fast tier and has all cores, the others are slow")
    scan_ns: int | None = setting(
        None, "ns", 1, LONGEST_NS, "period of the NUMA-balancing scan, kernel/sched/fair.c; None: off"
    )
    hint_ns: int | None = setting(
        None, "ns", 1, LONGEST_NS, "a page in the wrong tier asks for the right one at most this often; None: never"
    )
    reclaim: str = setting("global", "", choices=RECLAIM, help="local: holders on the home node are offered first")
    sight: str = setting(
        "exact",
        "",
        choices=SIGHTS,
        help="how uses of pages are seen: every one; the first after all pages were unmapped, as a pager in user space "
        "does it; or by accessed bits, as a kernel does it (engine.md, N21 to N23)",
    )
    sample_faults: int | None = setting(
        None, "faults", 1, 1 << 40, "sampled: after so many all pages are unmapped; None: a quarter of the frames"
    )
    harvest_ns: int | None = setting(
        1_000_000,
        "ns",
        1,
        LONGEST_NS,
        "scanned: period in which all accessed bits are read and cleared; None: never, policies look alone",
        optional=True,
    )
    look_ns: int = setting(
        0,
        "ns",
        0,
        LONGEST_NS,
        "sampled: fault on a page that was unmapped, a pager's takes 6 000; scanned: to read and clear a bit, 100 or "
        "so, some cache misses of a walk through the page's mappings (mm/rmap.c: folio_referenced)",
    )
    local_line_ns: int = setting(85, "ns", 0, LONGEST_NS, "64-byte access to local DRAM", cost=True)
    remote_line_ns: int = setting(140, "ns", 0, LONGEST_NS, "the same, other node; CXL: 250 (Pond, 2023)", cost=True)
    first_touch_ns: int = setting(
        1_000, "ns", 0, LONGEST_NS, "minor fault: its thread fills a zero page, on its core", cost=True
    )
    hint_fault_ns: int = setting(
        1_000, "ns", 0, LONGEST_NS, "trap at a page in the wrong tier, as first_touch_ns; do_numa_page", cost=True
    )
    minor_fault_ns: int = setting(1_000, "ns", 0, LONGEST_NS, "trap and mapping of a page that came in", cost=True)
    swap_in_ns: int = setting(60_000, "ns", 0, LONGEST_NS, "4 KiB read, NVMe; zswap: 6 000", cost=True)
    write_back_ns: int = setting(15_000, "ns", 0, LONGEST_NS, "4 KiB write, NVMe, asynchronous", cost=True)
    lanes: int = setting(4, "requests", 1, 1024, "that the device serves at a time")
    page_move_ns: int = setting(3_000, "ns", 0, LONGEST_NS, "copy and remap of a page between nodes", cost=True)
    shootdown_ns: int = setting(1_000, "ns", 0, LONGEST_NS, "TLB shootdown, fixed part (LATR, 2018)", cost=True)
    shootdown_core_ns: int = setting(200, "ns", 0, LONGEST_NS, "TLB shootdown, per core", cost=True)
