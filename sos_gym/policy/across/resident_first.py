"""Resident first: a scheduler that looks at the frames, and a pager that does not."""

from sos_gym.policy.books import working_set
from sos_gym.policy.lists import recency
from sos_gym.policy.words import Parameter, Policy, Sides, kernel, turn

WAITED = Parameter(20_000_000, "ns", 0, 10**15, "of waiting that a whole working set outweighs; less fair")


@kernel
def hold(my, e):
    working_set.hold(my, e)
    recency.use(my, e)


@kernel
def use(my, e):
    working_set.use(my, e)
    recency.use(my, e)


@kernel
def cool(my, e):
    working_set.cool(my, e)
    recency.cool(my, e)


@kernel
def turn_or_residency(my, entity):
    """On cores: turns, and a thread whose working set is in has waited longer."""
    first, second = turn(my, entity)
    return first + my.parameters.coupling * working_set.share(my, entity.id), second


@kernel
def claim(my, entity):
    return (float(entity.use_seq), 0.0) if my.use_is_credit > 0 else turn_or_residency(my, entity)


RESIDENT_FIRST = Policy(
    name="resident_first",
    aliases=("residency_aware",),
    summary="round robin in which a thread whose pages are in goes first; pages by recency",
    on_cores="turns, where a thread whose working set is all in counts as having waited `coupling` longer",
    on_frames="LRU, exact",
    reads="want_ns, hold_ns, turn_over; shared: working sets and their resident share; use_seq",
    sight="working sets are counted in sightings; their window is of so many of these",
    not_to_be_confused="`turns` on cores and `recency` on frames, which it is with coupling=0",
    source="sos_gym; working sets: Denning, CACM 11(5), 1968",
    hold=Sides(frames=hold),
    use=Sides(frames=use),
    cool=Sides(frames=cool),
    release=Sides(frames=working_set.release),
    claim=claim,
    victim=recency.victim,
    books=(*recency.RECENCY.books, working_set.WORKING_SET),
    parameters={"coupling": WAITED, "window": working_set.REFERENCES},
)
