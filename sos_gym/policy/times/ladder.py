"""Ladder (MLFQ): use climbs it, time climbs down again."""

from sos_gym.policy.words import Parameter, Policy, Sides, kernel, order


@kernel
def use_core(my, e):
    """A thread climbs by the ns that it ran since it was last charged."""
    mine, service = my.each[e], my.entities[e].service
    _climb(my, e, service - mine.service, int(my.parameters.slice_ns))
    mine.service = service


@kernel
def use_frame(my, e):
    _climb(my, e, 1, int(my.parameters.uses))


@kernel
def step_off(my, e):
    my.each[e].rung = my.each[e].used = 0


@kernel
def _climb(my, e, amount, allotment):
    """Every rung takes twice the use of the one below."""
    rung, top = _rung(my, e), int(my.parameters.levels) - 1
    used = my.each[e].used + amount
    while rung < top and used >= allotment << rung:
        used -= allotment << rung
        rung += 1
    my.each[e].rung, my.each[e].used = rung, used


@kernel
def _rung(my, e):
    """Its rung, once the periods that have passed since it was last asked are forgotten."""
    mine, epoch = my.each[e], my.now // int(my.parameters.period_ns)
    passed = epoch - mine.epoch
    if passed > 0:
        mine.rung = max(0, mine.rung - passed * int(my.parameters.forget))
        mine.used, mine.epoch = 0, epoch
    return mine.rung


@kernel
def claim(my, entity):
    """A rung is a debt on cores and a credit on frames."""
    return float(my.use_is_credit * _rung(my, entity.id)), order(my, entity)


LADDER = Policy(
    name="ladder",
    aliases=("mlfq",),
    summary="use climbs a ladder, time climbs down again; a rung is a debt on cores, a credit on frames",
    on_cores="MLFQ: a thread that used up its allotment falls a level, each period lifts it; turns within a level",
    on_frames="kin of multi-generation LRU: uses lift a page 1, 2, 4, ... at a time, each period ages it by a level; "
    "LRU within a level",
    reads="uses of pages, ns of threads; time; use_seq, or want_ns, hold_ns, turn_over",
    sight="a rung is climbed by sightings: one per harvest or look, as lru_gen does",
    not_to_be_confused="`mglru`, which ages on demand of reclaim, and where a use makes a page youngest at once",
    ties="cores: turns; frames: least recently used goes",
    source="Corbató et al., AFIPS SJCC 1962; Arpaci-Dusseau, OSTEP ch. 8",
    parameters={
        "levels": Parameter(4, "", 1, 16, "finer distinctions of what was used"),
        "slice_ns": Parameter(1_000_000, "ns", 1, 10**12, "a thread falls later; doubles with every level"),
        "uses": Parameter(1, "uses", 1, 10**6, "a page rises later; doubles with every level"),
        "period_ns": Parameter(10_000_000, "ns", 1, 10**15, "the past is forgotten later"),
        "forget": Parameter(
            1, "levels", 0, 16, "more is forgotten each period; `levels` boosts all to the top (OSTEP)"
        ),
    },
    use=Sides(cores=use_core, frames=use_frame),
    cool=Sides(frames=step_off),
    release=Sides(frames=step_off),  # credit ends with the slot, debt does not
    claim=claim,
    each={"rung": 0, "used": 0, "epoch": 0, "service": 0},  # used: on this rung; service: ns, when last charged
)
