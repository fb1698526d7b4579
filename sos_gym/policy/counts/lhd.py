"""LHD: the least hit density goes, learnt by age and class.

Hit density: hits to be expected per time in the slot. Age: how many holds and uses there were, of anybody, since an
entity's own last one; its class is the size of its last two ages together. Ages are counted in buckets, eight to a
doubling, so that one table serves a resource of any size. A few explorers are spared: else nobody learns of hits that
would come later than the policy evicts.
"""

import math

from sos_gym.policy.words import Parameter, Policy, Records, kernel, sample, turn, uniform

OCTAVES = 28  # ages up to 2**28
AGES, CLASSES = 8 * (OCTAVES - 2), OCTAVES + 1
UNUSED = CLASSES - 1  # the class before the first use
EXPLORED = 1 / 32  # of holds and uses, while there are fewer explorers than allowed
SPARED = 32  # references per slot after which an explorer is given up
LEAST_PERIOD = 1024  # references, so that the table costs little in a small cache


@kernel
def hold(my, e):
    my.each[e].last_age, my.each[e].age_class = 0, UNUSED
    _stamp(my, e)


@kernel
def use(my, e):
    own, age = my.each[e], _age(my, e)
    _bin(my, e, age).hits += 1
    own.age_class = min(_bits(own.last_age + age), CLASSES - 1)
    own.last_age = age
    _stamp(my, e)


@kernel
def release(my, e):
    _bin(my, e, _age(my, e)).ends += 1
    _explore(my, e, False)


@kernel
def _age(my, e):
    return min(my.own.clock - my.each[e].stamp, (1 << OCTAVES) - 1)


@kernel
def _stamp(my, e):
    my.own.clock += 1
    my.each[e].stamp = my.own.clock
    free = my.own.explorers - my.each[e].explores < my.parameters.explorers * my.capacity
    _explore(my, e, free and uniform(my.seed, my.own.clock, e) < EXPLORED)
    if my.own.clock >= my.own.due:
        _renew(my)


@kernel
def _renew(my):
    """All densities, once a period; the first time from supposition."""
    for c in range(CLASSES):
        if my.own.due == 0:
            _suppose(my, c)
        else:
            _learn(my, c * AGES)
    my.own.due = my.own.clock + max(LEAST_PERIOD, int(my.parameters.period * my.capacity))


@kernel
def _explore(my, e, explores):
    my.own.explorers += int(explores) - my.each[e].explores
    my.each[e].explores = int(explores)


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
def _bin(my, e, age):
    return my.bins[my.each[e].age_class * AGES + bucket(age)]


@kernel
def _suppose(my, c):
    """Before anything is known: the shorter its last ages the more hits will come, the fewer the older it gets."""
    age = 0
    for b in range(AGES):
        my.bins[c * AGES + b].density = (CLASSES - c) / (1 + age)
        age += width(b)


@kernel
def _learn(my, row):
    """From the oldest age down: of those that got so old, hits to come / time to come. Then what was seen fades."""
    hits = events = time = 0.0
    for b in range(AGES - 1, -1, -1):
        seen = my.bins[row + b]
        hits += seen.hits
        events += seen.hits + seen.ends
        time += events * width(b)
        seen.density = hits / time if time > 0 else 0.0
        seen.hits *= my.parameters.decay
        seen.ends *= my.parameters.decay


@kernel
def claim(my, entity):
    """The density at its age; a thread that is likely to leave its core soon comes first. Cooled: none."""
    if entity.use_seq < 0:
        return -math.inf, 0.0
    age = _age(my, entity.id)
    density = _bin(my, entity.id, age).density
    spared = 1.0 if my.each[entity.id].explores and age < SPARED * my.capacity else 0.0
    return my.use_is_credit * density + spared, turn(my, entity)[0] if my.use_is_credit < 0 else 0.0


LHD = Policy(
    name="lhd",
    summary="the least expected hits per time in the slot goes, learnt by age and class, judged in a sample",
    on_cores="who is likely to leave its core soon comes first, learnt by time since its last report; then turns",
    on_frames="LHD with one size and one application; densities to begin with as in the authors' code",
    reads="ages in holds and uses of anybody; hits and ends by age and class",
    sight="learns from ages at sightings: hits are found late, and several are one",
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
    own={
        "clock": 0,  # holds and uses so far
        "due": 0,  # the clock when densities are due
        "explorers": 0,  # now
    },
    each={
        "stamp": 0,  # the clock at its last hold or use
        "last_age": 0,  # at its last use; 0 before the first
        "age_class": 0,
        "explores": 0,  # 0, 1: is it spared?
    },
    tables={"bins": Records({"hits": 0.0, "ends": 0.0, "density": 0.0}, fixed=CLASSES * AGES)},  # class by class
)
