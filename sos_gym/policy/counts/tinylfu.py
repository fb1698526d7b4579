"""W-TinyLFU: a newcomer stays only if it was used oftener than the victim.

How often is told by a count-min sketch that halves now and then. Four rows of four-bit counters, sixteen in a word;
a doorkeeper, one bit array, holds back the first reference of each entity.
"""

from sos_gym.policy.words import NONE, Parameter, Policy, Records, Sides, kernel, mixed, order, queue

# LRU queues; the front is the least recent
WINDOW, PROBATION, PROTECTED = 1, 2, 3
COOLED = 1  # mark: it counts as never used
ROWS, ROW_BITS = 4, 16  # of a word, for each row of the sketch
COUNTER_BITS, MOST = 4, 15
DOORS, DOOR_WORDS, WORD_BITS = 3, 2, 64  # bits of the doorkeeper per entity, words per slot
HALVES = 0x7777777777777777  # keeps what is shifted within its counter


@kernel
def hold(my, e):
    """A newcomer enters the window; who leaves it goes on probation (or was the victim)."""
    _count(my, e)
    queue.to_back(my, WINDOW, e)
    while queue.length(my, WINDOW) > _window_room(my):
        queue.to_back(my, PROBATION, queue.front(my, WINDOW))


@kernel
def use(my, e):
    _count(my, e)
    queue.to_back(my, WINDOW if my.links[e].queue == WINDOW else PROTECTED, e)
    if queue.length(my, PROTECTED) > int(my.parameters.protected * (my.capacity - _window_room(my))):
        queue.to_back(my, PROBATION, queue.front(my, PROTECTED))


@kernel
def cool(my, e):
    queue.to_front(my, PROBATION, e)
    my.links[e].mark = COOLED


@kernel
def _window_room(my):
    return max(1, int(my.parameters.window * my.capacity))


@kernel
def _scattered(my, e, i):
    """The `i`-th hash of an entity."""
    a = mixed(my.seed + e)
    return (a + i * mixed(a)) >> 2 & 0x3FFFFFFFFFFFFFFF


@kernel
def _counter(my, e, row):
    """The word of its counter in a row, and the counter's first bit in it."""
    at = _scattered(my, e, row) % (ROWS * my.capacity)
    return at // ROWS, row * ROW_BITS + at % ROWS * COUNTER_BITS


@kernel
def _smallest(my, e):
    least = MOST
    for row in range(ROWS):
        word, bit = _counter(my, e, row)
        least = min(least, my.sketch[word].counters >> bit & MOST)
    return least


@kernel
def _door(my, e, i):
    """The word and the bit of one of its doors."""
    at = _scattered(my, e, ROWS + i) % (DOOR_WORDS * WORD_BITS * my.capacity)
    return at // WORD_BITS, at % WORD_BITS


@kernel
def _is_known(my, e):
    for i in range(DOORS):
        word, bit = _door(my, e, i)
        if not my.doors[word].bits >> bit & 1:
            return False
    return True


@kernel
def _estimate(my, e):
    """Its references in the sample, about."""
    if my.links[e].mark == COOLED:
        return -1
    return _smallest(my, e) + (1 if my.parameters.doorkeeper and _is_known(my, e) else 0)


@kernel
def _increment(my, e):
    """Only the smallest of its counters grow (conservative update), up to the references per slot in the sample."""
    least = _smallest(my, e)
    if least >= my.parameters.sample:
        return
    for row in range(ROWS):
        word, bit = _counter(my, e, row)
        if my.sketch[word].counters >> bit & MOST == least:
            my.sketch[word].counters += 1 << bit


@kernel
def _count(my, e):
    """A reference; when the sample is full it halves."""
    my.links[e].mark = 0
    if my.parameters.doorkeeper and not _is_known(my, e):
        for i in range(DOORS):
            word, bit = _door(my, e, i)
            my.doors[word].bits |= 1 << bit
    else:
        _increment(my, e)
    my.own.counted += 1
    if my.own.counted >= my.parameters.sample * my.capacity:
        _halve(my)


@kernel
def _halve(my):
    my.own.counted >>= 1
    for word in range(my.capacity):
        my.sketch[word].counters = my.sketch[word].counters >> 1 & HALVES
    for word in range(DOOR_WORDS * my.capacity):
        my.doors[word].bits = 0


@kernel
def claim(my, entity):
    """Who was used oftener; among equals it is turns."""
    return float(_estimate(my, entity.id)), order(my, entity)


@kernel
def victim(my, decision):
    """The window's least recent against that of the rest: the less often used goes, the window's if equal."""
    candidate = queue.first_legal(my, decision, WINDOW)
    other = queue.first_legal(my, decision, PROBATION)
    if other == NONE:
        other = queue.first_legal(my, decision, PROTECTED)
    if candidate == NONE or (other != NONE and _estimate(my, candidate) > _estimate(my, other)):
        return other
    return candidate


TINYLFU = Policy(
    name="tinylfu",
    aliases=("w_tinylfu", "wtinylfu"),
    summary="a newcomer leaves its window for the others' slots only if it is used oftener, by a fading sketch",
    on_cores="who got most slices lately (by the sketch) goes first, turns among equals; queues decide nothing",
    on_frames="W-TinyLFU: LRU window, segmented LRU behind it.",
    reads="order of holds and uses; per slot 64 bits of sketch, which forgets nobody who leaves, and 128 of doorkeeper",
    sight="its sketch counts sightings, a hit in the window is found when a bit is read",
    ties="equal estimates: the window's candidate goes",
    source="Einziger, Friedman, Manes, ACM TOS 13(4), 2017. libCacheSim 0.3.5 fills the cache through its window, does "
    "not count hits there, evicts from probation at hits, and admits nobody below 100 slots: an oracle in "
    "tests/policy/test_adaptive_lists.py",
    hold=hold,
    use=use,
    cool=Sides(frames=cool),
    release=queue.remove,
    victim=victim,
    fast_only=True,
    claim=claim,
    own={"counted": 0},  # references since the last halving
    tables={
        "sketch": Records({"counters": 0}, per_slot=1),
        "doors": Records({"bits": 0}, per_slot=DOOR_WORDS),
    },
    queues=3,
    parameters={
        "window": Parameter(0.01, "slots", 0.0, 1.0, "newcomers are given longer to be used again (one slot at least)"),
        "protected": Parameter(
            0.8, "slots behind the window", 0.0, 1.0, "used twice stays longer, used once goes sooner"
        ),
        "sample": Parameter(
            10, "references per slot", 1, MOST, "counters halve later: a longer memory, slower to change"
        ),
        "doorkeeper": Parameter(1, "", 0, 1, "1: counters are spared those that are used once"),
    },
)
