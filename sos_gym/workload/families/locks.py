"""Families of threads that share locks, for CPU."""

import numpy as np

from sos_gym.resource import DEFAULT_WEIGHT, NONE, Op
from sos_gym.workload.families.draws import exponential_ns
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.families.threads import DAY_NS, MS, repeated, sleeping_bursts
from sos_gym.workload.tape import Tape

URGENT, LIGHT = 9_548, 110  # nice -10 and 10, kernel/sched/core.c: sched_prio_to_weight; -20 is 88 761, 19 is 15


@family(
    "inversion",
    "cpu",
    "Urgent periodic threads need for a moment what light threads hold, while others of middle weight compute.",
    "Jones, What really happened on Mars Rover Pathfinder?, RISKS 19.49, 1997; Sha, Rajkumar, Lehoczky, IEEE ToC "
    "39(9), 1990",
    groups=Parameter(4, "groups", 1, 10**4, "locks, each of an urgent and of a light thread; more inversions"),
    hogs=Parameter(10, "threads", 0, 10**5, "threads of middle weight; they keep light ones off longer", ood=(14, 20)),
    periods=Parameter(40, "periods", 1, 10**6, "a longer episode"),
    period_ns=Parameter(10 * MS, "ns", 1, DAY_NS, "from one start of an urgent thread to the next; less load"),
    urgent_ns=Parameter(MS // 2, "ns", 1, DAY_NS, "work of an urgent thread before it locks; more load"),
    section_ns=Parameter(MS // 20, "ns", 1, DAY_NS, "what an urgent thread does with the lock"),
    critical_ns=Parameter(
        MS, "ns", 1, DAY_NS, "mean time that a light thread computes with the lock", ood=(2 * MS, 3 * MS)
    ),
    light_ns=Parameter(
        MS, "ns", 1, DAY_NS, "mean sleep of a light thread between two critical sections; fewer of them"
    ),
    hog_ns=Parameter(15 * MS, "ns", 1, DAY_NS, "mean burst of a hog; longer inversions"),
    hog_sleep_ns=Parameter(15 * MS, "ns", 1, DAY_NS, "mean sleep of a hog; less load"),
    urgent_weight=Parameter(URGENT, "", DEFAULT_WEIGHT, 10**6, "of an urgent thread; its waits count for more"),
    light_weight=Parameter(LIGHT, "", 1, DEFAULT_WEIGHT, "of a light thread; rules by share run it more"),
)
def inversion(
    rng,
    *,
    groups,
    hogs,
    periods,
    period_ns,
    urgent_ns,
    section_ns,
    critical_ns,
    light_ns,
    hog_ns,
    hog_sleep_ns,
    urgent_weight,
    light_weight,
    known: Known | None = None,
) -> Tape:
    """Under plain priority a hog runs before the light thread that an urgent one waits for.

    Group i has lock i, an urgent thread of great weight, whose deadline is its next period, and a light one; hogs have
    the default weight. Hogs and light threads go on for as long as the urgent ones should.
    """
    rounds = max(1, round(periods * period_ns / (critical_ns + light_ns)))
    bursts = max(1, round(periods * period_ns / (hog_ns + hog_sleep_ns)))
    urgent = [_urgent(rng, i, periods, period_ns, urgent_ns, section_ns) for i in range(groups)]
    light = [
        repeated(
            rounds,
            [
                (Op.SLEEP, exponential_ns(rng, light_ns, rounds)),
                (Op.LOCK, i),
                (Op.COMPUTE, exponential_ns(rng, critical_ns, rounds)),
                (Op.UNLOCK, i),
            ],
        )
        for i in range(groups)
    ]
    others = [
        sleeping_bursts(exponential_ns(rng, hog_ns, bursts), exponential_ns(rng, hog_sleep_ns, bursts))
        for _ in range(hogs)
    ]
    if known:
        for i, ns in enumerate([urgent_ns + section_ns] * groups + [critical_ns] * groups + [hog_ns] * hogs):
            known.bursts(i, 0, ns, *([ns] if i < groups else []))
    counts = (groups, groups, hogs)
    return Tape.build(
        [*urgent, *light, *others],
        weight=np.repeat((urgent_weight, light_weight, DEFAULT_WEIGHT), counts),
        deadline_ns=np.repeat((period_ns, NONE, NONE), counts),
        thread_names=[
            f"{name} {i}" for name, n in zip(("urgent", "light", "hog"), counts, strict=True) for i in range(n)
        ],
    )


def _urgent(rng: np.random.Generator, lock: int, periods: int, period_ns: int, urgent_ns: int, section_ns: int):
    """Work at fixed times, of which a little needs the lock; threads start at places of their own in the period."""
    starts = int(rng.random() * period_ns) + period_ns * np.arange(periods)
    steps = [(Op.SLEEP_UNTIL, starts), (Op.COMPUTE, urgent_ns), (Op.LOCK, lock), (Op.COMPUTE, section_ns)]
    return repeated(periods, [*steps, (Op.UNLOCK, lock)])
