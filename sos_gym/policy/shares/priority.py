"""Static priority: the greater weight comes first."""

from sos_gym.policy.words import Policy, Sides, heap, kernel


@kernel
def claim(my, entity):
    return float(entity.weight), float(entity.use_seq)


PRIORITY = Policy(
    name="priority",
    summary="the greater weight, then recency",
    on_cores="static priority; a waker preempts only a strictly lower one",
    on_frames="priority paging: LRU among the pages of the lightest owner",
    reads="weight, use_seq",
    sight="ties go by the recency of sightings",
    source="sched(7); Solaris 7 priority paging",
    claim=claim,
    hold=heap.hold,
    cool=Sides(frames=heap.cool),
    release=heap.release,
    victim=heap.victim,
    books=(heap.HEAP,),
)
