"""Owner share: fair share in which sleep earns a bounded credit (CFS's sleepers, BVT)."""

from sos_gym.policy.shares.fair_share import DEBTS, claim, place
from sos_gym.policy.words import DEFAULT_WEIGHT, Parameter, Policy, kernel


@kernel
def want(my, e):
    place(my, my.entities[e].owner, my.parameters.credit_ns / DEFAULT_WEIGHT)


OWNER_SHARE = Policy(
    name="owner_share",
    aliases=("sleep_credit",),
    summary="fair share, and an owner that slept may start a little ahead",
    on_cores="CFS with sleeper credit: an owner that had nothing to run starts at most credit_ns, at nice 0, before "
    "the least served, and so preempts; it cannot bank more",
    on_frames="fair-share eviction in which an owner without pages may hold frames credit_ns longer than its share; "
    "little, since frame-time runs as many times faster as there are frames",
    reads="service / weight of owner and thread; use_seq on frames",
    sight="within an owner the recency is that of sightings; shares are exact",
    not_to_be_confused="`fair_share`, which is this with credit_ns = 0",
    source="kernel/sched/fair.c before 6.6: place_entity, GENTLE_FAIR_SLEEPERS; Duda, Cheriton, SOSP 1999 (warp)",
    parameters={
        "credit_ns": Parameter(
            3_000_000, "ns", 0, 10**12, "who slept is served sooner, for longer; half of CFS's latency"
        )
    },
    want=want,
    claim=claim,
    books=(DEBTS,),
)
