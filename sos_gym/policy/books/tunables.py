"""How the kernel scales times of its scheduler: the more cores, the longer (sysctl_sched_tunable_scaling).

kernel/sched/fair.c, get_update_sysctl_factor: 1 + log2 of the cores, of which at most 8 count. 2 cores: twice as long.
"""

from sos_gym.kernel import kernel

MOST_CORES = 8


@kernel
def factor(my):
    """What times are multiplied by; 1 on frames."""
    cores, found = min(my.slots_count, MOST_CORES), 1.0
    while my.use_is_credit < 0 and cores > 1:
        cores >>= 1
        found += 1.0
    return found
