"""LHD: the least hit density goes, learnt by age and class.

Hit density: hits to be expected per time in the slot. Age: how many holds and uses there were, of anybody, since an
entity's own last one; its class is the size of its last two ages together. Ages are counted in buckets, eight to a
doubling, so that one table serves a resource of any size. A few explorers are spared: else nobody learns of hits that
would come later than the policy evicts.
"""

import math

from sos_gym.engine.chance import uniform
from sos_gym.kernel import kernel
from sos_gym.policy.books import sample
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import turn
from sos_gym.resource import Why
from sos_gym.settings.ranges import Parameter

COLD, MOVE = int(Why.COLD), int(Why.MOVE)
OCTAVES = 28  # ages up to 2**28
AGES, CLASSES = 8 * (OCTAVES - 2), OCTAVES + 1
UNUSED = CLASSES - 1  # the class before the first use
HITS, ENDS, DENSITIES = 0, 1, 2  # floats: a table each, class by class
CLOCK, DUE, EXPLORERS = 0, 1, 2  # ints: holds and uses so far; the clock when densities are due; explorers now
STAMP, AGE, CLASS, EXPLORES = 3, 4, 5, 6  # ints of each entity: clock at its last use; last age; class; is it spared?
EXPLORED = 1 / 32  # of holds and uses, while there are fewer explorers than allowed
SPARED = 32  # references per slot after which an explorer is given up
LEAST_PERIOD = 1024  # references, so that the table costs little in a small cache
SAMPLE, PERIOD, DECAY, SHARE = range(4)  # parameters


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        my.ints[_own(entity, AGE)], my.ints[_own(entity, CLASS)] = 0, UNUSED
        _stamp(my, entity)


@kernel
def use(my, entity, amount, why, now):
    if why != COLD:
        age = _age(my, entity)
        my.floats[_cell(my, entity, HITS, age)] += 1
        my.ints[_own(entity, CLASS)] = min(_bits(my.ints[_own(entity, AGE)] + age), CLASSES - 1)
        my.ints[_own(entity, AGE)] = age
        _stamp(my, entity)


@kernel
def release(my, entity, slot, why, now):
    my.floats[_cell(my, entity, ENDS, _age(my, entity))] += 1
    _explore(my, entity, False)


@kernel
def _own(e, field):
    return 4 * e + field


@kernel
def _age(my, e):
    return min(my.ints[CLOCK] - my.ints[_own(e, STAMP)], (1 << OCTAVES) - 1)


@kernel
def _stamp(my, e):
    my.ints[CLOCK] += 1
    my.ints[_own(e, STAMP)] = my.ints[CLOCK]
    free = my.ints[EXPLORERS] - my.ints[_own(e, EXPLORES)] < my.parameters[SHARE] * my.slots_count
    _explore(my, e, free and uniform(my.seed, my.ints[CLOCK], e) < EXPLORED)
    if my.ints[CLOCK] >= my.ints[DUE]:
        _renew(my)


@kernel
def _renew(my):
    """All densities, once a period; the first time from supposition."""
    for c in range(CLASSES):
        if my.ints[DUE] == 0:
            _suppose(my, c)
        else:
            _learn(my, c * AGES)
    my.ints[DUE] = my.ints[CLOCK] + max(LEAST_PERIOD, int(my.parameters[PERIOD] * my.slots_count))


@kernel
def _explore(my, e, explores):
    my.ints[EXPLORERS] += int(explores) - my.ints[_own(e, EXPLORES)]
    my.ints[_own(e, EXPLORES)] = int(explores)


@kernel
def _bits(number):
    return math.frexp(float(number))[1]


@kernel
def bucket(age):
    """Ages 0 to 15 one by one, then eight buckets to a doubling: 16 and 17 make bucket 16, 32 to 35 bucket 24."""
    shift = max(0, _bits(age) - 4)
    return 8 * shift + (age >> shift)


@kernel
def width(bucket):
    """How many ages it has."""
    return 1 << max(0, bucket // 8 - 1)


@kernel
def _cell(my, e, table, age):
    return (table * CLASSES + my.ints[_own(e, CLASS)]) * AGES + bucket(age)


@kernel
def _suppose(my, c):
    """Before anything is known: the shorter its last ages the more hits will come, the fewer the older it gets."""
    age = 0
    for b in range(AGES):
        my.floats[(DENSITIES * CLASSES + c) * AGES + b] = (CLASSES - c) / (1 + age)
        age += width(b)


@kernel
def _learn(my, row):
    """From the oldest age down: of those that got so old, hits to come / time to come. Then what was seen fades."""
    table, area = my.floats, CLASSES * AGES
    hits = events = time = 0.0
    for cell in range(row + AGES - 1, row - 1, -1):
        hits += table[cell]
        events += table[cell] + table[ENDS * area + cell]
        time += events * width(cell - row)
        table[DENSITIES * area + cell] = hits / time if time > 0 else 0.0
        table[cell] *= my.parameters[DECAY]
        table[ENDS * area + cell] *= my.parameters[DECAY]


@kernel
def claim(my, entity, now, number):
    """The density at its age; a thread that is likely to leave its core soon comes first. Cooled: none."""
    if entity.use_seq < 0:
        return -math.inf, 0.0
    age = _age(my, entity.id)
    density = my.floats[_cell(my, entity.id, DENSITIES, age)]
    spared = 1.0 if my.ints[_own(entity.id, EXPLORES)] and age < SPARED * my.slots_count else 0.0
    return my.use_is_credit * density + spared, turn(entity, now)[0] if my.use_is_credit < 0 else 0.0


LHD = Policy(
    name="lhd",
    aliases=(),
    summary="the least expected hits per time in the slot goes, learnt by age and class, judged in a sample",
    on_cores="who is likely to leave its core soon comes first, learnt by time since its last report; then turns",
    on_frames="LHD with one size and one application; densities to begin with as in the authors' code",
    reads="ages in holds and uses of anybody; hits and ends by age and class",
    ties="least recently used",
    not_to_be_confused="hyperbolic, which takes a page's own past rate for its future",
    source="Beckmann, Chen, Cidon, NSDI 2018; ages in buckets of equal proportion, not of equal width",
    parameters={
        "sample": sample.SAMPLE,
        "period": Parameter(32.0, "references per slot", 0.0, 1e6, "densities are renewed less often"),
        "decay": Parameter(0.9, "", 0.0, 1.0, "what was seen in earlier periods counts more"),
        "explorers": Parameter(0.01, "", 0.0, 1.0, "more is learnt of late hits, at that share of the slots"),
    },
    hold=hold,
    use=use,
    release=release,
    claim=claim,
    victim=sample.victim,
    ints=(3, 4, 0),
    floats=(3 * CLASSES * AGES, 0, 0),
)
