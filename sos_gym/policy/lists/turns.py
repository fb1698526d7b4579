"""Turns (FIFO, round robin): everybody holds a slot in turn."""

from sos_gym.policy.words import NONE, Kind, Policy, Resource, earliest_waiter, kernel, log, pick_by_victim, turn


@kernel
def claim(my, entity):
    return turn(my, entity)


@kernel
def hold(my, e):
    log.append(my, log.MAIN, e, my.entities[e].hold_seq, log.BY_HOLD)


@kernel
def victim(my, decision):
    """Who holds longest."""
    return log.oldest(my, decision, log.BY_HOLD)


@kernel
def pick(my, decision):
    """What `claim` says; for a core without a scan by claim."""
    if decision.resource == Resource.CPU and decision.kind == Kind.ADMIT:
        holder = decision.entity
        keeps = holder != NONE and not my.entities[holder].turn_over
        return holder if keeps else earliest_waiter(my, decision)
    return pick_by_victim(my, decision)


TURNS = Policy(
    name="turns",
    aliases=("fifo", "round_robin"),
    summary="everybody holds a slot in turn",
    on_cores="round robin, exact; the quantum is tick_ns and counts from dispatch",
    on_frames="FIFO replacement, exact",
    reads="want_ns, hold_ns, turn_over",
    sight="needs no uses: the same under every sight",
    looks=False,
    not_to_be_confused="SCHED_FIFO, which is `seniority`: `fifo` is the replacement rule, on cores that is round robin",
    source="Belady, IBM Systems Journal 5(2), 1966 (FIFO); Kleinrock, 1964 (round robin)",
    claim=claim,
    hold=hold,
    pick=pick,
    victim=victim,
    books=(log.LOG,),
)
