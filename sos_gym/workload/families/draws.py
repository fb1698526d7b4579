"""What a family may draw from, so that compiled code can draw the same tape, bit for bit.

A tape is a function of its parameters and of its generator, a NumPy `Generator` over PCG64. Numba draws from the same
generator; it must get the same numbers and leave the generator in the same state, or all that is drawn later differs.
So a family draws from no more than this:

- `rng.random`, `rng.permutation`, `rng.standard_exponential`, and `rng.integers` over less than 2^32. Wider `integers`
  are out of step with NumPy under Numba 0.68; `int(rng.random() * limit)` is a whole number below a wide limit.
- The functions of this module, which draw from these four alone.

What is drawn may be added, subtracted, multiplied, divided, compared, rounded and looked up. Whatever needs a power, an
exponential, a logarithm or a sum of fractions is a table of the parameters, which NumPy makes once (`table`): NumPy's
vectors and a compiler's library differ in the last bit of some of these, and sum in another order.

A product of what was drawn is rounded to a whole number before anything is added to it, unless the product is exact. A
compiler that fuses `a * b + c` into one operation skips a rounding; so it cannot change any number.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

METHODS = ("random", "permutation", "standard_exponential", "integers")  # of the generator
INTEGERS_BELOW = 2**32  # the range of `integers`
FEW_RANKS = 4096  # Zipf sums of so many are kept: 64 x 32 KB at most
KNOTS = 4097  # of a law that has no knot at each of its values

table = functools.lru_cache(maxsize=64)  # marks what makes a table of parameters; those of 64 parameter sets are kept


# -- laws of whole numbers


class Law(NamedTuple):
    """A distribution of whole numbers by knots: exact at each knot, even between one and the next.

    With a knot at every value it is exact: shares (.2, 1) of the values (3, 4) give 3 up to the quantile .2, then 4.
    """

    share: np.ndarray  # float (knots,), 0..1, rising to 1: chance of the knot's value or less
    value: np.ndarray  # int64 (knots,), rising
    steepness: np.ndarray  # float (knots,), values per share from the knot below to this one; 0 at the first

    def at(self, quantile):  # int64, of the shape of `quantile`
        """The value at a quantile, 0..1; for a draw, `quantile` is `rng.random()`."""
        knot = self.share.searchsorted(quantile)
        below = (self.share[knot] - quantile) * self.steepness[knot]
        return self.value[knot] - np.floor(below).astype(np.int64)


def law(value: np.ndarray, cumulative: np.ndarray) -> Law:
    """The law with knots at whole `value`, rising, and what has come up to each; of equal ones the first is kept."""
    cumulative, kept = np.unique(cumulative, return_index=True)
    share, value = np.append(cumulative[:-1] / cumulative[-1], 1.0), value[kept].astype(np.int64)
    made = Law(share, value, np.append(0.0, np.diff(value) / np.diff(share)))
    for column in made:
        column.flags.writeable = False  # it is kept for who asks next
    return made


@table
def poisson(mean: float) -> Law:
    """Counts with a mean, > 0, by ratios of neighbours. What is left out at both ends has a chance below 1e-15."""
    mode, reach = int(mean), int(10 * math.sqrt(mean) + 30)
    count = np.arange(max(mode - reach, 0), mode + reach + 1)
    down = np.cumprod(count[(count > count[0]) & (count <= mode)][::-1] / mean)[::-1]
    up = np.cumprod(mean / count[count > mode])
    return law(count, np.cumsum(np.concatenate((down, [1.0], up))))


# -- ranks


def zipf_ranks(rng: np.random.Generator, ranks: int, alpha: float, size: int) -> np.ndarray:  # int64 (size,)
    """Ranks 0..ranks-1 with probability ∝ 1/(rank+1)^alpha."""
    cumulative = (zipf_sums if ranks <= FEW_RANKS else zipf_sums.__wrapped__)(ranks, alpha)
    return np.minimum(cumulative.searchsorted(rng.random(size) * cumulative[-1], side="right"), ranks - 1)


def _zipf_weights(ranks: int, alpha: float) -> np.ndarray:  # float (ranks,)
    return np.arange(1, ranks + 1, dtype=float) ** -alpha


@table
def zipf_sums(ranks: int, alpha: float) -> np.ndarray:  # float (ranks,)
    """Cumulative weights: a law is drawn from in many short pieces."""
    return np.cumsum(_zipf_weights(ranks, alpha))


def zipf_gaps(ranks: int, alpha: float) -> np.ndarray:  # float (ranks,)
    """Mean draws from one of a rank to the next of it: 1 / its probability."""
    weights = _zipf_weights(ranks, alpha)
    return weights.sum() / weights


# -- times and lengths


def exponential_ns(rng: np.random.Generator, mean_ns, size) -> np.ndarray:  # int64, >= 1
    """Exponential times, rounded up: no work is empty, the mean is half a ns above."""
    return np.maximum(np.ceil(mean_ns * rng.standard_exponential(size)).astype(np.int64), 1)


def geometric(rng: np.random.Generator, mean: float) -> int:  # >= 1
    """A length that ends after each step with the chance 1 / `mean`, >= 1: the whole part of an exponential time."""
    return 1 + int(geometric_scale(mean) * rng.standard_exponential())


@table
def geometric_scale(mean: float) -> float:  # steps
    """The mean of that exponential time: 9.49 for lengths of 10."""
    return -1 / math.log1p(-1 / mean) if mean > 1 else 0.0


# -- which of several


def some_of(rng: np.random.Generator, count: int, size: int) -> np.ndarray:  # int64 (size,), of 0..count-1
    """`size` different ones, <= `count`, in random order."""
    return rng.permutation(count)[:size]


def systematic(rng: np.random.Generator, count: int, share: float) -> np.ndarray:  # bool (count,)
    """As nearly `share` of `count` as can be, in random places; exactly `share` in expectation."""
    expected = share * count  # of parameters alone: compiled code is given it, and cannot fuse it with the draw
    return rng.permutation(np.arange(count) < math.floor(expected + rng.random()))


# -- shares


def strata(rng: np.random.Generator, count: int) -> np.ndarray:  # float (count,), in 0..1
    """One uniform draw from each of `count` equal slices of 0..1, in random order."""
    return rng.permutation((np.arange(count) + rng.random(count)) / count)


def uneven(quantile: np.ndarray) -> np.ndarray:  # float, as `quantile`
    """From 1/4 to 7/4 over the quantiles 0..1, on average 1: at .5 it is 1."""
    return 0.25 + quantile + quantile / 2  # not 1.5 * quantile, which is not exact and could be fused
