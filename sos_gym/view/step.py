"""One step: apply a choice, run to the next decision, and say what an agent may know of it.

One compiled function, which single environments, batches and learned claims call by its address.
"""

from functools import cache

import numpy as np
from numba import from_dtype, types

from sos_gym.engine.account import charge
from sos_gym.engine.chance import uniform
from sos_gym.engine.decisions import apply
from sos_gym.engine.loop import ENDLESS, run
from sos_gym.engine.records import SIM
from sos_gym.kernel import Table, address_of, function_at, kernel, table_of, view_as
from sos_gym.resource import NONE
from sos_gym.settings.environment import Settings
from sos_gym.view.columns import CANDIDATE_RECORD, CONTEXT_RECORD
from sos_gym.view.observation import observe
from sos_gym.view.reward import foresight, postpone, settle

BEGIN = -1  # in place of a row: the episode has just been laid out
CHANCE = -2  # in place of a row: a legal one, drawn uniformly
DRAWN_ROW = -1_000_003  # what is asked of chance where others ask for an entity or a quantile

STEP = np.dtype(  # what a step leaves behind
    [
        ("reward", "f8"),
        ("dt_ns", "i8"),  # since the last decision
        ("work_ns", "i8"),  # service
        ("weighted_stall_ns", "f8"),  # each thread's by weight / mean weight
        ("discount", "f8"),  # exp(-dt / discount_ns)
        ("service_discount", "f8"),  # exp(-work_ns / discount_service_ns)
        # -- the open decision, else the last one
        ("number", "i8"),
        ("now_ns", "i8"),
        ("kind", "i4"),  # Kind
        ("cause", "i4"),  # Why
        ("resource", "i4"),  # Resource
        ("count", "i4"),  # of its contenders
        ("rows", "i4"),  # that are shown
        ("fallback_row", "i4"),  # taken in place of a masked-out one, else NONE
        # --
        ("open", "?"),  # there is a decision to make
        ("terminated", "?"),
        ("truncated", "?"),
        ("over", "?"),  # one of the two
        ("stuck", "?"),  # nothing can go on
    ]
)

DISCOUNTS = np.dtype([("discount_ns", "f8"), ("discount_service_ns", "f8")])  # the settings of these names


def discounts_of(settings: Settings) -> np.void:  # DISCOUNTS
    """After how much time, and after how much service, what is paid counts for 1/e."""
    return np.array([tuple(getattr(settings, name) for name in DISCOUNTS.names or ())], DISCOUNTS)[0]


@kernel
def taken_row(sim, mask, action):
    """`action` where the mask allows it, else a legal row, drawn uniformly: by the seed and the decision's number."""
    if action >= 0 and mask[action]:
        return action
    legal = 0
    for row in range(mask.size):
        legal += mask[row]
    before = int(uniform(sim.rows_seed, sim.decision[0].number, DRAWN_ROW) * legal)
    for row in range(mask.size):
        before -= mask[row]
        if before < 0:
            return row
    return 0


@kernel
def row_of(sims, mask, action):
    """The row that the next step of sims[0] will take for an action: int8 (K,)."""
    return taken_row(sims[0], mask, action)


@kernel
def _carry_out(sim, action, shown, mask, step):
    """Apply the action; what `foresight` says of it."""
    row = taken_row(sim, mask, action)
    if not sim.undecided:
        return 0.0
    if row != action and action != CHANCE:
        step.fallback_row = row
        sim.masked_out += 1
    choice = shown[row]
    foreseen = foresight(sim, choice)
    apply(sim, choice)
    return foreseen


@kernel
def _tell(sim, shown, advised, step):
    """How the episode stands, and which row each advisor would choose."""
    decision = sim.decision[0]
    step.number, step.now_ns, step.count = decision.number, decision.now, decision.count
    step.kind, step.cause, step.resource = decision.kind, decision.cause, decision.resource
    step.open = sim.undecided != 0
    step.terminated, step.truncated, step.stuck = sim.finished != 0, sim.truncated != 0, sim.stuck != 0
    step.over = step.terminated or step.truncated
    for k in range(advised.size):
        advised[k] = 0  # the one legal row, when no decision is open
        for row in range(step.rows):
            if step.open and shown[row] == sim.advice[k]:
                advised[k] = row


@kernel
def _step(sim, action, discounts, shown, candidates, context, mask, advised, step):
    """Take a row of those `shown`, BEGIN or CHANCE; then all tables and the record tell of the next decision."""
    foreseen = 0.0
    step.fallback_row = NONE
    if action != BEGIN:
        foreseen = _carry_out(sim, action, shown, mask, step)
    sim.patience = ENDLESS
    run(sim)
    for t in range(sim.threads_count):
        charge(sim, t)
    settle(sim, step, foreseen)
    if action == BEGIN:
        postpone(sim, step)
    step.rows = observe(sim, shown, candidates, context, mask)
    step.discount = np.exp(-step.dt_ns / discounts.discount_ns)
    step.service_discount = np.exp(-step.work_ns / discounts.discount_service_ns)
    _tell(sim, shown, advised, step)


_SIGNATURE = types.void(
    from_dtype(SIM),
    types.int64,
    from_dtype(DISCOUNTS),
    Table(types.int32),  # shown (K,)
    Table(from_dtype(CANDIDATE_RECORD)),  # (K,)
    Table(from_dtype(CONTEXT_RECORD)),  # (1,)
    Table(types.int8),  # mask (K,)
    Table(types.int32),  # advised (advisors,)
    from_dtype(STEP),
)
step_at = function_at(_SIGNATURE)


@cache
def step_address() -> int:
    """For kernels that call `step_at(address)(...)`: linked into each, the engine would be compiled for each."""
    return address_of(_step, _SIGNATURE)


@kernel
def tables_of(shown, candidates, context, mask, advised):
    """Arrays as a step takes them: i4 (K,), f4 (K, F), f4 (G,), i1 (K,), i4 (advisors,)."""
    rows, situation = view_as(table_of(candidates), CANDIDATE_RECORD), view_as(table_of(context), CONTEXT_RECORD)
    return table_of(shown), rows, situation, table_of(mask), table_of(advised)


@kernel
def take(address, sims, action, discounts, shown, candidates, context, mask, advised, steps):
    """The step of sims[0]: a row, BEGIN or CHANCE; arrays as `tables_of` takes them, and steps STEP (1,)."""
    seen = tables_of(shown, candidates, context, mask, advised)
    step_at(address)(sims[0], action, discounts, seen[0], seen[1], seen[2], seen[3], seen[4], steps[0])
