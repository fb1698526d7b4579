"""Refaults: which pages, of those that were sent away, were wanted back at once, and who is spared for it.

A page has a kind, anonymous or file, and a tier: log2 of its accesses through file descriptors. Of each is counted who
was evicted, who was protected and who came back, since the oldest generation began, and a mean of the time before that
halves with every generation. A tier is protected while it comes back more often than the first one, a kind while it
does more often than the other: the feedback loop of mm/vmscan.c (ctrl_pos) in Linux 6.6 to 6.12.
"""

from sos_gym.kernel import kernel
from sos_gym.policy.contract import Book

TIERS = 4  # MAX_NR_TIERS, include/linux/mmzone.h
MOST_REFS = 4  # BIT(LRU_REFS_WIDTH): two bits of a page's flags count, and one says that it is of the working set
ALL_TIERS = [0] * 2 * TIERS  # by kind, then tier
REFAULTS = Book(
    "refaults",
    own={
        **{"came_back": ALL_TIERS, "evicted": ALL_TIERS, "protected": ALL_TIERS},
        **{"came_back_before": ALL_TIERS, "total_before": ALL_TIERS},  # means of the generations before
    },
)


@kernel
def tier_of(refs):
    """0, 1, 2, 2, 3: lru_tier_from_refs."""
    tier = 0
    while 1 << tier < refs + 1:
        tier += 1
    return tier


@kernel
def _came_back(my, at):
    return my.own.refaults.came_back_before[at] + my.own.refaults.came_back[at]


@kernel
def _total(my, at):
    counts = my.own.refaults
    return counts.total_before[at] + counts.evicted[at] + counts.protected[at]


@kernel
def _comes_back_less(my, at, gain, than, gain_than, batch):
    """Whether `at` has few refaults, or fewer of its total than `than` has (positive_ctrl_err); gains weigh the two."""
    mine, total = _came_back(my, at), _total(my, at)
    of_others, total_of_others = _came_back(my, than), _total(my, than)
    return mine < batch or mine * (total_of_others + batch) * gain_than <= (of_others + 1) * total * gain


@kernel
def last_unprotected(my, kind, gain, than, gain_than, batch):
    """The highest tier of a kind that has no more refaults than the first tier of the kind `than` (get_tier_idx)."""
    tier = 1
    while tier < TIERS and _comes_back_less(my, TIERS * kind + tier, gain, TIERS * than, gain_than, batch):
        tier += 1
    return tier - 1


@kernel
def prefers(my, kind, gain, other, gain_other, batch):
    """Whether pages of `kind` go before those of the other one, by the first tier of both (get_type_to_scan)."""
    return _comes_back_less(my, TIERS * kind, gain, TIERS * other, gain_other, batch)


@kernel
def carry_over(my, kind):
    """A generation of this kind ends: what was counted joins the mean, and counting begins anew (reset_ctrl_pos)."""
    counts = my.own.refaults
    for at in range(TIERS * kind, TIERS * kind + TIERS):
        counts.came_back_before[at] = _came_back(my, at) // 2
        counts.total_before[at] = _total(my, at) // 2
        counts.came_back[at] = counts.evicted[at] = counts.protected[at] = 0
