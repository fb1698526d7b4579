"""Chance without a stream: a hash of the seed and of what is asked, so that nobody shifts another's draws."""

from sos_gym.kernel import kernel


@kernel
def mixed(x):
    """A bijection of 64 bits that scatters (splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687  # 0xBF58476D1CE4E5B9
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685  # 0x94D049BB133111EB
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


@kernel
def uniform(seed, number, e):
    """A fraction in (0, 1) from the seed, the number of the decision and the entity."""
    scattered = mixed(mixed(mixed(seed) + number) + e)
    return (float((scattered >> 11) & 0x1FFFFFFFFFFFFF) + 0.5) / 9007199254740992.0  # 2**53
