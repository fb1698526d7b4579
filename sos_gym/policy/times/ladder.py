"""Ladder (MLFQ, multi-generation LRU): use climbs it, time climbs down again."""

from sos_gym.kernel import kernel
from sos_gym.policy.contract import Policy
from sos_gym.policy.lists.turns import order
from sos_gym.resource import Why
from sos_gym.settings.ranges import Parameter

COLD = int(Why.COLD)
LEVELS, SLICE, USES, PERIOD, FORGET = range(5)  # parameters
RUNG, USED, EPOCH = range(3)  # ints of an entity


@kernel
def use(my, entity, amount, why, now):
    """Every rung takes twice the use of the one below."""
    if why == COLD:
        _step_off(my, entity)
        return
    at, top = 3 * entity, int(my.parameters[LEVELS]) - 1
    rung = _rung(my, entity, now)
    used = my.ints[at + USED] + (1 if my.use_is_credit > 0 else amount)
    allotment = int(my.parameters[USES if my.use_is_credit > 0 else SLICE])
    while rung < top and used >= allotment << rung:
        used -= allotment << rung
        rung += 1
    my.ints[at + RUNG], my.ints[at + USED] = rung, used


@kernel
def release(my, entity, slot, why, now):
    """Credit ends with the slot, debt does not."""
    if my.use_is_credit > 0:
        _step_off(my, entity)


@kernel
def _step_off(my, e):
    my.ints[3 * e + RUNG] = my.ints[3 * e + USED] = 0


@kernel
def _rung(my, e, now):
    """Its rung, once the periods that have passed since it was last asked are forgotten."""
    at, epoch = 3 * e, now // int(my.parameters[PERIOD])
    passed = epoch - my.ints[at + EPOCH]
    if passed > 0:
        my.ints[at + RUNG] = max(0, my.ints[at + RUNG] - passed * int(my.parameters[FORGET]))
        my.ints[at + USED], my.ints[at + EPOCH] = 0, epoch
    return my.ints[at + RUNG]


@kernel
def claim(my, entity, now, number):
    """A rung is a debt on cores and a credit on frames."""
    level = float(my.use_is_credit * _rung(my, entity.id, now))
    return level, order(my, entity, now)


LADDER = Policy(
    name="ladder",
    aliases=("mlfq", "mglru"),
    summary="use climbs a ladder, time climbs down again; a rung is a debt on cores, a credit on frames",
    on_cores="MLFQ: a thread that used up its allotment falls a level, each period lifts it; turns within a level",
    on_frames="kin of multi-generation LRU: uses lift a page 1, 2, 4, ... at a time, each period ages it by a level; "
    "LRU within a level. The kernel ages on demand of reclaim, and a use makes a page youngest at once",
    reads="uses of pages, ns of threads; time; use_seq, or want_ns, hold_ns, turn_over",
    ties="cores: turns; frames: least recently used goes",
    source="Corbató et al., AFIPS SJCC 1962; Arpaci-Dusseau, OSTEP ch. 8; mm/vmscan.c (lru_gen) since 6.1",
    parameters={
        "levels": Parameter(4, "", 1, 16, "finer distinctions of what was used"),
        "slice_ns": Parameter(1_000_000, "ns", 1, 10**12, "a thread falls later; doubles with every level"),
        "uses": Parameter(1, "uses", 1, 10**6, "a page rises later; doubles with every level"),
        "period_ns": Parameter(10_000_000, "ns", 1, 10**15, "the past is forgotten later"),
        "forget": Parameter(
            1, "levels", 0, 16, "more is forgotten each period; `levels` boosts all to the top (OSTEP)"
        ),
    },
    use=use,
    release=release,
    claim=claim,
    ints=(0, 3, 0),
)
