"""What an agent sees of a decision: the columns of its candidates, a context, a mask; what its last choice cost."""

import math

import numpy as np

from .candidates import PADDING, payoff_ns, select
from .columns import COLUMNS, CONTEXT
from .engine.account import charge, count_pressure
from .engine.decisions import apply, slot_of
from .engine.layout import RECENT
from .engine.loop import run
from .kernel import kernel
from .resource import NONE, Kind, Resource, State, Status

F, G = len(COLUMNS), len(CONTEXT)
PSI_WINDOW_NS = 10_000_000  # the kernel's avg10 in an episode's scale: tens of ms instead of 10 s
LONGEST_LOG = 8.0
FORESIGHT_TURNOVERS = 12  # H of the foresight reward, in mean hold times
PROGRESS, STALL, FORESIGHT = range(3)
EVICT, ADMIT = int(Kind.EVICT), int(Kind.ADMIT)
CPU, MEMORY = int(Resource.CPU), int(Resource.MEMORY)
WAITING, RUNNING = int(State.WAITING), int(Status.RUNNING)
CPU_WAIT, FAULTING = int(Status.CPU_WAIT), int(Status.FAULTING)

OUTCOME = np.dtype(
    [
        ("reward", "f8"),
        ("dt_ns", "i8"),
        ("work_ns", "i8"),
        ("stall_weighted_ns", "f8"),
        ("foresight", "f8"),
    ]
)


# -- the columns


@kernel
def rlog(t, tau):
    """A duration in units of tau, logarithmic, about -2 to 2."""
    return min(LONGEST_LOG, max(-LONGEST_LOG, math.log((t + 1000.0) / tau))) / 4.0


@kernel
def clog(n):
    """A count, logarithmic, 0 to 1."""
    return min(1.0, math.log2(1.0 + n) / 16.0)


@kernel
def _cost_log(ns):
    return math.log(1.0 + ns / 1000.0) / 14.0


@kernel
def _describe_common(sim, decision, e, row):
    entity, instance = sim.entities[e], sim.instances[decision.resource]
    tau, now = instance.tau_ns, sim.now
    holds = entity.slot != NONE
    row[1] = holds
    row[2] = entity.state == WAITING or (decision.kind == EVICT and e == decision.entity)
    row[4] = e == decision.entity
    row[5] = math.log2(entity.weight / instance.mean_weight) / 8.0
    if entity.uses_total > 0:
        row[6] = rlog(now - entity.last_use, tau)
    if holds:
        row[7] = rlog(now - (entity.move_ns if entity.moved else entity.hold_ns), tau)
    else:
        row[8] = rlog(now - entity.want_ns, tau)
    if entity.gaps > 0:
        row[9] = rlog(entity.last_gap, tau)
    if entity.gaps > 1:
        row[10] = rlog(entity.prev_gap, tau)
    row[11] = entity.gaps / 2.0
    row[12] = rlog(payoff_ns(sim, e), tau)
    row[13] = clog(entity.uses)
    row[14] = clog(entity.uses_total)
    row[25] = entity.returned
    _describe_owner(sim, decision.resource, entity.owner, row)


@kernel
def _describe_owner(sim, resource, o, row):
    instance, half = sim.instances[resource], sim.owners.size // 2
    owner, account = sim.owners[resource * half + o], sim.owners[half + o]
    if instance.holding > 0 and instance.active_weight > 0:
        entitled = owner.weight / instance.active_weight
        share = max(owner.holding, 0.5) / instance.holding
        row[16] = min(1.0, max(-1.0, math.log2(share / entitled) / 4.0))
    if account.stall_ns + account.work_ns > 0:
        row[17] = account.stall_ns / (account.stall_ns + account.work_ns)


@kernel
def _pair(sim, decision, e):
    """The entity and the slot that the choice would join, and the entity's present node (home when it holds none)."""
    if decision.kind == ADMIT:
        return e, decision.slot
    return decision.entity, slot_of(sim, e)


@kernel
def _describe_pair(sim, decision, e, row):
    entity_id, slot = _pair(sim, decision, e)
    if entity_id < 0 or slot == NONE or sim.entities[entity_id].slot == slot:
        return
    entity, node = sim.entities[entity_id], sim.slots[slot].node
    near = entity.home == node
    row[20] = not near
    cost = 0
    if decision.resource == CPU:
        cost = sim.switch_ns if sim.slots[slot].last != entity_id else 0
        if entity.touched and entity.last_slot != slot:
            cost += sim.move_near_ns if near else sim.move_far_ns
    elif entity.slot != NONE:
        cost = sim.page_move_ns + sim.shootdown_ns
    elif not near:
        cost = RECENT * 64 * sim.remote_excess_ns  # what some more uses of the page will cost there
    row[19] = _cost_log(cost)


@kernel
def _describe_thread(sim, t, row):
    entity = sim.entities[t]
    row[15] = rlog(entity.attained, sim.instances[CPU].tau_ns)
    row[18] = _cost_log(sim.switch_ns + (sim.move_near_ns if entity.slot != NONE else 0))
    known, resident = 0, 0
    for i in range(t * RECENT, (t + 1) * RECENT):
        if sim.recent[i] != NONE:
            known += 1
            resident += sim.entities[sim.recent[i]].slot != NONE
    if known > 0:
        row[21] = resident / known
        row[22] = clog(known - resident)


@kernel
def _describe_page(sim, e, running, waiting, row):
    page, users = sim.entities[e], sim.users[e]
    row[18] = _cost_log(sim.shootdown_ns + (sim.write_back_ns if page.dirty else 0))
    row[23] = clog(_bits(users & running))
    row[24] = clog(_bits(users & waiting))


@kernel
def _bits(mask):
    count, mask = 0, np.uint64(mask)
    while mask:
        mask &= mask - np.uint64(1)
        count += 1
    return count


@kernel
def _threads_with(sim, status):
    mask = np.uint64(0)
    for t in range(sim.threads_count):
        if sim.threads[t].status == status:
            mask |= np.uint64(1) << np.uint64(t & 63)
    return mask


@kernel
def _describe_context(sim, decision, shown, context):
    instance = sim.instances[decision.resource]
    context[0], context[1] = decision.kind == EVICT, decision.kind == ADMIT
    context[2], context[3] = decision.resource == CPU, decision.resource == MEMORY
    context[4] = math.log(max(1.0, instance.tau_ns) / 1e6) / 8.0
    context[5] = clog(instance.size)
    context[6] = clog(decision.count)
    context[7] = shown / decision.count if decision.count else 1.0
    context[8], context[9] = sim.psi_some, sim.psi_full
    context[10] = 1.0 - instance.holding / max(1, instance.size)
    cores = sim.instances[CPU].size
    context[11] = min(1.0, sim.running / (cores if cores else sim.threads_count))
    backlog = 0.0
    for lane in range(sim.lanes.size):
        backlog += max(0, sim.lanes[lane] - sim.now)
    context[12] = clog(backlog / max(1, sim.swap_in_ns))
    context[13] = instance.return_rate


@kernel
def describe(sim, decision, shown, rows, candidates, context, mask):
    """Write the columns of `rows` candidates, the context and the mask."""
    candidates[:] = 0.0
    context[:] = 0.0
    mask[:] = 0
    running = _threads_with(sim, RUNNING)
    waiting = _threads_with(sim, CPU_WAIT) | _threads_with(sim, FAULTING)
    for i in range(rows):
        e, row = shown[i], candidates[i]
        mask[i] = 1
        row[0] = 1.0
        if e < 0:
            row[3] = 1.0
        else:
            _describe_common(sim, decision, e, row)
            if decision.resource == CPU:
                _describe_thread(sim, e, row)
            else:
                _describe_page(sim, e, running, waiting, row)
        _describe_pair(sim, decision, e, row)
    _describe_context(sim, decision, rows, context)


# -- what the last choice cost


@kernel
def _running_share(old, share, elapsed):
    return old + (1.0 - math.exp(-elapsed / PSI_WINDOW_NS)) * (share - old)


@kernel
def _settle(sim, outcome):
    """Service and stall since the last observation, and the reward they make."""
    count_pressure(sim)
    elapsed = sim.now - sim.seen_ns
    outcome.dt_ns = elapsed
    outcome.work_ns = sim.service_ns - sim.seen_service_ns
    outcome.stall_weighted_ns = (sim.stall_weighted - sim.seen_stall_weighted) / sim.instances[CPU].mean_weight
    if sim.reward == PROGRESS:
        outcome.reward = sim.stall_per_service * outcome.work_ns - outcome.stall_weighted_ns
        outcome.reward /= sim.reward_scale_ns
    elif sim.reward == STALL:
        outcome.reward = -outcome.stall_weighted_ns / sim.reward_scale_ns
    else:
        outcome.reward = outcome.foresight
    window = sim.now - sim.seen_psi_ns
    if window > 0:
        sim.psi_some = _running_share(sim.psi_some, (sim.some_ns - sim.seen_some_ns) / window, window)
        sim.psi_full = _running_share(sim.psi_full, (sim.full_ns - sim.seen_full_ns) / window, window)
    sim.seen_ns, sim.seen_service_ns, sim.seen_stall_weighted = sim.now, sim.service_ns, sim.stall_weighted
    sim.seen_psi_ns, sim.seen_some_ns, sim.seen_full_ns = sim.now, sim.some_ns, sim.full_ns


@kernel
def foresight(sim, choice):
    """EVICT -exp(-future/H), ADMIT +exp(-future/H): how soon the chosen is wanted again."""
    if choice < 0 or not sim.prophets:
        return 0.0
    decision = sim.decision[0]
    horizon = FORESIGHT_TURNOVERS * max(1.0, sim.instances[decision.resource].tau_ns)
    value = math.exp(-sim.entities[choice].future / horizon)
    return -value if decision.kind == EVICT else value


@kernel
def observe(sims, i, choice, shown, candidates, context, mask, outcomes):
    """Apply `choice` to the open decision, run to the next one and describe it; returns the number of rows.

    shown: i4 (K,), candidates: f4 (K, F), context: f4 (G,), mask: i1 (K,), outcomes: OUTCOME (1,).
    When the episode is over one empty row is legal, so that no mask is ever all zero.
    """
    sim, outcome = sims[i], outcomes[0]
    if sim.undecided:
        outcome.foresight = foresight(sim, choice)
        apply(sim, choice)
    run(sim)
    for t in range(sim.threads_count):
        charge(sim, t)
    _settle(sim, outcome)
    decision = sim.decision[0]
    if not sim.undecided:
        decision.count = 0
        describe(sim, decision, shown, 0, candidates, context, mask)
        shown[:] = PADDING
        mask[0] = 1
        return 0
    rows = select(sim, decision, shown)
    describe(sim, decision, shown, rows, candidates, context, mask)
    return rows


@kernel
def unsee(sims, i):
    """What passed before the first decision is paid with the first step."""
    sim = sims[i]
    sim.seen_ns = 0
    sim.seen_service_ns = 0
    sim.seen_stall_weighted = 0
