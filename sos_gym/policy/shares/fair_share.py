"""Fair share: the owner that had least service for its weight comes first (group scheduling; fair-share eviction)."""

from sos_gym.policy.words import Book, Policy, Records, kernel

# By owner, of which there are no more than entities: the ns per weight that it was charged when it came back.
DEBTS = Book("debts", tables={"debts": Records({"service": 0.0}, per_entity=1)})


@kernel
def want(my, e):
    """An owner that had nothing to run is placed level with the least served; else a late one hoards."""
    place(my, my.entities[e].owner, 0.0)


@kernel
def place(my, owner, credit):
    """An owner that comes back is put at most `credit` before the least served of the others."""
    if my.owners[owner].active > 1:
        return
    least, others = 0.0, False
    for other in range(my.owners.size):
        if other != owner and my.owners[other].active > 0:
            service = _virtual_service(my, other)
            least = service if not others else min(least, service)
            others = True
    if others:
        my.debts[owner].service += max(0.0, least - credit - _virtual_service(my, owner))


@kernel
def _virtual_service(my, owner):
    """Slot-ns held per weight, plus the debt it was given when it came back."""
    account = my.owners[owner]
    return my.debts[owner].service + (account.service + account.holding * (my.now - account.since)) / account.weight


@kernel
def claim(my, entity):
    """Owner first; then the thread by its own service, the page by recency."""
    first = -_virtual_service(my, entity.owner)
    if my.use_is_credit > 0:
        return first, float(entity.use_seq)
    return first, -entity.service / entity.weight


FAIR_SHARE = Policy(
    name="fair_share",
    summary="owners first: the one with least service for its weight, then its thread with least",
    on_cores="owners first, as in group scheduling: by virtual runtime of the owner, then of its threads; no slices, "
    "no granularities, so that every waker with less preempts",
    on_frames="the owner with most frame-time for its weight loses its least recently used page",
    reads="service / weight of owner and thread; use_seq on frames",
    sight="within an owner the recency is that of sightings; shares are exact",
    not_to_be_confused="`cfs`, which is by thread, as the kernel is without groups",
    source="CONFIG_FAIR_GROUP_SCHED in kernel/sched/fair.c before 6.6; Waldspurger, OSDI 2002 (shares on frames)",
    want=want,
    claim=claim,
    books=(DEBTS,),
)
