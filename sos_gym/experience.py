"""Whole episodes as a learner needs them: what was seen, which rows were drawn, and what followed each.

A learned claim draws its rows by softmax inside the engine, at the speed at which `evaluate` plays it. Chance is a hash
of a seed and the number of the decision: copies of one tape differ in what they draw, and nothing else.
"""

import math
from dataclasses import dataclass

import numpy as np

from sos_gym.engine.chance import uniform
from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel
from sos_gym.learned import LearnedClaim, logits_of
from sos_gym.settings.ranges import number_in
from sos_gym.view.playing import DECISIONS, OVER, stretches, written_for
from sos_gym.view.step import BEGIN, step_at, tables_of

DRAWN_CHOICE = -1_000_004  # what is asked of chance where others ask for an entity or a quantile

TAKEN = np.dtype(  # a decision, and what followed it up to the next
    [
        ("row", "i4"),
        ("log_probability", "f8"),  # of the row, among the legal ones; 0 where the greatest logit is taken
        ("reward", "f8"),
        ("dt_ns", "i8"),
        ("work_ns", "i8"),  # service
        ("service_discount", "f8"),  # exp(-work_ns / discount_service_ns)
        ("weighted_stall_ns", "f8"),  # each thread's by weight / mean weight
    ]
)


@dataclass(frozen=True)
class Experience:
    """An episode of n decisions, each with K rows of F columns, G numbers of context, and A advisors."""

    candidates: np.ndarray  # f4 (n, K, F)
    context: np.ndarray  # f4 (n, G)
    mask: np.ndarray  # i1 (n, K)
    advised: np.ndarray  # i4 (n, A), rows
    taken: np.ndarray  # TAKEN (n,)

    def __len__(self) -> int:
        return len(self.taken)


def experience(simulation: Simulation, claim: LearnedClaim, temperature: float = 1.0, seed: int = 0) -> Experience:
    """Play an episode that was laid out for observations to its end, and keep it.

    Args:
        temperature: a row is drawn with probability ∝ exp(logit / temperature); 0: the greatest logit is taken, as
            `evaluate` does. Logits 1 and 0 at temperature 1: e / (e + 1) = .731.
        seed: of the draws, 0 to 2^63 - 1; the tape, its costs and which rows are shown follow from the episode's.

    Raises:
        SettingError: a temperature below 0.
        StuckError: the tape can go no further.
    """
    number_in("temperature", temperature, 0.0, whole=False, remedy="1 draws by the logits as they are")
    written = written_for(simulation)
    kept = tuple(np.empty((DECISIONS, *array.shape), array.dtype) for array in written[1:5])
    taken, count = np.zeros(DECISIONS, TAKEN), np.zeros(1, np.int64)
    given = claim.sizes, claim.weights, claim.pair_costs, float(temperature), int(seed)
    parts: list[list[np.ndarray]] = [[] for _ in (*kept, taken)]
    for _ in stretches(simulation, _choices, written, *given, *kept, taken, count):
        for part, array in zip(parts, (*kept, taken), strict=True):
            part.append(array[: count[0]].copy())
    candidates, context, mask, advised, taken = map(np.concatenate, parts)
    return Experience(candidates, context, mask, advised, taken)


@kernel
def _choices(
    row,
    address,
    sims,
    discounts,
    shown,
    candidates,
    context,
    mask,
    advised,
    steps,
    sizes,
    weights,
    pair_costs,
    temperature,
    seed,
    kept_candidates,
    kept_context,
    kept_mask,
    kept_advised,
    taken,
    count,
):
    """Keep drawn decisions while `taken` has room, and put into `count` how many; OVER, or a row that is drawn anew."""
    sim, step = sims[0], steps[0]
    seen = tables_of(shown, candidates, context, mask, advised)
    count[0] = 0
    if row == BEGIN:
        step_at(address)(sim, BEGIN, discounts, seen[0], seen[1], seen[2], seen[3], seen[4], step)
    while step.open and count[0] < taken.size:
        n = count[0]
        kept_candidates[n], kept_context[n], kept_mask[n], kept_advised[n] = candidates, context, mask, advised
        chance = uniform(seed, step.number, DRAWN_CHOICE)
        row, log_probability = drawn_row(candidates, context, mask, sizes, weights, pair_costs, temperature, chance)
        step_at(address)(sim, row, discounts, seen[0], seen[1], seen[2], seen[3], seen[4], step)
        _keep(taken[n], row, log_probability, step)
        count[0] += 1
    return row if step.open else OVER


@kernel
def _keep(taken, row, log_probability, step):
    taken.row, taken.log_probability, taken.reward = row, log_probability, step.reward
    taken.dt_ns, taken.work_ns, taken.service_discount = step.dt_ns, step.work_ns, step.service_discount
    taken.weighted_stall_ns = step.weighted_stall_ns


@kernel
def drawn_row(candidates, context, mask, sizes, weights, pair_costs, temperature, chance):
    """A legal row by softmax, where `chance` of all probability lies before it or in it; and its log probability."""
    exact, greatest = np.empty(mask.size, np.float32), -1
    logits_of(candidates, context, sizes, weights, pair_costs, exact)
    logits = exact.astype(np.float64)
    for i in range(mask.size):
        if mask[i] and (greatest < 0 or logits[i] > logits[greatest]):
            greatest = i
    if temperature == 0.0:
        return greatest, 0.0
    whole, top = 0.0, logits[greatest]
    for i in range(mask.size):
        if mask[i]:
            logits[i] = (logits[i] - top) / temperature
            whole += math.exp(logits[i])
    row, before = greatest, chance * whole
    for i in range(mask.size):
        if mask[i]:
            before -= math.exp(logits[i])
            if before < 0.0:
                row = i
                break
    return row, logits[row] - math.log(whole)
