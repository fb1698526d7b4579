"""W-TinyLFU: a newcomer stays only if it was used oftener than the victim.

How often is told by a count-min sketch that halves now and then. Four rows of four-bit counters, sixteen in a word;
a doorkeeper, one bit array, holds back the first reference of each entity.
"""

from sos_gym.engine.chance import mixed
from sos_gym.kernel import kernel
from sos_gym.policy.books.queue import first_legal, front, length, push_front, remove, to_back
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.resource import NONE, Why
from sos_gym.settings.ranges import Parameter

MOVE, COLD = int(Why.MOVE), int(Why.COLD)
# LRU queues; the front is the least recent
WINDOW, PROBATION, PROTECTED = 1, 2, 3
QUEUES = 3
COOLED = 1  # mark: it counts as never used
ROWS, ROW_BITS = 4, 16  # of a word, for each row of the sketch
COUNTER_BITS, MOST = 4, 15
DOORS, DOOR_WORDS, WORD_BITS = 3, 2, 64  # bits of the doorkeeper per entity, words per slot
HALVES = 0x7777777777777777  # keeps what is shifted within its counter
COUNTED, SKETCH = 0, 1  # ints: references since the last halving; then a word per slot, then the doorkeeper
PARAMETERS = {
    "window": Parameter(0.01, "slots", 0.0, 1.0, "newcomers are given longer to be used again (one slot at least)"),
    "protected": Parameter(0.8, "slots behind the window", 0.0, 1.0, "used twice stays longer, used once goes sooner"),
    "sample": Parameter(10, "references per slot", 1, MOST, "counters halve later: a longer memory, slower to change"),
    "doorkeeper": Parameter(1, "", 0, 1, "1: counters are spared those that are used once"),
}
WINDOW_SHARE, PROTECTED_SHARE, SAMPLE, DOORKEEPER = range(len(PARAMETERS))


@kernel
def hold(my, entity, slot, why, now):
    """A newcomer enters the window; who leaves it goes on probation (or was the victim)."""
    if why == MOVE:
        return
    _count(my, entity)
    to_back(my, WINDOW, entity)
    while length(my, WINDOW) > _window_room(my):
        to_back(my, PROBATION, front(my, WINDOW))


@kernel
def use(my, entity, amount, why, now):
    if why == COLD:
        remove(my, entity)
        push_front(my, PROBATION, entity)
        my.links[entity].mark = COOLED
        return
    _count(my, entity)
    queue = my.links[entity].queue
    to_back(my, WINDOW if queue == WINDOW else PROTECTED, entity)
    if length(my, PROTECTED) > int(my.parameters[PROTECTED_SHARE] * (my.slots_count - _window_room(my))):
        to_back(my, PROBATION, front(my, PROTECTED))


@kernel
def release(my, entity, slot, why, now):
    remove(my, entity)


@kernel
def _window_room(my):
    return max(1, int(my.parameters[WINDOW_SHARE] * my.slots_count))


@kernel
def _scattered(my, e, i):
    """The `i`-th hash of an entity."""
    a = mixed(my.seed + e)
    return (a + i * mixed(a)) >> 2 & 0x3FFFFFFFFFFFFFFF


@kernel
def _counter(my, e, row):
    """The word of its counter in a row, and the counter's first bit in it."""
    at = _scattered(my, e, row) % (ROWS * my.slots_count)
    return SKETCH + at // ROWS, row * ROW_BITS + at % ROWS * COUNTER_BITS


@kernel
def _smallest(my, e):
    least = MOST
    for row in range(ROWS):
        word, bit = _counter(my, e, row)
        least = min(least, my.ints[word] >> bit & MOST)
    return least


@kernel
def _door(my, e, i):
    """The word and the bit of one of its doors."""
    at = _scattered(my, e, ROWS + i) % (DOOR_WORDS * WORD_BITS * my.slots_count)
    return SKETCH + my.slots_count + at // WORD_BITS, at % WORD_BITS


@kernel
def _is_known(my, e):
    for i in range(DOORS):
        word, bit = _door(my, e, i)
        if not my.ints[word] >> bit & 1:
            return False
    return True


@kernel
def _estimate(my, e):
    """Its references in the sample, about."""
    if my.links[e].mark == COOLED:
        return -1
    return _smallest(my, e) + (1 if my.parameters[DOORKEEPER] and _is_known(my, e) else 0)


@kernel
def _increment(my, e):
    """Only the smallest of its counters grow (conservative update), up to the references per slot in the sample."""
    least = _smallest(my, e)
    if least >= my.parameters[SAMPLE]:
        return
    for row in range(ROWS):
        word, bit = _counter(my, e, row)
        if my.ints[word] >> bit & MOST == least:
            my.ints[word] += 1 << bit


@kernel
def _count(my, e):
    """A reference; when the sample is full it halves."""
    my.links[e].mark = 0
    if my.parameters[DOORKEEPER] and not _is_known(my, e):
        for i in range(DOORS):
            word, bit = _door(my, e, i)
            my.ints[word] |= 1 << bit
    else:
        _increment(my, e)
    my.ints[COUNTED] += 1
    if my.ints[COUNTED] >= my.parameters[SAMPLE] * my.slots_count:
        _halve(my)


@kernel
def _halve(my):
    my.ints[COUNTED] >>= 1
    for i in range(my.slots_count):
        my.ints[SKETCH + i] = my.ints[SKETCH + i] >> 1 & HALVES
    for i in range(DOOR_WORDS * my.slots_count):
        my.ints[SKETCH + my.slots_count + i] = 0


@kernel
def claim(my, entity, now, number):
    """Who was used oftener; among equals it is turns."""
    return float(_estimate(my, entity.id)), order(my, entity, now)


@kernel
def victim(my, decision):
    """The window's least recent against that of the rest: the less often used goes, the window's if equal."""
    candidate = first_legal(my, decision, WINDOW)
    other = first_legal(my, decision, PROBATION)
    if other == NONE:
        other = first_legal(my, decision, PROTECTED)
    if candidate == NONE or (other != NONE and _estimate(my, candidate) > _estimate(my, other)):
        return other
    return candidate


TINYLFU = Policy(
    name="tinylfu",
    aliases=("w_tinylfu", "wtinylfu"),
    summary="a newcomer leaves its window for the others' slots only if it is used oftener, by a fading sketch",
    on_cores="who got most slices lately (by the sketch) goes first, turns among equals; queues decide nothing",
    on_frames="W-TinyLFU: LRU window, segmented LRU behind it. Who may wait (tier hints): the less often used",
    reads="order of holds and uses; per slot 64 bits of sketch, which forgets nobody who leaves, and 128 of doorkeeper",
    ties="equal estimates: the window's candidate goes",
    source="Einziger, Friedman, Manes, ACM TOS 13(4), 2017. libCacheSim 0.3.5 fills the cache through its window, does "
    "not count hits there, evicts from probation at hits, and admits nobody below 100 slots: an oracle in "
    "tests/test_adaptive_lists.py",
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    ints=(1, 0, 1 + DOOR_WORDS),
    queues=QUEUES,
    parameters=PARAMETERS,
)
