"""Hyperbolic caching: uses per time since it got its slot."""

import math

from sos_gym.policy.words import Policy, kernel, sample


@kernel
def claim(my, entity):
    """The rate of its uses: a credit on frames, a debt on cores. What was cooled has none left."""
    if entity.use_seq < 0:
        return -math.inf, 0.0
    return my.use_is_credit * entity.uses / max(1, my.now - entity.hold_ns), 0.0


HYPERBOLIC = Policy(
    name="hyperbolic",
    summary="uses per time since it got its slot; the least of a sample goes",
    on_cores="fewest reports per time since its last dispatch first: who waits long comes next, a waker preempts",
    on_frames="hyperbolic caching: the page with the fewest uses per time in its frame, of 64 drawn",
    reads="uses, hold_ns",
    sight="counts sightings: the rate of a page that is used often is cut to one per harvest or look",
    ties="those of a claim; in a sample the least recently used",
    not_to_be_confused="frequency, where a page's past counts in full for as long as it stays",
    source="Blankstein, Sen, Freedman, USENIX ATC 2017 (cost and size 1)",
    parameters={"sample": sample.SAMPLE},
    claim=claim,
    victim=sample.victim,
)
