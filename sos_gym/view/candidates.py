"""Which contenders an agent sees: K candidates, one per row.

The wanting or holding entity, the vacancies, the extremes of last use, payoff and uses, then one seeded draw from each
quantile of recency (EVICT) or waiting time (ADMIT), the most recent included; advisors' choices replace the last draws.
Ordered by slot, then entity: never by rank. The draws are a hash of (seed, decision, quantile), so they do not depend
on who else is asked.

Above SAMPLE contenders, a sample of as many stands for all. It is drawn by place, those rejected who do not contend
or were drawn before, so that nobody has to list all holders: EVICT draws slots, ADMIT places in the waiting set.
"""

import numba as nb
import numpy as np

from sos_gym.engine.chance import uniform
from sos_gym.engine.decisions import slot_of, slots_in_question, vacancies_for
from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import inlined, kernel, on_stack
from sos_gym.resource import NONE, Kind, Resource
from sos_gym.settings.environment import MOST_NODES, MOST_ROWS

PADDING = np.iinfo(np.int32).min  # in `shown`: a row without a candidate
SAMPLE = 64  # or K if that is more: above so many contenders, extremes and quantiles come from a seeded sample
DRAWS = 16  # per one of the sample, before whoever comes next is taken
DRAWN_PLACE = 1_000_003  # what is asked of chance where others ask for an entity or a quantile


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


# -- above SAMPLE contenders, a sample of them, found without looking at all


@inlined
def _stand_in_slots(sim, decision):
    """Whether contenders are found slot by slot. Who waits, and who is shown at a cut, stands in the list."""
    return decision.kind == Kind.EVICT and sim.undecided


@kernel
def _places(sim, decision):
    """Where contenders are drawn from: the first place, and how many."""
    if _stand_in_slots(sim, decision):
        return slots_in_question(sim, decision)
    return 0, decision.count


@kernel
def _contender_at(sim, decision, place):
    """Who contends there, or NONE: nobody, one who may not go, a vacancy, or who raised it and is shown anyway."""
    if _stand_in_slots(sim, decision):
        e = sim.slots[place].holder
        return e if e != NONE and legal_holder(sim, decision, e) else NONE
    e = sim.contenders[place]
    return NONE if e == decision.entity or e < 0 else e


@kernel
def _take(sim, decision, place, sample, taken):
    """Add who contends at the place, if it is somebody new; the new size of the sample."""
    e = _contender_at(sim, decision, place)
    if e == NONE or _is_among(sample, taken, e):
        return taken
    sample[taken] = e
    return taken + 1


@kernel
def _draw_sample(sim, decision, sample, room):
    """Seeded draws of places until `room` contenders are found; if that takes long, whoever comes next."""
    first, size = _places(sim, decision)
    taken, place = 0, first
    for draw in range(DRAWS * room):
        place = first + int(uniform(sim.rows_seed, decision.number, DRAWN_PLACE + draw) * size)
        taken = _take(sim, decision, place, sample, taken)
        if taken == room:
            return taken
    while taken < room:  # few of the places have one who contends
        place = first + (place - first + 1) % size
        taken = _take(sim, decision, place, sample, taken)
    return taken


@kernel
def _vacancies(sim, decision, found):
    if _stand_in_slots(sim, decision):
        return vacancies_for(sim, decision, found)
    count = 0
    for i in range(decision.count):
        if sim.contenders[i] < 0:
            found[count] = sim.contenders[i]
            count += 1
    return count


@kernel
def _all_entities(sim, decision, sample):
    size = 0
    for i in range(decision.count):
        if sim.contenders[i] >= 0:
            sample[size] = sim.contenders[i]
            size += 1
    return size


@kernel
def _show_some(sim, decision, shown):
    """Fill all rows from more contenders than there are rows."""
    sample, is_shown = on_stack(nb.int32, MOST_ROWS), on_stack(nb.uint8, MOST_ROWS)
    vacant, most, rows = on_stack(nb.int32, MOST_NODES), max(SAMPLE, shown.size), 0
    vacancies, room = _vacancies(sim, decision, vacant), shown.size - sim.advisors
    few = decision.count - vacancies <= most
    size = _all_entities(sim, decision, sample) if few else _draw_sample(sim, decision, sample, most)
    asks = decision.entity if decision.kind == Kind.ADMIT or decision.may_wait else NONE
    if asks != NONE:
        shown[0], rows = asks, 1
    for i in range(size):
        is_shown[i] = sample[i] == asks
    for i in range(min(vacancies, room - rows)):
        shown[rows], rows = vacant[i], rows + 1
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
