"""Seniority (FCFS): first come, first served."""

from sos_gym.policy.words import Policy, kernel


@kernel
def claim(my, entity):
    return -float(entity.spell_seq), 0.0


SENIORITY = Policy(
    name="seniority",
    aliases=("fcfs", "sched_fifo"),
    summary="first come, first served; never takes a slot away for a newcomer",
    on_cores="FCFS, which is SCHED_FIFO at one priority",
    on_frames="LIFO: the page that faulted last goes first. Silly: a newcomer is the likeliest to be used",
    reads="spell_seq",
    sight="needs no uses: the same under every sight",
    looks=False,
    source="sched(7)",
    claim=claim,
)
