"""Whole sets: the scheduler of `resident_first`, and a pager that takes from who has least."""

from sos_gym.policy.across.resident_first import WAITED, turn_or_residency
from sos_gym.policy.books import working_set
from sos_gym.policy.words import Policy, Sides, kernel


@kernel
def claim(my, entity):
    if my.use_is_credit < 0:
        return turn_or_residency(my, entity)
    return working_set.share(my, entity.last_user), float(entity.use_seq)


WHOLE_SETS = Policy(
    name="whole_sets",
    aliases=("all_or_nothing",),
    summary="keeps working sets whole: who has least of its own in loses pages and goes last",
    on_cores="turns, where a thread whose working set is all in counts as having waited `coupling` longer",
    on_frames=(
        "pages whose last user has the least share of its working set in go first; within a thread LRU. Fewer faults "
        "for all together, unfair for who is robbed; worse than LRU where threads sleep. A single thread: LRU, exact"
    ),
    reads="want_ns, hold_ns, turn_over; shared: working sets and their resident share; last_user, use_seq",
    sight="working sets are counted in sightings; their window is of so many of these",
    not_to_be_confused="`resident_first`, its kin whose frames are blind",
    source="sos_gym; working sets all in or all out: Denning, CACM 11(5), 1968",
    hold=Sides(frames=working_set.hold),
    use=Sides(frames=working_set.use),
    cool=Sides(frames=working_set.cool),
    release=Sides(frames=working_set.release),
    claim=claim,
    books=(working_set.WORKING_SET,),
    parameters={"coupling": WAITED, "window": working_set.REFERENCES},
)
