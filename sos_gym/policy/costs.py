"""What a decision costs the policies of the package, in ns: `decision_ns` of their cards.

Measured on one machine by `python -m measurements.decision_costs`, which says how and writes this file anew. A policy
that is not here has no constant: leaderboards leave its column empty.
"""

MACHINE = "Intel(R) Xeon(R) Processor, 2 cores, numba 0.68.1, 2026-11"
DECISION_NS = {
    "ageing": 126,
    "arc": 104,
    "attained": 62,
    "cacheus": 221,
    "clairvoyant": 78,
    "clockpro": 91,
    "edf": 87,
    "eevdf": 616,
    "fair_share": 141,
    "frequency": 69,
    "gap": 112,
    "guard": 155,
    "hyperbolic": 188,
    "informed": 116,
    "ladder": 175,
    "lecar": 192,
    "lhd": 479,
    "lirs": 99,
    "lottery": 444,
    "lruk": 103,
    "mru": 63,
    "nearest": 154,
    "owner_share": 163,
    "priority": 86,
    "recency": 60,
    "resident_first": 83,
    "s3fifo": 86,
    "second_chance": 112,
    "seniority": 93,
    "shortest": 141,
    "sieve": 77,
    "slru": 92,
    "spare_next": 148,
    "stride": 331,
    "tinylfu": 598,
    "together": 131,
    "turns": 49,
    "twoq": 80,
    "whole_sets": 167,
}
