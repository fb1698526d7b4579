"""Earliest deadline first: what is due soonest comes first."""

from sos_gym.policy.oracles.clairvoyant import CLAIRVOYANT
from sos_gym.policy.words import Policy, kernel, turn


@kernel
def claim(my, entity):
    """A page is due at its next use. Threads of one deadline, or of none, take turns."""
    if my.use_is_credit > 0:
        return -float(entity.future), 0.0
    return -float(entity.deadline), turn(my, entity)[0]


EDF = Policy(
    name="edf",
    aliases=("earliest_deadline", "sched_deadline"),
    summary="what is due soonest comes first; on frames it knows the tape",
    on_cores="earliest deadline of the burst first; threads without one share what is left, by turns",
    on_frames="Belady's MIN, for a page is due when it is used next; privileged, and flagged so on cores too",
    reads="deadline (threads); future (pages, privileged)",
    sight="needs no uses: the same under every sight",
    looks=False,
    not_to_be_confused="SCHED_DEADLINE's bandwidth server: nothing here enforces a budget",
    source="Liu, Layland, JACM 20(1), 1973; Belady, 1966",
    claim=claim,
    hold=CLAIRVOYANT.hold,
    use=CLAIRVOYANT.use,
    cool=CLAIRVOYANT.cool,
    victim=CLAIRVOYANT.victim,
    books=CLAIRVOYANT.books,
    needs_future=True,
)
