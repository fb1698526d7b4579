"""Cacheus: scan-resistant LRU or churn-resistant LFU by chance, trusted as they prove.

SR-LRU: newcomers stand in `FRESH` and leave from there; what is used again moves to `REUSED`, whose overflow is demoted
to `FRESH`. A demoted one that is used makes `REUSED` larger, a newcomer sent away and wanted again makes it smaller.
CR-LFU: of the least frequent the most recently used goes, so that in a loop the others can stay. The reference that
brings a page back from a history counts; the authors' code works out that count and stores the old one.
"""

from sos_gym.policy.books import experts
from sos_gym.policy.words import NONE, Parameter, Policy, Sides, heap, kernel, queue, uniform

FRESH, REUSED = 3, 4
NEW, DEMOTED, RETURNS = 1, 2, 4  # bits of a mark; RETURNS: from a history, until it is held
LEAST_RATE, SAME_RATE, PATIENCE = 1e-3, 5e-4, 10


@kernel
def want(my, e):
    if my.own.rate == 0:
        _start(my)
    if my.links[e].queue:
        _blame(my, e)
    elif queue.length(my, FRESH) + queue.length(my, REUSED) >= my.capacity:
        my.links[e].mark = NEW


@kernel
def hold(my, e):
    """While there is room everybody counts as reused."""
    link = my.links[e]
    roomy = queue.length(my, FRESH) == 0 and queue.length(my, REUSED) < my.own.limit
    known = link.mark == RETURNS or (link.mark == 0 and roomy)
    crowded = link.mark != 0
    link.mark &= NEW
    queue.push_back(my, REUSED if known else FRESH, e)
    while crowded and _is_full(my):
        _demote(my)
    _count(my, e)
    heap.hold(my, e)


@kernel
def use(my, e):
    if my.links[e].queue == FRESH:
        _promote(my, e)
    queue.to_back(my, REUSED, e)
    my.own.hits += 1
    _count(my, e)


@kernel
def cool(my, e):
    queue.to_front(my, FRESH, e)
    experts.cool(my, e)


@kernel
def release(my, e):
    """Only in the history by recency it matters who is NEW."""
    link = my.links[e]
    if link.mark & DEMOTED:
        my.own.demotions -= 1
    forgotten = experts.leave(my, e, my.why)
    link.mark = link.mark & NEW if link.queue == experts.BY_RECENCY else 0
    my.own.news += link.mark
    if forgotten != NONE:
        my.own.news -= my.links[forgotten].mark
        my.links[forgotten].mark = 0


@kernel
def _start(my):
    my.own.rate = _drawn_rate(my)
    my.own.limit = my.capacity - max(1, int(my.parameters.reserve * my.capacity + 0.5))


@kernel
def _drawn_rate(my):
    return LEAST_RATE + (1 - LEAST_RATE) * uniform(my.seed, my.own.experts.clock, 1)


@kernel
def _blame(my, e):
    """Who stands in a history leaves it and blames its expert; FRESH was too small for a NEW one."""
    link = my.links[e]
    if link.mark:
        my.own.news -= 1
        my.own.limit = max(1, my.own.limit - _step(my.own.demotions, my.own.news))
    experts.blame(my, e, my.own.rate)
    link.mark = RETURNS


@kernel
def _step(many, few):
    """By how much REUSED changes: one, or more where the other side has more to show."""
    return max(1, int(many / max(1, few) + 0.5))


@kernel
def _promote(my, e):
    """From FRESH, for `e` was used again; REUSED was too small if it had been demoted. Makes room for it."""
    link = my.links[e]
    if link.mark & DEMOTED:
        my.own.limit = min(my.capacity - 1, my.own.limit + _step(my.own.news, my.own.demotions))
        my.own.demotions -= 1
        link.mark &= NEW
    if _is_full(my):
        _demote(my)


@kernel
def _is_full(my):
    return 0 < queue.length(my, REUSED) >= my.own.limit


@kernel
def _demote(my):
    e = queue.front(my, REUSED)
    my.links[e].mark |= DEMOTED
    my.own.demotions += 1
    queue.to_back(my, FRESH, e)


@kernel
def _count(my, e):
    """A hold or a use; a period has as many as there are slots."""
    experts.count(my, e)
    if (my.own.experts.clock + 1) % my.capacity == 0:
        _learn_to_learn(my)


@kernel
def _learn_to_learn(my):
    """The rate goes on where its last change came with more hits, else back; long without gain it is drawn anew."""
    own, hits, rate = my.own, my.own.hits, my.own.rate
    gain, moved = hits - own.last_hits, rate - own.last_rate
    own.hits, own.last_hits, own.last_rate = 0, hits, rate
    if abs(moved) > SAME_RATE:
        step = abs(rate * moved) if gain * moved > 0 else -abs(rate * moved)
        own.rate, own.idle = min(max(rate + step, LEAST_RATE), 1.0), 0
    elif hits == 0 or gain <= 0:
        own.idle += 1
        if own.idle >= PATIENCE:
            own.rate, own.idle = _drawn_rate(my), 0


@kernel
def claim(my, entity):
    """As the expert who is asked sees it."""
    if experts.asked(my) == experts.BY_RECENCY:
        standing = 1.0 if my.links[entity.id].queue == REUSED else 0.0
        return my.use_is_credit * standing, my.use_is_credit * float(entity.use_seq)
    count, recent = rank(my, entity)
    return my.use_is_credit * count, my.use_is_credit * recent


@kernel
def rank(my, entity):
    """As the frequency expert sees it: of the least frequent the most recently used goes."""
    return float(my.each[entity.id].experts.count), -float(entity.use_seq)


@kernel
def victim(my, decision):
    """Of the expert who is asked."""
    recent = queue.first_legal(my, decision, FRESH)
    if recent == NONE:
        recent = queue.first_legal(my, decision, REUSED)
    return experts.choose(my, recent, heap.victim(my, decision))


CACHEUS = Policy(
    name="cacheus",
    summary="a scan-resistant LRU or a churn-resistant LFU by chance, trusted the less the more of its victims return",
    on_cores="a coin for each choice: whoever ran longest ago, or least, comes first; nobody is blamed, nothing learnt",
    on_frames="Cacheus; REUSED and its reserve for newcomers change size with what returns",
    reads="order of uses, own counts, two histories; u = hash(seed, decision number)",
    sight="orders and counts sightings; who is used again soon is FRESH until a bit is read",
    ties="CR-LFU's: the most recently used",
    not_to_be_confused="lecar, whose experts are plain LRU and LFU and whose learning rate is fixed",
    source="Rodriguez et al., FAST 2021, and the authors' code (sylab/cacheus): reserve, floor, no blame where both "
    "agree; the paper's draw of the rate. libCacheSim 0.3.5 divides hits in whole numbers, so that its rate stays, and "
    "reads a counter it never set: compared in the mean, tests/policy/test_learning_policies.py",
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
    cool=Sides(frames=cool),
    release=release,
    claim=claim,
    rank=rank,
    victim=victim,
    fast_only=True,
    own={
        "news": 0,  # NEW ones in the history by recency
        "demotions": 0,  # DEMOTED residents
        "limit": 0,  # most that REUSED may hold
        "hits": 0,  # in this period
        "rate": 0.0,  # learning rate; 0 before the start
        "last_hits": 0,  # of the last period
        "last_rate": 0.0,  # of the last period
        "idle": 0,  # periods without gain since the rate last moved
    },
    books=(heap.HEAP, experts.EXPERTS),
    queues=4,
)
