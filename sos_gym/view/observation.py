"""What an agent sees of a decision: the columns of its candidates, a context, a mask; what its last choice cost."""

import math
from functools import cache

import numba as nb
import numpy as np
from numba import types

from sos_gym.engine.account import charge, count_pressure
from sos_gym.engine.decisions import apply, slot_of
from sos_gym.engine.loop import run
from sos_gym.engine.records import RECENT, SIM
from sos_gym.kernel import Table, address_of, bit_count, function_at, kernel, part_of, table_of
from sos_gym.resource import NONE, Kind, Resource, State, Status
from sos_gym.view.candidates import PADDING, payoff_ns, select
from sos_gym.view.columns import COLUMNS, CONTEXT

F, G = len(COLUMNS), len(CONTEXT)
PSI_WINDOW_NS = 10_000_000  # the kernel's avg10 in an episode's scale: tens of ms instead of 10 s
LN2 = math.log(2.0)
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


# -- logarithms, of all columns at once

UNBOUNDED = 1e9
RLOG = (LN2 / 4.0, 2.0)  # of log2: scale, bound
CLOG = (1.0 / 16.0, 1.0)
COST = (LN2 / 14.0, UNBOUNDED)
LOGS = {
    **dict.fromkeys(("since_use", "held", "waited", "last_gap", "prev_gap", "payoff", "attained"), RLOG),
    **dict.fromkeys(("uses", "uses_total", "expected_refaults", "users_running", "users_waiting"), CLOG),
    **dict.fromkeys(("leave_cost", "bind_cost"), COST),
    "weight": (1.0 / 8.0, UNBOUNDED),
    "owner_share": (1.0 / 4.0, 1.0),
    "log_tau": (LN2 / 8.0, UNBOUNDED),
    **dict.fromkeys(("slots", "contenders", "device_queue"), CLOG),
}
SQRT_HALF_BITS = int(np.float32(math.sqrt(0.5)).view(np.int32))
ATANH = tuple(float(np.float32(2.0 / LN2 / n)) for n in (1, 3, 5, 7))  # log2(m) = 2/ln 2 * atanh((m - 1) / (m + 1))


def _of_logs(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per column: what an empty row holds, scale and bound; scale 0: no logarithm."""
    scales = np.array([LOGS.get(name, (0.0, 0.0))[0] for name in names], np.float32)
    bounds = np.array([LOGS.get(name, (0.0, UNBOUNDED))[1] for name in names], np.float32)
    return (scales != 0).astype(np.float32), scales, bounds


EMPTY_ROW, ROW_SCALES, ROW_BOUNDS = _of_logs(COLUMNS)
EMPTY_CONTEXT, CONTEXT_SCALES, CONTEXT_BOUNDS = _of_logs(CONTEXT)


@kernel
def _take_logs(values, scales, bounds):
    """Put scale * log2(x), within its bound, for x in the columns that have a scale.

    x = 2^exponent * m with m in [sqrt(1/2), sqrt(2)), and four terms of a series for log2(m): its error is below 1e-7.
    Without branches, calls and signed indices, so that the compiler does eight columns or more at a time.
    """
    c1, c3 = np.float32(ATANH[0]), np.float32(ATANH[1])
    c5, c7, one = np.float32(ATANH[2]), np.float32(ATANH[3]), np.float32(1.0)
    for k in range(np.uint64(scales.size)):
        x, scale, bound = np.float32(values[k]), scales[k], bounds[k]
        word = x.view(np.int32)
        exponent = np.int32(np.int32(word - np.int32(SQRT_HALF_BITS)) >> np.int32(23))
        m = np.int32(word - np.int32(exponent << np.int32(23))).view(np.float32)
        s = (m - one) / (m + one)
        q = s * s
        y = scale * (np.float32(exponent) + s * (c1 + q * (c3 + q * (c5 + q * c7))))
        y = bound if y > bound else y
        y = -bound if y < -bound else y
        values[k] = y if scale != 0 else x


# -- the columns; where a logarithm is taken they are given what it is taken of


@kernel
def _counted(n):
    return 1.0 + n


@kernel
def _priced(ns):
    return 1.0 + ns / 1000.0


@kernel
def _describe_common(sim, decision, e, per_tau, row):
    entity, now = sim.entities[e], sim.now
    holds = entity.slot != NONE
    row[1] = holds
    row[2] = entity.state == WAITING or (decision.kind == EVICT and e == decision.entity)
    row[4] = e == decision.entity
    row[5] = entity.weight / sim.instances[decision.resource].mean_weight
    if entity.uses_total > 0:
        row[6] = (now - entity.last_use + 1000.0) * per_tau
    if holds:
        row[7] = (now - (entity.move_ns if entity.moved else entity.hold_ns) + 1000.0) * per_tau
    else:
        row[8] = (now - entity.want_ns + 1000.0) * per_tau
    if entity.gaps > 0:
        row[9] = (entity.last_gap + 1000.0) * per_tau
    if entity.gaps > 1:
        row[10] = (entity.prev_gap + 1000.0) * per_tau
    row[11] = entity.gaps / 2.0
    row[12] = (payoff_ns(sim, e) + 1000.0) * per_tau
    row[13] = _counted(entity.uses)
    row[14] = _counted(entity.uses_total)
    row[25] = entity.returned
    _describe_owner(sim, decision.resource, entity.owner, row)


@kernel
def _describe_owner(sim, resource, o, row):
    instance, half = sim.instances[resource], sim.owners.size // 2
    owner, account = sim.owners[resource * half + o], sim.owners[half + o]
    if instance.holding > 0 and instance.active_weight > 0:
        entitled = owner.weight / instance.active_weight
        share = max(owner.holding, 0.5) / instance.holding
        row[16] = share / entitled
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
    row[19] = _priced(cost)


@kernel
def _describe_thread(sim, t, per_tau, row):
    entity = sim.entities[t]
    row[15] = (entity.attained + 1000.0) * per_tau
    row[18] = _priced(sim.switch_ns + (sim.move_near_ns if entity.slot != NONE else 0))
    known, resident = 0, 0
    for i in range(t * RECENT, (t + 1) * RECENT):
        if sim.recent[i] != NONE:
            known += 1
            resident += sim.entities[sim.recent[i]].slot != NONE
    if known > 0:
        row[21] = resident / known
        row[22] = _counted(known - resident)


@kernel
def _describe_page(sim, e, running, waiting, row):
    page, users = sim.entities[e], sim.users[e]
    row[18] = _priced(sim.shootdown_ns + (sim.write_back_ns if page.dirty else 0))
    row[23] = _counted(bit_count(users & running))
    row[24] = _counted(bit_count(users & waiting))


@kernel
def _masks_of_threads(sim):
    """Bit t mod 64: thread t runs; it waits, for a core or a page."""
    running, waiting = np.uint64(0), np.uint64(0)
    for t in range(sim.threads_count):
        status, bit = sim.threads[t].status, np.uint64(1) << np.uint64(t & 63)
        if status == RUNNING:
            running |= bit
        elif status == CPU_WAIT or status == FAULTING:
            waiting |= bit
    return running, waiting


@kernel
def _describe_context(sim, decision, shown, context):
    instance = sim.instances[decision.resource]
    context[0], context[1] = decision.kind == EVICT, decision.kind == ADMIT
    context[2], context[3] = decision.resource == CPU, decision.resource == MEMORY
    context[4] = max(1.0, instance.tau_ns) / 1e6
    context[5] = _counted(instance.size)
    context[6] = _counted(decision.count)
    context[7] = shown / decision.count if decision.count else 1.0
    context[8], context[9] = sim.psi_some, sim.psi_full
    context[10] = 1.0 - instance.holding / max(1, instance.size)
    cores = sim.instances[CPU].size
    context[11] = min(1.0, sim.running / (cores if cores else sim.threads_count))
    backlog = 0.0
    for lane in range(sim.lanes.size):
        backlog += max(0, sim.lanes[lane] - sim.now)
    context[12] = _counted(backlog / max(1, sim.swap_in_ns))
    context[13] = instance.return_rate


@kernel
def describe(sim, decision, shown, rows, candidates, context, mask):
    """Write the columns of `rows` candidates, the context and the mask."""
    for k in range(rows * F, candidates.size):
        candidates[k] = 0.0
    for i in range(mask.size):
        mask[i] = i < rows
    per_tau = 1.0 / sim.instances[decision.resource].tau_ns
    running, waiting = np.uint64(0), np.uint64(0)
    if decision.resource == MEMORY:
        running, waiting = _masks_of_threads(sim)
    for i in range(rows):
        e, row = shown[i], part_of(candidates, i * F, F)
        for k in range(np.uint64(row.size)):
            row[k] = EMPTY_ROW[k]
        row[0] = 1.0
        if e < 0:
            row[3] = 1.0
        else:
            _describe_common(sim, decision, e, per_tau, row)
            if decision.resource == CPU:
                _describe_thread(sim, e, per_tau, row)
            else:
                _describe_page(sim, e, running, waiting, row)
        _describe_pair(sim, decision, e, row)
        _take_logs(row, ROW_SCALES, ROW_BOUNDS)
    for k in range(np.uint64(context.size)):
        context[k] = EMPTY_CONTEXT[k]
    _describe_context(sim, decision, rows, context)
    _take_logs(context, CONTEXT_SCALES, CONTEXT_BOUNDS)


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
def _observe(sim, choice, shown, candidates, context, mask, outcome):
    """Apply `choice` to the open decision, run to the next one and describe it; returns the number of rows.

    Tables: shown i4 (K), candidates f4 (K * F), context f4 (G), mask i1 (K). When the episode is over one empty row is
    legal, so that no mask is ever all zero.
    """
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
        for i in range(shown.size):
            shown[i] = PADDING
        mask[0] = 1
        return 0
    rows = select(sim, decision, shown)
    describe(sim, decision, shown, rows, candidates, context, mask)
    return rows


OBSERVE = types.int64(
    nb.from_dtype(SIM),
    types.int64,
    Table(types.int32),
    Table(types.float32),
    Table(types.float32),
    Table(types.int8),
    nb.from_dtype(OUTCOME),
)
observe_at = function_at(OBSERVE)


@cache
def observe_address() -> int:
    """For kernels that call `observe_at(address)(...)`: linked into each, `_observe` would be compiled for each."""
    return address_of(_observe, OBSERVE)


@kernel
def observe(address, sims, choice, shown, candidates, context, mask, outcomes):
    """`_observe` of sims[0], with arrays: i4 (K,), f4 (K, F), f4 (G,), i1 (K,), OUTCOME (1,)."""
    tables = table_of(shown), table_of(candidates), table_of(context), table_of(mask)
    return observe_at(address)(sims[0], choice, tables[0], tables[1], tables[2], tables[3], outcomes[0])


@kernel
def unsee(sims):
    """What passed before the first decision is paid with the first step."""
    unsee_one(sims[0])


@kernel
def unsee_one(sim):
    sim.seen_ns = 0
    sim.seen_service_ns = 0
    sim.seen_stall_weighted = 0
