"""Which contenders an agent sees: K candidates, one per row.

The wanting or holding entity, the vacancies, the extremes of last use, payoff and uses, then one seeded draw from each
quantile of recency (EVICT) or waiting time (ADMIT), the most recent included; advisors' choices replace the last draws.
Ordered by slot, then entity: never by rank. The draws are a hash of (seed, decision, quantile), so they do not depend
on who else is asked.
"""

import numba as nb
import numpy as np

from sos_gym.engine.chance import uniform
from sos_gym.engine.decisions import slot_of
from sos_gym.kernel import kernel, on_stack
from sos_gym.resource import NONE, Kind, Resource
from sos_gym.settings.environment import MOST_ROWS

PADDING = np.iinfo(np.int32).min  # in `shown`: a row without a candidate
SAMPLE = 64  # or K if that is more: above so many contenders, extremes and quantiles come from a seeded sample


# -- a few numbers in order


@kernel
def _ranks(keys, size, ranks):
    """The place of each of `size` keys among them; equal ones keep their order.

    Every pair is compared, without a branch, eight keys at a time (which takes unsigned indices): for so few faster
    than to sort them.
    """
    for i in range(np.uint64(size)):
        key, before = keys[i], np.int64(0)
        for j in range(i):
            before += keys[j] <= key
        for j in range(i + np.uint64(1), np.uint64(size)):
            before += keys[j] < key
        ranks[i] = before


# -- which contenders


@kernel
def payoff_ns(sim, e):
    """Page: max(last gap, age); thread: max(estimated burst - attained, attained / 2)."""
    entity = sim.sighted[e]
    if e >= sim.threads_count:
        return float(max(entity.last_gap, sim.now - entity.last_use))
    estimate = sim.instances[Resource.CPU].tau_ns
    if entity.gaps == 1:
        estimate = float(entity.last_gap)
    elif entity.gaps == 2:
        estimate = (entity.last_gap + entity.prev_gap) / 2
    return max(estimate - entity.attained, entity.attained / 2)


@kernel
def _measure(sim, decision, sample, size, last_use, payoff, uses, recency):
    """How much each of the sample has of last use, payoff and uses; who has most is worth showing. And its recency.

    EVICT shows who can spare its slot, ADMIT who needs one; a long payoff, an old use and few uses spare it.
    """
    sign = 1.0 if decision.kind == Kind.EVICT else -1.0
    for i in range(size):
        entity = sim.sighted[sample[i]]
        last_use[i] = -sign * entity.use_seq
        payoff[i] = sign * payoff_ns(sim, sample[i])
        uses[i] = -sign * entity.uses
        recency[i] = float(entity.use_seq if decision.kind == Kind.EVICT else -entity.want_seq)


@kernel
def _extreme(sim, decision, values, sample, size, is_shown):
    """The one of the sample that is not shown yet with most of a measure, ties by seed; NONE if all are shown."""
    best, best_value = NONE, 0.0
    for i in range(size):
        if is_shown[i]:
            continue
        value = values[i]
        if best == NONE or value > best_value or (value == best_value and _wins_tie(sim, decision, sample, i, best)):
            best, best_value = i, value
    return best


@kernel
def _wins_tie(sim, decision, sample, a, b):
    seed, number = sim.rows_seed, decision.number
    return uniform(seed, number, sample[a]) > uniform(seed, number, sample[b])


@kernel
def _sort(keys, size, places):
    """places[r]: where the r-th of the keys stands, the least one first."""
    ranks = on_stack(nb.int32, MOST_ROWS)
    _ranks(keys, size, ranks)
    for i in range(size):
        places[ranks[i]] = i


@kernel
def _show(sample, i, is_shown, shown, rows):
    """Add the i-th of the sample; the new number of rows."""
    shown[rows], is_shown[i] = sample[i], 1
    return rows + 1


@kernel
def _show_quantiles(sim, decision, recency, sample, size, is_shown, shown, rows):
    """One seeded draw from each quantile of recency, the most recent first of all."""
    by_recency = on_stack(nb.int32, MOST_ROWS)
    _sort(recency, size, by_recency)
    if rows < shown.size and not is_shown[by_recency[size - 1]]:
        rows = _show(sample, by_recency[size - 1], is_shown, shown, rows)
    quantiles = shown.size - rows
    for q in range(quantiles):
        low, high = q * size // quantiles, (q + 1) * size // quantiles
        width = max(1, high - low)
        start = int(uniform(sim.rows_seed, decision.number, -1 - q) * width)
        for step in range(width):
            i = by_recency[min(size - 1, low + (start + step) % width)]
            if not is_shown[i]:
                rows = _show(sample, i, is_shown, shown, rows)
                break
    for r in range(size):  # quantiles that were shown already leave room
        if rows < shown.size and not is_shown[by_recency[r]]:
            rows = _show(sample, by_recency[r], is_shown, shown, rows)
    return rows


@kernel
def _draw_sample(sim, decision, sample, room):
    """The contenders that are entities: all, or `room` of them, one per stretch of the list."""
    entities = 0
    for i in range(decision.count):
        entities += sim.contenders[i] >= 0
    size, seen, taken = min(entities, room), 0, 0
    drawn = 0 if entities <= room else _draw_of_stretch(sim, decision, 0, entities, size)
    for i in range(decision.count):
        if sim.contenders[i] < 0:
            continue
        if entities <= room or seen == drawn:
            sample[taken] = sim.contenders[i]
            taken += 1
            if taken == size:
                break
            if entities > room:
                drawn = _draw_of_stretch(sim, decision, taken, entities, size)
        seen += 1
    return taken


@kernel
def _draw_of_stretch(sim, decision, stretch, entities, stretches):
    low, high = stretch * entities // stretches, (stretch + 1) * entities // stretches
    return low + int(uniform(sim.rows_seed, decision.number, 1_000_003 + stretch) * (high - low))


@kernel
def _show_some(sim, decision, shown):
    """Fill all rows from more contenders than there are rows."""
    sample, is_shown = on_stack(nb.int32, MOST_ROWS), on_stack(nb.uint8, MOST_ROWS)
    size, rows = _draw_sample(sim, decision, sample, max(SAMPLE, shown.size)), 0
    room = shown.size - sim.advisors
    asks = decision.entity if decision.kind == Kind.ADMIT or decision.may_wait else NONE
    if asks != NONE:
        shown[0], rows = asks, 1
    for i in range(size):
        is_shown[i] = sample[i] == asks
    for i in range(decision.count):
        if sim.contenders[i] < 0 and rows < room:
            shown[rows], rows = sim.contenders[i], rows + 1
    last_use, payoff = on_stack(nb.float64, MOST_ROWS), on_stack(nb.float64, MOST_ROWS)
    uses, recency = on_stack(nb.float64, MOST_ROWS), on_stack(nb.float64, MOST_ROWS)
    _measure(sim, decision, sample, size, last_use, payoff, uses, recency)
    for measure in (last_use, payoff, uses):
        i = _extreme(sim, decision, measure, sample, size, is_shown)
        if i != NONE and rows < room:
            rows = _show(sample, i, is_shown, shown, rows)
    certain = rows
    if size > 0:
        rows = _show_quantiles(sim, decision, recency, sample, size, is_shown, shown, rows)
    return _show_advice(sim, shown, certain, rows) if sim.undecided else rows


@kernel
def select(sim, decision, shown):
    """Fill `shown` with the candidates of the decision, in the order of rows; returns how many."""
    for i in range(shown.size):
        shown[i] = PADDING
    rows = decision.count
    if rows <= shown.size:
        for i in range(rows):
            shown[i] = sim.contenders[i]
    else:
        rows = _show_some(sim, decision, shown)
    _order(sim, shown, rows)
    return rows


@kernel
def _show_advice(sim, shown, certain, rows):
    """Advisors' choices replace the last draws."""
    free = rows - 1
    for k in range(sim.advisors):
        choice = sim.advice[k]
        if _is_among(shown, rows, choice):
            continue
        while free >= certain and _is_among(sim.advice, sim.advisors, shown[free]):
            free -= 1
        shown[free] = choice
        free -= 1
    return rows


@kernel
def _is_among(entities, count, e):
    for i in range(count):
        if entities[i] == e:
            return True
    return False


@kernel
def _order(sim, shown, rows):
    """By slot, then entity."""
    keys, ranks = on_stack(nb.int64, MOST_ROWS), on_stack(nb.int32, MOST_ROWS)
    given = on_stack(nb.int32, MOST_ROWS)
    for i in range(rows):
        given[i] = shown[i]
        keys[i] = (np.int64(slot_of(sim, given[i])) << 32) + given[i]
    _ranks(keys, rows, ranks)
    for i in range(rows):
        shown[ranks[i]] = given[i]
