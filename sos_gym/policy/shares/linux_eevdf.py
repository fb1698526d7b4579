"""EEVDF as Linux has it: the rule of `eevdf` with all that the kernel adds."""

import dataclasses

from sos_gym.policy.shares.eevdf import EEVDF, parameters_of

LINUX_EEVDF = dataclasses.replace(
    EEVDF,
    name="linux_eevdf",
    aliases=(),
    summary="EEVDF as Linux 6.12 has it: a slice grows with the cores, who is owed service is not disturbed",
    on_cores="EEVDF with the kernel's rules, one runqueue over all cores: base slice 0.75 ms × (1 + log2(cores)); a "
    "waker preempts only if it is owed service, its deadline is the earliest of all that wait, and the holder is ahead "
    "or has had its request; a tick preempts only whose request is served; new threads ask for half a slice; who falls "
    "asleep ahead counts until it no longer is",
    on_frames="as `eevdf`: what the kernel adds is about threads",
    not_to_be_confused="`eevdf`, the paper's rule",
    source="kernel/sched/fair.c of Linux 6.12: sysctl_sched_base_slice, pick_eevdf, update_deadline, place_entity, "
    "check_preempt_wakeup_fair, entity_lag (HZ = 1000: 2 slices), requeue_delayed_entity; kernel/sched/features.h. "
    "Unlike there: no runqueue per core, no groups, no slices of one's own (PREEMPT_SHORT); a sleeper leaves when it "
    "is no longer ahead, not when it would be picked; that a request is served is noticed at ticks and wakeups; of "
    "equal deadlines the holder's goes first",
    parameters=parameters_of(slice_ns=750_000, scaled=1, parity=1, first=0.5, delay=1),
)
