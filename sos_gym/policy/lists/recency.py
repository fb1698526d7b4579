"""Recency (LRU): what was used last stays."""

from sos_gym.kernel import kernel
from sos_gym.policy.books.log import COOL_HEAD, HEAD, INTS, append, first_legal, has_entries
from sos_gym.policy.contract import Policy
from sos_gym.resource import NONE, Why

COLD, MOVE = int(Why.COLD), int(Why.MOVE)
BY_USE = 1


@kernel
def claim(my, entity, now, number):
    return float(entity.use_seq), 0.0


@kernel
def hold(my, entity, slot, why, now):
    if why != MOVE:
        append(my, HEAD, entity, my.entities[entity].use_seq, BY_USE)


@kernel
def use(my, entity, amount, why, now):
    append(my, COOL_HEAD if why == COLD else HEAD, entity, my.entities[entity].use_seq, BY_USE)


@kernel
def victim(my, decision):
    """The coldest, else the least recently used."""
    if has_entries(my, COOL_HEAD):
        cold = first_legal(my, decision, COOL_HEAD, BY_USE)
        if cold != NONE:
            return cold
    return first_legal(my, decision, HEAD, BY_USE)


RECENCY = Policy(
    name="recency",
    aliases=("lru",),
    summary="what was used last stays",
    on_cores="warmest first: the thread that ran last runs on, others may starve",
    on_frames="LRU, exact",
    reads="use_seq",
    source="Mattson et al., IBM Systems Journal 9(2), 1970",
    claim=claim,
    hold=hold,
    use=use,
    victim=victim,
    ints=INTS,
)
