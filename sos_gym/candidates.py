"""Which contenders an agent sees: K candidates, one per row.

The wanting or holding entity, the vacancies, the extremes of last use, payoff and uses, then one seeded draw from each
quantile of recency (EVICT) or waiting time (ADMIT), the most recent included; advisors' choices replace the last draws.
Ordered by slot, then entity: never by rank. The draws are a hash of (seed, decision, quantile), so they do not depend
on who else is asked.
"""

import numpy as np

from .engine.chance import uniform
from .engine.decisions import slot_of
from .kernel import kernel
from .resource import NONE, Kind, Resource

PADDING = np.iinfo(np.int32).min  # in `shown`: a row without a candidate
SAMPLE = 64  # or K if that is more: above so many contenders, extremes and quantiles come from a seeded sample
EVICT, ADMIT = int(Kind.EVICT), int(Kind.ADMIT)
CPU = int(Resource.CPU)


@kernel
def _comes_before(sim, a, b):
    first, second = slot_of(sim, a), slot_of(sim, b)
    return first < second or (first == second and a < b)


@kernel
def _is_shown(shown, rows, e):
    for i in range(rows):
        if shown[i] == e:
            return True
    return False


@kernel
def _show(shown, rows, room, e):
    """Add `e` unless it is there or the room is full; the new number of rows."""
    if rows < room and not _is_shown(shown, rows, e):
        shown[rows] = e
        rows += 1
    return rows


@kernel
def payoff_ns(sim, e):
    """Page: max(last gap, age); thread: max(estimated burst - attained, attained / 2)."""
    entity = sim.entities[e]
    if e >= sim.threads_count:
        return float(max(entity.last_gap, sim.now - entity.last_use))
    estimate = sim.instances[CPU].tau_ns
    if entity.gaps == 1:
        estimate = float(entity.last_gap)
    elif entity.gaps == 2:
        estimate = (entity.last_gap + entity.prev_gap) / 2
    return max(estimate - entity.attained, entity.attained / 2)


@kernel
def _measure(sim, e, which):
    entity = sim.entities[e]
    if which == 0:
        return float(entity.use_seq)
    return payoff_ns(sim, e) if which == 1 else float(entity.uses)


@kernel
def _show_extreme(sim, decision, which, sign, sample, size, shown, rows, room):
    """The one of the sample that is not shown yet with the least or most of a measure; ties by seed."""
    best, best_value, best_tie = PADDING, 0.0, 0.0
    for i in range(size):
        e = sample[i]
        value = sign * _measure(sim, e, which)
        if (best != PADDING and value < best_value) or _is_shown(shown, rows, e):
            continue
        tie = uniform(sim.rows_seed, decision.number, e)
        if best == PADDING or value > best_value or tie > best_tie:
            best, best_value, best_tie = e, value, tie
    return rows if best == PADDING else _show(shown, rows, room, best)


@kernel
def _show_extremes(sim, decision, sample, size, shown, rows, room):
    """The extremes of last use, payoff and uses that the decision may want: in EVICT who can spare its slot."""
    spare = decision.kind == EVICT
    for which in range(3):
        sign = 1.0 if spare == (which == 1) else -1.0  # a long payoff, an old use and few uses spare it
        rows = _show_extreme(sim, decision, which, sign, sample, size, shown, rows, room)
    return rows


@kernel
def _recency(sim, decision, e):
    return sim.entities[e].use_seq if decision.kind == EVICT else -sim.entities[e].want_seq


@kernel
def _sort_by_recency(sim, decision, sample, size):
    for i in range(1, size):
        e, at = sample[i], i
        while at > 0 and _recency(sim, decision, sample[at - 1]) > _recency(sim, decision, e):
            sample[at] = sample[at - 1]
            at -= 1
        sample[at] = e


@kernel
def _show_quantiles(sim, decision, sample, size, shown, rows, room):
    """One seeded draw from each quantile, the most recent first of all."""
    if size == 0:
        return rows
    rows = _show(shown, rows, room, sample[size - 1])
    quantiles = room - rows
    for q in range(quantiles):
        low, high = q * size // quantiles, (q + 1) * size // quantiles
        width = max(1, high - low)
        start = int(uniform(sim.rows_seed, decision.number, -1 - q) * width)
        for step in range(width):
            e = sample[min(size - 1, low + (start + step) % width)]
            if not _is_shown(shown, rows, e):
                rows = _show(shown, rows, room, e)
                break
    for i in range(size):  # quantiles that were shown already leave room
        rows = _show(shown, rows, room, sample[i])
    return rows


@kernel
def _draw_sample(sim, decision, sample):
    """The contenders that are entities: all, or SAMPLE of them, one per stretch of the list."""
    entities = 0
    for i in range(decision.count):
        entities += sim.contenders[i] >= 0
    size = min(entities, sample.size)
    seen, taken = 0, 0
    for i in range(decision.count):
        e = sim.contenders[i]
        if e < 0:
            continue
        low, high = taken * entities // max(1, size), (taken + 1) * entities // max(1, size)
        if taken < size and seen >= low:
            offset = int(uniform(sim.rows_seed, decision.number, 1_000_003 + taken) * (high - low))
            if entities <= sample.size or seen == low + offset:
                sample[taken] = e
                taken += 1
        seen += 1
    return taken


@kernel
def select(sim, decision, shown):
    """Fill `shown` with the candidates of the decision, in the order of rows; returns how many."""
    sample = np.empty(max(SAMPLE, shown.size), np.int32)
    rows, room = 0, shown.size
    shown[:] = PADDING
    if decision.count <= room:
        for i in range(decision.count):
            rows = _show(shown, rows, room, sim.contenders[i])
    else:
        room_of_rest = room - sim.hosted
        if decision.kind == ADMIT and decision.entity != NONE:
            rows = _show(shown, rows, room_of_rest, decision.entity)
        elif decision.may_wait:
            rows = _show(shown, rows, room_of_rest, decision.entity)
        for i in range(decision.count):
            if sim.contenders[i] < 0:
                rows = _show(shown, rows, room_of_rest, sim.contenders[i])
        size = _draw_sample(sim, decision, sample)
        rows = _show_extremes(sim, decision, sample, size, shown, rows, room_of_rest)
        _sort_by_recency(sim, decision, sample, size)
        certain = rows
        rows = _show_quantiles(sim, decision, sample, size, shown, rows, room)
        rows = _show_advice(sim, shown, certain, rows)
    _order(sim, shown, rows)
    return rows


@kernel
def _show_advice(sim, shown, certain, rows):
    """Advisors' choices replace the last draws."""
    free = rows - 1
    for k in range(sim.hosted):
        choice = sim.advice[k]
        if _is_shown(shown, rows, choice):
            continue
        while free >= certain and _is_advice(sim, shown[free]):
            free -= 1
        shown[free] = choice
        free -= 1
    return rows


@kernel
def _is_advice(sim, e):
    for k in range(sim.hosted):
        if sim.advice[k] == e:
            return True
    return False


@kernel
def _order(sim, shown, rows):
    for i in range(1, rows):
        e, at = shown[i], i
        while at > 0 and _comes_before(sim, e, shown[at - 1]):
            shown[at] = shown[at - 1]
            at -= 1
        shown[at] = e
