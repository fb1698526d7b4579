"""Fair sharing in the limit, in exact fractions."""

from fractions import Fraction
from itertools import pairwise


def ideal(weights, arrival_ns, end):
    """What each would have in a fluid that flows by weight to all who have come."""
    flow, times = [Fraction(0)] * len(weights), sorted({*arrival_ns, end})
    for start, stop in pairwise(times):
        here = [i for i, arrival in enumerate(arrival_ns) if arrival <= start < end]
        for i in here:
            flow[i] += Fraction((min(stop, end) - start) * weights[i], sum(weights[j] for j in here))
    return flow
