"""What an agent sees of a decision: the columns of its candidates, a context, a mask."""

import math

import numba as nb
import numpy as np

from sos_gym.engine.blocked import blocked_behind
from sos_gym.engine.cores import move_cost
from sos_gym.engine.decisions import slot_of
from sos_gym.engine.records import RECENT
from sos_gym.engine.sight import look_at_rows
from sos_gym.kernel import bit_count, kernel, on_stack, part_of, view_as
from sos_gym.resource import NONE, Kind, Resource, Status
from sos_gym.view.candidates import payoff_ns, select
from sos_gym.view.closing import pose
from sos_gym.view.columns import CANDIDATE_COLUMNS, CANDIDATE_RECORD, COLUMNS, CONTEXT_COLUMNS, LN2, Column

F = len(COLUMNS)

# -- logarithms, of all columns at once

SQRT_HALF_BITS = int(np.float32(math.sqrt(0.5)).view(np.int32))
ATANH = tuple(float(np.float32(2.0 / LN2 / n)) for n in (1, 3, 5, 7))  # log2(m) = 2/ln 2 * atanh((m - 1) / (m + 1))


def _of_scales(columns: tuple[Column, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per column: what an empty row holds (1 where a logarithm is taken), scale and bound."""
    scales = np.array([column.scale.per_octave for column in columns], np.float32)
    bounds = np.array([column.scale.bound for column in columns], np.float32)
    return (scales != 0).astype(np.float32), scales, bounds


EMPTY_ROW, ROW_SCALES, ROW_BOUNDS = _of_scales(CANDIDATE_COLUMNS)
EMPTY_CONTEXT, CONTEXT_SCALES, CONTEXT_BOUNDS = _of_scales(CONTEXT_COLUMNS)


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
def _timed(ns, per_tau):
    """For RLOG."""
    return (ns + 1000.0) * per_tau


@kernel
def _counted(n):
    """For CLOG."""
    return 1.0 + n


@kernel
def _priced(ns):
    """For COST."""
    return 1.0 + ns / 1000.0


@kernel
def _describe_entity(sim, decision, e, per_tau, row):
    entity, now = sim.sighted[e], sim.now
    holds = entity.slot != NONE
    row.holder = holds
    row.raised_this = e == decision.entity
    row.weight = entity.weight / sim.instances[decision.resource].mean_weight
    row.same_owner = decision.entity != NONE and entity.owner == sim.entities[decision.entity].owner
    if entity.uses_total > 0:
        row.since_use = _timed(now - entity.last_use, per_tau)
    if holds:
        row.held = _timed(now - (entity.move_ns if entity.moved else entity.hold_ns), per_tau)
    else:
        row.waited = _timed(now - entity.want_ns, per_tau)
    if entity.gaps > 0:
        row.last_gap = _timed(entity.last_gap, per_tau)
    if entity.gaps > 1:
        row.prev_gap = _timed(entity.prev_gap, per_tau)
    row.gap_known = entity.gaps / 2.0
    row.payoff = _timed(payoff_ns(sim, e), per_tau)
    row.uses = _counted(entity.uses)
    row.uses_total = _counted(entity.uses_total)
    row.returned = entity.returned
    _describe_owner(sim, decision.resource, entity.owner, row)
    _describe_blocked(sim, e if decision.resource == Resource.CPU else entity.last_user, entity.weight, row)


@kernel
def _describe_blocked(sim, t, weight, row):
    """Who waits for the locks of thread `t`, which may be NONE."""
    if t == NONE or sim.threads[t].held == NONE:
        return
    weightiest, waiters = blocked_behind(sim, t)
    row.boost = max(weight, weightiest) / weight
    row.lock_waiters = _counted(waiters)


@kernel
def _describe_owner(sim, resource, o, row):
    instance, half = sim.instances[resource], sim.owners.size // 2
    owner, account = sim.owners[resource * half + o], sim.owners[half + o]
    if instance.holding > 0 and instance.active_weight > 0:
        entitled = owner.weight / instance.active_weight
        share = max(owner.holding, 0.5) / instance.holding
        row.owner_share = share / entitled
    if account.stall_ns + account.work_ns > 0:
        row.owner_stall = account.stall_ns / (account.stall_ns + account.work_ns)


@kernel
def _pair(sim, decision, e):
    """The entity and the slot that the choice would join."""
    if decision.kind == Kind.ADMIT:
        return e, decision.slot
    return decision.entity, slot_of(sim, e)


@kernel
def _describe_pair(sim, decision, e, row):
    joined, slot = _pair(sim, decision, e)
    if joined < 0 or slot == NONE or sim.entities[joined].slot == slot:
        return
    entity, node = sim.sighted[joined], sim.slots[slot].node
    near = entity.home == node
    row.distance = not near
    cost = 0
    if decision.resource == Resource.CPU:
        cost = sim.switch_ns if sim.slots[slot].last != joined else 0
        if entity.touched and entity.last_slot != slot:
            cost += move_cost(sim, joined, near)
    elif entity.slot != NONE:
        cost = sim.page_move_ns + sim.shootdown_ns
    elif not near:
        cost = RECENT * 64 * sim.remote_excess_ns  # what some more uses of the page will cost there
    row.bind_cost = _priced(cost)


@kernel
def _describe_thread(sim, t, per_tau, row):
    entity = sim.entities[t]
    row.attained = _timed(entity.attained, per_tau)
    row.leave_cost = _priced(sim.switch_ns + (move_cost(sim, t, True) if entity.slot != NONE else 0))
    known, resident = 0, 0
    for i in range(t * RECENT, (t + 1) * RECENT):
        if sim.recent[i] != NONE:
            known += 1
            resident += sim.entities[sim.recent[i]].slot != NONE
    if known > 0:
        row.resident_share = resident / known
        row.expected_refaults = _counted(known - resident)


@kernel
def _describe_page(sim, e, running, waiting, row):
    page, users = sim.entities[e], sim.users[e]
    row.leave_cost = _priced(sim.shootdown_ns + (sim.write_back_ns if page.dirty else 0))
    row.users_running = _counted(bit_count(users & running))
    row.users_waiting = _counted(bit_count(users & waiting))


@kernel
def _masks_of_threads(sim):
    """Bit t mod 64: thread t runs; it waits, for a core or a page."""
    running, waiting = np.uint64(0), np.uint64(0)
    for t in range(sim.threads_count):
        status, bit = sim.threads[t].status, np.uint64(1) << np.uint64(t & 63)
        if status == Status.RUNNING:
            running |= bit
        elif status == Status.CPU_WAIT or status == Status.FAULTING:
            waiting |= bit
    return running, waiting


@kernel
def _describe_context(sim, decision, shown, context):
    instance = sim.instances[decision.resource]
    context.evict, context.admit = decision.kind == Kind.EVICT, decision.kind == Kind.ADMIT
    context.cpu, context.memory = decision.resource == Resource.CPU, decision.resource == Resource.MEMORY
    context.log_tau = max(1.0, instance.tau_ns) / 1e6
    context.slots = _counted(instance.size)
    context.contenders = _counted(decision.count)
    context.shown = shown / decision.count if decision.count else 1.0
    context.psi_some, context.psi_full = sim.psi_some, sim.psi_full
    context.free = 1.0 - instance.holding / max(1, instance.size)
    cores = sim.instances[Resource.CPU].size
    context.utilisation = min(1.0, sim.running / (cores if cores else sim.threads_count))
    backlog = 0.0
    for lane in range(sim.lanes.size):
        backlog += max(0, sim.lanes[lane] - sim.now)
    context.device_queue = _counted(backlog / max(1, sim.swap_in_ns))
    context.return_rate = instance.return_rate


@kernel
def _describe_raiser(sim, decision, per_tau, context):
    """Of who raised the decision, in words of a row."""
    if decision.entity == NONE:
        return
    numbers = on_stack(nb.float32, F)
    _fill(numbers, EMPTY_ROW)
    row = view_as(numbers, CANDIDATE_RECORD)[0]
    _describe_entity(sim, decision, decision.entity, per_tau, row)
    context.raiser_weight, context.raiser_returned = row.weight, row.returned
    context.raiser_since_use, context.raiser_last_gap = row.since_use, row.last_gap
    context.raiser_uses_total = row.uses_total
    context.raiser_owner_share, context.raiser_owner_stall = row.owner_share, row.owner_stall


@kernel
def _fill(numbers, given):
    for k in range(np.uint64(given.size)):
        numbers[k] = given[k]


@kernel
def _describe_row(sim, decision, e, per_tau, running, waiting, row):
    row.valid = 1.0
    if e < 0:
        row.vacant = 1.0
    else:
        _describe_entity(sim, decision, e, per_tau, row)
        if decision.resource == Resource.CPU:
            _describe_thread(sim, e, per_tau, row)
        else:
            _describe_page(sim, e, running, waiting, row)
    _describe_pair(sim, decision, e, row)


@kernel
def describe(sim, decision, shown, rows, candidates, contexts, mask):
    """Write the columns of `rows` candidates, the context and the mask; tables of K records, of one, and of K."""
    numbers = view_as(candidates, np.float32)
    for k in range(rows * F, numbers.size):
        numbers[k] = 0.0
    for i in range(mask.size):
        mask[i] = i < rows
    per_tau = 1.0 / sim.instances[decision.resource].tau_ns
    running, waiting = np.uint64(0), np.uint64(0)
    if decision.resource == Resource.MEMORY:
        running, waiting = _masks_of_threads(sim)
    for i in range(rows):
        own = part_of(numbers, i * F, F)
        _fill(own, EMPTY_ROW)
        _describe_row(sim, decision, shown[i], per_tau, running, waiting, candidates[i])
        _take_logs(own, ROW_SCALES, ROW_BOUNDS)
    numbers = view_as(contexts, np.float32)
    _fill(numbers, EMPTY_CONTEXT)
    _describe_context(sim, decision, rows, contexts[0])
    _describe_raiser(sim, decision, per_tau, contexts[0])
    _take_logs(numbers, CONTEXT_SCALES, CONTEXT_BOUNDS)


@kernel
def observe(sim, shown, candidates, contexts, mask):
    """Choose the rows of the open decision and describe them; how many they are.

    At a truncation that is the last one, posed anew (`closing.py`). Where there is nobody to show, one empty row is
    legal, so that no mask is ever all zero.
    """
    decision = sim.decision[0]
    if not sim.undecided:
        pose(sim, decision)
    rows = select(sim, decision, shown)
    if sim.undecided:
        look_at_rows(sim, shown, rows)
    describe(sim, decision, shown, rows, candidates, contexts, mask)
    if rows == 0:
        mask[0] = 1
    return rows
