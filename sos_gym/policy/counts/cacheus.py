"""Cacheus: scan-resistant LRU or churn-resistant LFU by chance, trusted as they prove.

SR-LRU: newcomers stand in `FRESH` and leave from there; what is used again moves to `REUSED`, whose overflow is demoted
to `FRESH`. A demoted one that is used makes `REUSED` larger, a newcomer sent away and wanted again makes it smaller.
CR-LFU: of the least frequent the most recently used goes, so that in a loop the others can stay. The reference that
brings a page back from a history counts; the authors' code works out that count and stores the old one.
"""

from sos_gym.engine.chance import uniform
from sos_gym.kernel import kernel
from sos_gym.policy.books import experts, heap
from sos_gym.policy.books.experts import BY_RECENCY
from sos_gym.policy.books.queue import first_legal, front, length, push_back, push_front, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

COLD, MOVE = int(Why.COLD), int(Why.MOVE)
FRESH, REUSED = 3, 4
NEW, DEMOTED, RETURNS = 1, 2, 4  # bits of a mark; RETURNS: from a history, until it is held
NEWS, DEMOTIONS = 2, 3  # floats, from their end, behind the odds: NEW ones in the history by recency, DEMOTED residents
LIMIT, HITS, RATE = 4, 5, 6  # most that REUSED may hold; hits in this period; learning rate
LAST_HITS, LAST_RATE, IDLE = 7, 8, 9  # of the last period; periods without gain since the rate last moved
LEAST_RATE, SAME_RATE, PATIENCE = 1e-3, 5e-4, 10
RESERVE, HISTORY, FLOOR = range(3)  # parameters


@kernel
def want(my, entity, home, why, now):
    if my.floats[_at(my, RATE)] == 0:
        _start(my)
    if my.links[entity].queue:
        _blame(my, entity)
    elif length(my, FRESH) + length(my, REUSED) >= my.slots_count:
        my.links[entity].mark = NEW


@kernel
def hold(my, entity, slot, why, now):
    """While there is room everybody counts as reused."""
    if why == MOVE:
        return
    link = my.links[entity]
    roomy = length(my, FRESH) == 0 and length(my, REUSED) < my.floats[_at(my, LIMIT)]
    known = link.mark == RETURNS or (link.mark == 0 and roomy)
    crowded = link.mark != 0
    link.mark &= NEW
    push_back(my, REUSED if known else FRESH, entity)
    while crowded and _is_full(my):
        _demote(my)
    _count(my, entity)
    heap.hold(my, entity, slot, why, now)


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        my.ints[experts.count_at(my, entity)] = 0
        remove(my, entity)
        push_front(my, FRESH, entity)
        heap.use(my, entity, amount, why, now)
        return
    if my.links[entity].queue == FRESH:
        _promote(my, entity)
    to_back(my, REUSED, entity)
    my.floats[_at(my, HITS)] += 1
    _count(my, entity)


@kernel
def release(my, entity, slot, why, now):
    heap.release(my, entity, slot, why, now)
    remove(my, entity)
    link = my.links[entity]
    if link.mark & DEMOTED:
        my.floats[_at(my, DEMOTIONS)] -= 1
    history = experts.history_for(my, entity, why)
    link.mark = link.mark & NEW if history == BY_RECENCY else 0
    if history:
        my.floats[_at(my, NEWS)] += link.mark
        dropped = experts.enter_history(my, history, entity, int(my.parameters[HISTORY] * my.slots_count))
        if dropped != NONE:
            my.floats[_at(my, NEWS)] -= my.links[dropped].mark
            my.links[dropped].mark = 0
    elif why in experts.LEAVES:
        my.ints[experts.count_at(my, entity)] = 0


@kernel
def _at(my, field):
    return my.floats.size - field


@kernel
def _start(my):
    my.floats[_at(my, RATE)] = _drawn_rate(my)
    my.floats[_at(my, LIMIT)] = my.slots_count - max(1, int(my.parameters[RESERVE] * my.slots_count + 0.5))


@kernel
def _drawn_rate(my):
    return LEAST_RATE + (1 - LEAST_RATE) * uniform(my.seed, my.ints[experts.at(my, experts.CLOCK)], 1)


@kernel
def _blame(my, e):
    """Who stands in a history leaves it and blames its expert; FRESH was too small for a NEW one."""
    link = my.links[e]
    if link.mark:
        my.floats[_at(my, NEWS)] -= 1
        step = _step(my, DEMOTIONS, NEWS)
        my.floats[_at(my, LIMIT)] = max(1.0, my.floats[_at(my, LIMIT)] - step)
    experts.shift(my, link.queue, my.floats[_at(my, RATE)], my.parameters[FLOOR])
    remove(my, e)
    link.mark = RETURNS


@kernel
def _step(my, many, few):
    """By how much REUSED changes: one, or more where the other side has more to show."""
    share = my.floats[_at(my, many)] / max(1.0, my.floats[_at(my, few)])
    return max(1, int(share + 0.5))


@kernel
def _promote(my, e):
    """From FRESH, for `e` was used again; REUSED was too small if it had been demoted. Makes room for it."""
    link = my.links[e]
    if link.mark & DEMOTED:
        step = _step(my, NEWS, DEMOTIONS)
        my.floats[_at(my, LIMIT)] = min(my.slots_count - 1.0, my.floats[_at(my, LIMIT)] + step)
        my.floats[_at(my, DEMOTIONS)] -= 1
        link.mark &= NEW
    if _is_full(my):
        _demote(my)


@kernel
def _is_full(my):
    return 0 < length(my, REUSED) >= my.floats[_at(my, LIMIT)]


@kernel
def _demote(my):
    e = front(my, REUSED)
    my.links[e].mark |= DEMOTED
    my.floats[_at(my, DEMOTIONS)] += 1
    to_back(my, FRESH, e)


@kernel
def _count(my, e):
    """A hold or a use; a period has as many as there are slots."""
    experts.count(my, e)
    if (my.ints[experts.at(my, experts.CLOCK)] + 1) % my.slots_count == 0:
        _learn_to_learn(my)


@kernel
def _learn_to_learn(my):
    """The rate goes on where its last change came with more hits, else back; long without gain it is drawn anew."""
    own, hits, rate = my.floats, my.floats[_at(my, HITS)], my.floats[_at(my, RATE)]
    gain, moved = hits - own[_at(my, LAST_HITS)], rate - own[_at(my, LAST_RATE)]
    own[_at(my, HITS)], own[_at(my, LAST_HITS)], own[_at(my, LAST_RATE)] = 0, hits, rate
    if abs(moved) > SAME_RATE:
        step = abs(rate * moved) if gain * moved > 0 else -abs(rate * moved)
        own[_at(my, RATE)], own[_at(my, IDLE)] = min(max(rate + step, LEAST_RATE), 1.0), 0
    elif hits == 0 or gain <= 0:
        own[_at(my, IDLE)] += 1
        if own[_at(my, IDLE)] >= PATIENCE:
            own[_at(my, RATE)], own[_at(my, IDLE)] = _drawn_rate(my), 0


@kernel
def claim(my, entity, now, number):
    """As the expert who is asked sees it; the heap (number NONE) orders by frequency."""
    count, recent = float(my.ints[experts.count_at(my, entity.id)]), float(entity.use_seq)
    if number == NONE:
        return count, -recent
    if experts.asked(my, number) == BY_RECENCY:
        standing = 1.0 if my.links[entity.id].queue == REUSED else 0.0
        return my.use_is_credit * standing, my.use_is_credit * recent
    return my.use_is_credit * count, -my.use_is_credit * recent


@kernel
def victim(my, decision):
    """Of the expert who is asked."""
    recent = first_legal(my, decision, FRESH)
    if recent == NONE:
        recent = first_legal(my, decision, REUSED)
    return experts.choose(my, decision, recent, heap.victim(my, decision))


CACHEUS = Policy(
    name="cacheus",
    aliases=(),
    summary="a scan-resistant LRU or a churn-resistant LFU by chance, trusted the less the more of its victims return",
    on_cores="a coin for each choice: whoever ran longest ago, or least, comes first; nobody is blamed, nothing learnt",
    on_frames="Cacheus; REUSED and its reserve for newcomers change size with what returns",
    reads="order of uses, own counts, two histories; u = hash(seed, decision number)",
    ties="CR-LFU's: the most recently used",
    not_to_be_confused="lecar, whose experts are plain LRU and LFU and whose learning rate is fixed",
    source="Rodriguez et al., FAST 2021, and the authors' code (sylab/cacheus): reserve, floor, no blame where both "
    "agree; the paper's draw of the rate. libCacheSim 0.3.5 divides hits in whole numbers, so that its rate stays, and "
    "reads a counter it never set: compared in the mean, tests/test_learning_policies.py",
    parameters={
        "reserve": Parameter(
            0.01, "", 0.0, 1.0, "newcomers start with more room; share of the slots (libCacheSim: 0.5)"
        ),
        "history": Parameter(0.5, "", 0.0, 4.0, "longer memory of whom each expert sent away; share of the slots"),
        "floor": Parameter(0.01, "", 0.0, 0.5, "an expert keeps more trust (libCacheSim: 0)"),
    },
    want=want,
    hold=hold,
    use=use,
    release=release,
    claim=claim,
    victim=victim,
    ints=experts.INTS,
    floats=(heap.FLOATS[0] + 9, heap.FLOATS[1], heap.FLOATS[2]),
    queues=4,
)
