"""Segmented LRU: a use lifts into the next segment, overflow sinks back."""

from sos_gym.policy.words import NONE, ListPolicy, Parameter, kernel, levels, order, queue

PROBATION, MOST_SEGMENTS = 2, 8  # the protected segments are the queues above probation


@kernel
def want(my, e):
    my.links[e].mark = PROBATION


@kernel
def hold(my, e):
    q = my.links[e].mark
    if q == PROBATION and my.parameters.peer:
        q = _lowest_with_room(my)
    queue.push_back(my, q, e)
    _spill(my, q)


@kernel
def use(my, e):
    """The cooled stand below probation, and are lifted into it."""
    q = min(my.links[e].queue + 1, _top(my))
    queue.to_back(my, q, e)
    _spill(my, q)


@kernel
def release(my, e):
    levels.leave(my, e)


@kernel
def _top(my):
    return PROBATION - 1 + int(my.parameters.segments)


@kernel
def _room(my, q):
    """How many a segment takes: the protected ones alike, probation the rest."""
    above = int(my.parameters.segments) - 1
    protected = int(my.parameters.protected * my.capacity / above)
    return protected if q > PROBATION else my.capacity - above * protected


@kernel
def _spill(my, q):
    """Where a segment is too full its least recently used sinks into the one below, which may spill in turn."""
    while q > PROBATION and queue.length(my, q) > _room(my, q):
        queue.to_back(my, q - 1, queue.front(my, q))
        q -= 1


@kernel
def _lowest_with_room(my):
    for q in range(PROBATION, _top(my) + 1):
        if queue.length(my, q) < _room(my, q):
            return q
    return PROBATION


@kernel
def claim(my, entity):
    """A use is a credit on frames and a debt on cores."""
    return float(levels.level(my, entity.id) * my.use_is_credit), order(my, entity)


@kernel
def victim(my, decision):
    """The least recently used of the lowest segment."""
    q, e = PROBATION, NONE
    while e == NONE:
        e = queue.first_legal(my, decision, q)
        q += 1
    return e


SLRU = ListPolicy(
    name="slru",
    aliases=("segmented_lru",),
    summary="LRU in segments: each use lifts into the next; the overflow sinks back; the lowest pays",
    on_cores="feedback queue: each tick moves a thread to a worse level, as far as levels have room (cores times share "
    "protected); a new burst starts at the best; turns within a level. One core: round robin",
    on_frames="SLRU, exact; probation and one protected segment by default",
    reads="order of uses, the segment",
    sight="a segment is climbed at a sighting: several uses between two harvests or looks lift once",
    ties="pages: none, the queues order; levels of threads: round robin",
    source="Karedla, Love, Wherry, IEEE Computer 27(3), 1994, which leaves `protected` open: .8 is Caffeine's",
    parameters={
        "segments": Parameter(2, "", 2, MOST_SEGMENTS, "more uses until a page is safest"),
        "protected": Parameter(0.8, "of the slots", 0.0, 1.0, "more room for what was used again, less for the new"),
        "peer": Parameter(
            0,
            "",
            0,
            1,
            "1: until all is full newcomers take the lowest segment with room, as in libCacheSim; its "
            "default is slru(segments=4, protected=0.75, peer=1) where 4 divides the slots (else it drops on hits)",
        ),
    },
    want=want,
    hold=hold,
    use=use,
    release=release,
    victim=victim,
    claim=claim,
    queues=PROBATION - 1 + MOST_SEGMENTS,
)
