"""Eviction of the weakest of some holders drawn by chance, for claims that move with time, where a heap does not serve.

The policy has the parameter `sample`: how many are drawn, 0 for everybody.
"""

from sos_gym.engine.chance import uniform
from sos_gym.engine.legality import legal_holder
from sos_gym.engine.records import claim_at
from sos_gym.kernel import kernel
from sos_gym.resource import NONE
from sos_gym.settings.ranges import Parameter

SAMPLE = Parameter(64, "slots", 0, 1 << 20, "nearer to the weakest of all, at more cost; 0: all of them")


@kernel
def _drawn(my, decision, i):
    """The place of the i-th draw, with replacement."""
    return int(uniform(my.seed, decision.number, i) * my.slots_count)


@kernel
def _weakest(my, decision, draws):
    """The weakest legal holder of `draws` slots, or of all (0), or NONE; then the least recently used."""
    claim = claim_at(my.claim_at)
    best, least = NONE, (0.0, 0.0, 0.0)
    for i in range(draws if draws > 0 else my.slots_count):
        e = my.slots[my.first_slot + (_drawn(my, decision, i) if draws > 0 else i)].holder
        if e != NONE and legal_holder(my, decision, e):
            first, second = claim(my, my.entities[e])
            strength = first, second, float(my.entities[e].use_seq)
            if best == NONE or strength < least:
                best, least = e, strength
    return best


@kernel
def victim(my, decision):
    """The weakest of the sample, or of all where chance met nobody legal."""
    draws = int(my.parameters.sample)
    found = _weakest(my, decision, draws if draws < my.slots_count else 0)
    return found if found != NONE else _weakest(my, decision, 0)
