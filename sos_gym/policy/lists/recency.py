"""Recency (LRU): what was used last stays."""

from sos_gym.policy.words import Policy, Sides, kernel, log


@kernel
def claim(my, entity):
    return float(entity.use_seq), 0.0


@kernel
def use(my, e):
    log.append(my, log.MAIN, e, my.entities[e].use_seq, log.BY_USE)


@kernel
def cool(my, e):
    log.append(my, log.COOLED, e, my.entities[e].use_seq, log.BY_USE)


@kernel
def victim(my, decision):
    """The coldest, else the least recently used."""
    return log.oldest(my, decision, log.BY_USE)


RECENCY = Policy(
    name="recency",
    aliases=("lru",),
    summary="what was used last stays",
    on_cores="warmest first: the thread that ran last runs on, others may starve",
    on_frames="LRU, exact",
    reads="use_seq",
    sight="second chance, in the order of harvests; without harvests it is CLOCK",
    source="Mattson et al., IBM Systems Journal 9(2), 1970",
    claim=claim,
    hold=use,
    use=use,
    cool=Sides(frames=cool),
    victim=victim,
    books=(log.LOG,),
)
