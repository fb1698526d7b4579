"""What makes threads on cores an instance of the model: numbers and flags, no loop."""

import dataclasses

from sos_gym.settings.ranges import setting

LONGEST_NS = 1 << 50
LONGEST_WARM_NS = 1 << 30  # its square is an int64
USE_IS_CREDIT = -1  # usage is paid for: who ran long goes without


@dataclasses.dataclass(frozen=True, kw_only=True)
class CpuSettings:
    """Cores, their tick, and what it costs to change who runs where."""

    cores: int | tuple | None = setting(
        None, "cores", 1, 4096, "in all, or one number per node; None: one per thread, nobody waits", many=True
    )
    tick_ns: int | None = setting(
        1_000_000, "ns", 1, LONGEST_NS, "slice, CONFIG_HZ=1000; None: no ticks", optional=True
    )
    switch_ns: int = setting(
        1_000, "ns", 0, LONGEST_NS, "context switch; 1-2 us direct cost in Li, Ding, Shen, ExpCS 2007", cost=True
    )
    move_ns: int | tuple = setting(
        (5_000, 150_000),
        "ns",
        0,
        LONGEST_NS,
        "warm-up after a migration, at most: (same node, another node), one number means both; L1 and L2 refill, "
        "sysctl sched_migration_cost_ns = 500 000 is the kernel's bound",
        cost=True,
        many=True,
    )
    warm_ns: int | tuple = setting(
        (65_000, 2_000_000),
        "ns",
        0,
        LONGEST_WARM_NS,
        "service after which a move costs all of move_ns, before that in proportion: (same node, another node); "
        "0: always all. 13 ns per ns of move_ns: 64 lines take 5.4 us to touch, .41 us to load again at 10 GB/s",
        many=True,
    )
    may_idle: bool = setting(
        False,
        "",
        help="a core may be left idle while a thread that may have it waits; kernels are work-conserving. Policies "
        "that idle on purpose bring it with them",
    )
