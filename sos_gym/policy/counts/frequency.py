"""Frequency (LFU): what was used most stays."""

from sos_gym.policy.words import Policy, Sides, heap, kernel


@kernel
def claim(my, entity):
    return float(entity.uses), float(entity.use_seq)


FREQUENCY = Policy(
    name="frequency",
    aliases=("lfu",),
    summary="what was used most since it got its slot stays; then what was used last",
    on_cores="busiest first: whoever was given most slices gets the next",
    on_frames="LFU in cache (counts start anew at each fault), ties by LRU",
    reads="uses, use_seq",
    sight="counts sightings: the harvests and looks in which a page was found used (as Linux's old page ageing)",
    source="Aho, Denning, Ullman, JACM 18(1), 1971",
    claim=claim,
    hold=heap.hold,
    cool=Sides(frames=heap.cool),
    release=heap.release,
    victim=heap.victim,
    books=(heap.HEAP,),
)
