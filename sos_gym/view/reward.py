"""What a step pays: service and stall since the last decision, or what the choice is worth in hindsight."""

import math

from sos_gym.engine.account import count_pressure
from sos_gym.kernel import kernel
from sos_gym.resource import Kind, Resource
from sos_gym.settings.environment import REWARDS

PROGRESS, STALL, FORESIGHT = map(REWARDS.index, ("progress", "stall", "foresight"))
PSI_WINDOW_NS = 10_000_000  # the kernel's avg10 in an episode's scale: tens of ms instead of 10 s
FORESIGHT_TURNOVERS = 12  # H of the foresight reward, in mean hold times


@kernel
def foresight(sim, choice):
    """EVICT -exp(-future/H), ADMIT +exp(-future/H): how soon the chosen is wanted again."""
    if choice < 0 or not sim.prophets:
        return 0.0
    decision = sim.decision[0]
    horizon = FORESIGHT_TURNOVERS * max(1.0, sim.instances[decision.resource].tau_ns)
    value = math.exp(-sim.entities[choice].future / horizon)
    return -value if decision.kind == Kind.EVICT else value


@kernel
def settle(sim, step, foreseen):
    """Put service and stall since the last observation into `step`, and the reward they make."""
    count_pressure(sim)
    step.dt_ns = sim.now - sim.seen_ns
    step.work_ns = sim.service_ns - sim.seen_service_ns
    step.weighted_stall_ns = (sim.stall_weighted - sim.seen_stall_weighted) / sim.instances[Resource.CPU].mean_weight
    if sim.reward == PROGRESS:
        step.reward = (sim.stall_per_service * step.work_ns - step.weighted_stall_ns) / sim.reward_scale_ns
    elif sim.reward == STALL:
        step.reward = -step.weighted_stall_ns / sim.reward_scale_ns
    else:
        step.reward = foreseen
    _follow_pressure(sim)
    sim.seen_ns, sim.seen_service_ns, sim.seen_stall_weighted = sim.now, sim.service_ns, sim.stall_weighted


@kernel
def _follow_pressure(sim):
    """Bring the running shares of pressure stall information up to date."""
    window = sim.now - sim.seen_psi_ns
    if window > 0:
        remote = _remote_share(sim)
        sim.psi_some = _running_share(sim.psi_some, _joined((sim.some_ns - sim.seen_some_ns) / window, remote), window)
        sim.psi_full = _running_share(sim.psi_full, _joined((sim.full_ns - sim.seen_full_ns) / window, remote), window)
    sim.seen_psi_ns, sim.seen_some_ns, sim.seen_full_ns = sim.now, sim.some_ns, sim.full_ns
    sim.seen_running_ns, sim.seen_remote_ns = sim.running_ns, sim.remote_ns


@kernel
def _remote_share(sim):
    """Of the time that threads ran since the last observation, how much went to what lies far: a stall on the core.

    All that run are charged up to now. It is a mean over the cores that are busy, as kernel/sched/psi.c takes it over
    processors; with one thread it is exact.
    """
    ran = sim.running_ns - sim.seen_running_ns
    return (sim.remote_ns - sim.seen_remote_ns) / ran if ran > 0 else 0.0


@kernel
def _joined(share, remote):
    """Of a time in which `share` was stalled, and of the rest `remote`: .5 and .2 are .6."""
    return share + (1.0 - share) * remote


@kernel
def _running_share(old, share, elapsed):
    return old + (1.0 - math.exp(-elapsed / PSI_WINDOW_NS)) * (share - old)


@kernel
def postpone(sim, step):
    """What passed before the first decision is paid with the first step."""
    step.reward = step.weighted_stall_ns = 0.0
    step.dt_ns = step.work_ns = 0
    sim.seen_ns = 0
    sim.seen_service_ns = 0
    sim.seen_stall_weighted = 0
