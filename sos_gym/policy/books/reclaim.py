"""Reclaim: the hand that takes pages from the oldest generation, after mm/vmscan.c (lru_gen).

The policy has the parameters `swappiness`, of 200, and `batch`, pages.
"""

from sos_gym.engine.legality import legal_holder
from sos_gym.kernel import kernel
from sos_gym.policy.books import generations, refaults, walks
from sos_gym.policy.books.generations import ANONYMOUS, FEWEST, FILE, MOST
from sos_gym.resource import NONE

BOTH = 200  # MAX_SWAPPINESS: the gains of the two kinds together
MOST_ROUNDS = 4 * MOST  # within one decision every page is promoted, and protected, once; then it grows old


@kernel
def _is_sorted(my, decision, e, tier):
    """Whether it goes elsewhere before its use is asked for: promoted, protected or not eligible (sort_folio)."""
    mine, kind = my.each[e].generations, generations.kind_of(my, e)
    if not generations.is_oldest(my, e):
        generations.follow(my, e)
        return True
    own_tier = refaults.tier_of(mine.refs)
    if own_tier > tier or mine.refs == refaults.MOST_REFS:
        my.own.refaults.protected[refaults.TIERS * kind + own_tier] += 1
        generations.grow_younger(my, e)
        return True
    if not legal_holder(my, decision, e):
        generations.grow_younger(my, e)
        return True
    return False


@kernel
def _scan(my, decision, kind, tier):
    """The first of the oldest generation that may go and was not used, or NONE (scan_folios, shrink_folio_list)."""
    if generations.how_many(my, kind) == FEWEST:
        return NONE
    e = generations.first(my, kind)
    while e != NONE:
        if not _is_sorted(my, decision, e, tier):
            if walks.by_descriptor(my, e) or not walks.was_used(my, e):
                return e
            walks.activate(my, e)
        e = generations.first(my, kind)
    return NONE


@kernel
def _tier_within(my, kind):
    """Up to which tier pages of a kind may go, by its own first tier (get_tier_idx)."""
    return refaults.last_unprotected(my, kind, 2.0, kind, 1.0, my.parameters.batch)


@kernel
def _reclaim(my, decision):
    """One kind first, the other one where it has nobody (isolate_folios)."""
    own, batch = my.own.generations, my.parameters.batch
    gain, gain_file = my.parameters.swappiness, BOTH - my.parameters.swappiness
    if own.oldest[ANONYMOUS] < own.oldest[FILE]:
        kind, tier = ANONYMOUS, _tier_within(my, ANONYMOUS)
    elif refaults.prefers(my, FILE, gain_file, ANONYMOUS, gain, batch):
        kind, tier = FILE, refaults.last_unprotected(my, FILE, gain_file, ANONYMOUS, gain, batch)
    else:
        kind, tier = ANONYMOUS, refaults.last_unprotected(my, ANONYMOUS, gain, FILE, gain_file, batch)
    e = _scan(my, decision, kind, tier)
    return e if e != NONE else _scan(my, decision, 1 - kind, _tier_within(my, 1 - kind))


@kernel
def victim(my, decision):
    """Age where it is due, then take; in the end every page that may go grows old."""
    for _ in range(MOST_ROUNDS):
        if generations.must_open(my):
            walks.age(my)
        e = _reclaim(my, decision)
        if e != NONE:
            return e
        generations.close_empty(my)
    return _any_legal(my, decision)


@kernel
def _any_legal(my, decision):
    for slot in range(my.first_slot, my.first_slot + my.slots_count):
        holder = my.slots[slot].holder
        if holder != NONE and legal_holder(my, decision, holder):
            return holder
    return NONE
