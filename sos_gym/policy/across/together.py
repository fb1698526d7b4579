"""Together: one order of threads, in which cores serve and frames keep."""

from sos_gym.policy.across.spare_next import COUPLING
from sos_gym.policy.books import placement
from sos_gym.policy.words import Policy, Sides, Why, kernel

LONGER = float(1 << 50)  # ns, than any burst; exact in a float64


@kernel
def want(my, e):
    if my.why == Why.NEW or my.why == Why.WAKE:
        my.shared_each[e].in_burst = 1


@kernel
def release(my, e):
    """A fault does not end a burst."""
    if my.why == Why.BLOCK or my.why == Why.EXIT:
        my.shared_each[e].in_burst = 0


@kernel
def _short(thread):
    """As long as the last burst, or as this one is by now."""
    return -float(max(thread.last_gap, thread.attained))


@kernel
def claim(my, entity):
    if my.use_is_credit < 0:
        return _short(entity) + placement.worth(my, entity), 0.0
    inherited = _short(my.entities[entity.last_user]) + LONGER * my.shared_each[entity.last_user].in_burst
    return inherited if my.parameters.coupling else 0.0, float(entity.use_seq)


TOGETHER = Policy(
    name="together",
    aliases=("inherit",),
    summary="short bursts first, near their last core; pages of a burst in progress stay, in the same order",
    on_cores="shortest burst first, as `gap`, and every step nearer to the core shortens it by `worth`; may starve",
    on_frames=(
        "pages whose last user is asleep go first, then those of the longest burst; within a thread LRU. Plenty of "
        "cores: the pages of the longest burst go first"
    ),
    reads="last_gap, attained, home, slot, last_slot of a thread; shared: who is in a burst; last_user, use_seq",
    sight="last user and recency are those of the last sighting",
    not_to_be_confused="coupling=0 is its blind kin: `gap` with `nearest` on cores, `recency` on frames",
    source="sos_gym; priority inheritance: Sha, Rajkumar, Lehoczky, IEEE TC 39(9), 1990",
    want=Sides(cores=want),
    release=Sides(cores=release),
    claim=claim,
    pick=placement.pick,
    shared_each={"in_burst": 0},
    books=(placement.OFFER,),
    parameters={"coupling": COUPLING, "worth": placement.NEARER},
)
