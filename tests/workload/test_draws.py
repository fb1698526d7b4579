"""What families draw from: compiled twins, the laws behind it, and that nothing else is drawn from.

A twin does once more what a drawing function does, as compiled code would: with the same generator, and with the tables
that NumPy made. It must give the same numbers and leave the generator in the same state. It is compiled twice, plainly
and with leave to fuse products with sums, which must not change any number.
"""

import ast
import functools
import itertools
import math
from collections import Counter
from pathlib import Path

import numba
import numpy as np
import pytest

from sos_gym.workload import workload
from sos_gym.workload.families import draws, registry
from sos_gym.workload.families.arrivals import _time_of_day_ns
from sos_gym.workload.families.draws import (
    INTEGERS_BELOW,
    METHODS,
    Law,
    exponential_ns,
    geometric,
    geometric_scale,
    law,
    poisson,
    some_of,
    strata,
    systematic,
    uneven,
    zipf_ranks,
    zipf_sums,
)
from sos_gym.workload.families.pages import _sizes, drifting
from sos_gym.workload.families.registry import FAMILIES
from sos_gym.workload.families.threads import bounded_pareto_ns

MS = 1_000_000
STATES, SIZE = 50, 2000  # 10^5 draws of each kind


def generator(seed: int) -> np.random.Generator:
    """One of many states; in half of them half of a 64-bit word is left over from small integers."""
    rng = np.random.Generator(np.random.PCG64(seed))
    rng.integers(10, size=seed % 2)
    return rng


# -- compiled twins


def zipf_twin(rng, cumulative):
    ranks = np.empty(SIZE, np.int64)
    for i in range(SIZE):
        rank = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
        ranks[i] = min(rank, len(cumulative) - 1)
    return ranks


def law_twin(rng, share, value, steepness):
    drawn = np.empty(SIZE, np.int64)
    for i in range(SIZE):
        quantile = rng.random()
        knot = np.searchsorted(share, quantile)
        drawn[i] = value[knot] - math.floor((share[knot] - quantile) * steepness[knot])
    return drawn


def exponential_twin(rng, mean_ns):
    ns = np.empty(SIZE, np.int64)
    for i in range(SIZE):
        ns[i] = max(math.ceil(mean_ns * rng.standard_exponential()), 1)
    return ns


def geometric_twin(rng, scale):
    lengths = np.empty(SIZE, np.int64)
    for i in range(SIZE):
        lengths[i] = 1 + int(scale * rng.standard_exponential())
    return lengths


def some_twin(rng, count, size):
    return rng.permutation(count)[:size]


def systematic_twin(rng, count, expected):
    return rng.permutation(np.arange(count) < math.floor(expected + rng.random()))


def strata_twin(rng, count):
    drawn = np.empty(count)
    for i in range(count):
        drawn[i] = (i + rng.random()) / count
    return rng.permutation(drawn)


def uneven_twin(rng, mean_ns):
    ns = np.empty(SIZE, np.int64)
    for i in range(SIZE):
        quantile = (i + rng.random()) / SIZE
        ns[i] = math.ceil(mean_ns * (0.25 + quantile + quantile / 2) * rng.standard_exponential())
    return ns


def drifting_twin(rng, pages, references, size, swapped, scale, cumulative):
    touched = np.empty(references, np.int64)
    popular = rng.permutation(pages)
    at = 0
    while at < references:
        length = min(references - at, 1 + int(scale * rng.standard_exponential()))
        for i in range(at, at + length):
            rank = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
            touched[i] = popular[min(rank, size - 1)]
        leaving, coming = rng.permutation(size)[:swapped], size + rng.permutation(pages - size)[:swapped]
        for a, b in zip(leaving, coming):  # noqa: B905 - Numba knows no strict zip
            popular[a], popular[b] = popular[b], popular[a]
        at += length
    return touched


def methods_twin(rng, limit):
    reals = rng.standard_exponential(SIZE) + rng.random(SIZE)
    return reals + rng.permutation(reals) + rng.integers(0, limit, SIZE) + rng.integers(0, limit)


def methods(rng, limit):
    reals = rng.standard_exponential(SIZE) + rng.random(SIZE)
    return reals + rng.permutation(reals) + rng.integers(limit, size=SIZE) + rng.integers(limit)


def wide_twin(rng, limit):
    return np.array([int(rng.random() * limit) for _ in range(SIZE)])


def unevenly(rng, mean_ns):
    quantile, times = np.empty(SIZE), np.empty(SIZE)
    for i in range(SIZE):
        quantile[i], times[i] = (i + rng.random()) / SIZE, rng.standard_exponential()  # as in strata: with all bits
    return np.ceil(mean_ns * uneven(quantile) * times).astype(np.int64)


def of_law(rng, *table):
    return Law(*table).at(rng.random(SIZE))


CASES = {  # what is drawn, its twin, and what the twin is given
    "methods": (lambda rng: methods(rng, 1000), methods_twin, (1000,)),
    "one value": (lambda rng: methods(rng, 1), methods_twin, (1,)),
    "widest integers": (lambda rng: methods(rng, INTEGERS_BELOW - 1), methods_twin, (INTEGERS_BELOW - 1,)),
    "wide limit": (lambda rng: [int(rng.random() * 10**14) for _ in range(SIZE)], wide_twin, (10**14,)),
    "zipf": (lambda rng: zipf_ranks(rng, 1000, 0.99, SIZE), zipf_twin, (zipf_sums(1000, 0.99),)),
    "many ranks": (lambda rng: zipf_ranks(rng, 50_000, 0.8, SIZE), zipf_twin, (zipf_sums(50_000, 0.8),)),
    "exponential": (lambda rng: exponential_ns(rng, 2.1e6, SIZE), exponential_twin, (2.1e6,)),
    "long exponential": (lambda rng: exponential_ns(rng, 1e14, SIZE), exponential_twin, (1e14,)),
    "geometric": (lambda rng: [geometric(rng, 250) for _ in range(SIZE)], geometric_twin, (geometric_scale(250),)),
    "steps of 1": (lambda rng: [geometric(rng, 1) for _ in range(SIZE)], geometric_twin, (geometric_scale(1),)),
    "poisson": (lambda rng: of_law(rng, *poisson(40.0)), law_twin, poisson(40.0)),
    "sizes": (lambda rng: of_law(rng, *_sizes(24, 8.0, 120)), law_twin, _sizes(24, 8.0, 120)),
    "pareto": (
        lambda rng: of_law(rng, *bounded_pareto_ns(1.1, 300_000, 40 * MS)),
        law_twin,
        bounded_pareto_ns(1.1, 300_000, 40 * MS),
    ),
    "day": (lambda rng: of_law(rng, *_time_of_day_ns(10**14, 0.8)), law_twin, _time_of_day_ns(10**14, 0.8)),
    "some": (lambda rng: some_of(rng, SIZE, 1500), some_twin, (SIZE, 1500)),
    "systematic": (lambda rng: systematic(rng, SIZE, 0.6), systematic_twin, (SIZE, SIZE * 0.6)),
    "strata": (lambda rng: strata(rng, SIZE), strata_twin, (SIZE,)),
    "uneven": (lambda rng: unevenly(rng, 1e14), uneven_twin, (1e14,)),
    "drifting": (
        lambda rng: drifting(rng, 90, 0.7, SIZE, 36, 250, 0.5),
        drifting_twin,
        (90, SIZE, 36, 18, geometric_scale(250), zipf_sums(36, 0.7)),
    ),
}


@functools.cache  # several cases have one twin
def compiled(twin, fused: bool):
    return numba.njit(fastmath={"contract"} if fused else False)(twin)


def fuses() -> bool:
    """Whether leave to fuse is used on this machine: .1 * 10 is 1 once it is rounded, and a little more before."""
    return compiled(product_and_sum, True)(0.1, 10.0, -1.0) != 0


def product_and_sum(a, b, c):
    return a * b + c


@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("name", CASES)
def test_a_compiled_twin_draws_the_same_and_leaves_the_same_state(name, fused):
    draw, twin, given = CASES[name]
    if fused and not fuses():
        pytest.skip("this machine has no fused operations")
    for seed in range(STATES):
        one, other = generator(seed), generator(seed)
        assert np.array_equal(draw(one), compiled(twin, fused)(other, *given)), seed
        assert one.bit_generator.state == other.bit_generator.state, seed


def test_tables_are_kept_and_cannot_be_written_to():
    for column in poisson(40.0):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    assert poisson(40.0) is poisson(40.0)


# -- the laws


def unlikely(counts: dict, chances: dict) -> float:
    """How many of its deviations chi-square lies above its mean; values that come less than 10 times go together."""
    total = sum(counts.values())
    expected = {value: total * chance for value, chance in chances.items() if total * chance >= 10}
    rest = total - sum(counts[value] for value in expected), total - sum(expected.values())
    pairs = [(counts[value], often) for value, often in expected.items()] + [rest] * (rest[1] >= 10)
    assert len(pairs) > 1 and (rest[1] >= 10 or rest[0] < 30)
    free = len(pairs) - 1
    return (sum((n - often) ** 2 / often for n, often in pairs) - free) / math.sqrt(2 * free)


def drawn(values) -> Counter:
    return Counter(np.asarray(values).tolist())


def test_a_law_takes_each_value_up_to_its_share():
    given = law(np.array([3, 4, 10]), np.array([0.2, 0.6, 1.0]))
    assert given.at(np.array([0.0, 0.1, 0.2, 0.2001, 0.6])).tolist() == [3, 3, 3, 4, 4]
    assert given.at(np.array([0.6001, 0.66, 0.67, 0.9, 0.94, 1.0])).tolist() == [5, 5, 6, 9, 10, 10]  # .4 by six values
    assert (int(given.at(0.6)), int(given.at(0.94))) == (4, 10)
    assert (
        unlikely(drawn(given.at(generator(0).random(60_000))), {3: 0.2, 4: 0.4} | dict.fromkeys(range(5, 11), 0.4 / 6))
        < 5
    )


@pytest.mark.parametrize(
    "given",
    [
        poisson(0.51),
        poisson(1.5e6),
        _sizes(24, 8.0, 120),
        _sizes(10**6, 1e8, 10**8),
        bounded_pareto_ns(10.0, 1, 10**14),
        bounded_pareto_ns(0.05, 7, 7),
        _time_of_day_ns(1, 1.0),
        _time_of_day_ns(10**14, 1.0),
    ],
)
def test_a_law_keeps_to_its_knots_to_the_last_bit(given):
    """Also where a share lies beside a knot by one bit, and at both ends."""
    assert (np.diff(given.share) > 0).all() and given.share[-1] == 1
    assert (np.diff(given.value) > 0).all()
    assert given.at(given.share).tolist() == given.value.tolist()
    after = given.at(np.nextafter(given.share[:-1], 1))
    assert ((given.value[:-1] <= after) & (after <= given.value[1:])).all()
    assert given.at(0.0) == given.value[0] and given.at(1 - 2**-53) <= given.value[-1]


@pytest.mark.parametrize("mean", [0.51, 4.0, 40.0, 1000.0])
def test_poisson_counts(mean):
    chances = {k: math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(int(2 * mean) + 40)}
    table = poisson(mean)
    expected = np.cumsum([chances.get(int(k), 0.0) for k in table.value]) + sum(
        chances[k] for k in range(int(table.value[0]))
    )
    assert table.share == pytest.approx(expected, abs=1e-12)
    assert unlikely(drawn(table.at(generator(3).random(100_000))), chances) < 5


def test_poisson_counts_far_from_zero():
    """Mean and variance of 10^6, by the table itself."""
    table = poisson(1e6)
    chance = np.diff(table.share, prepend=0.0)
    mean = (chance * table.value).sum()
    assert mean == pytest.approx(1e6, abs=1e-4)
    assert (chance * (table.value - mean) ** 2).sum() == pytest.approx(1e6, rel=1e-9)


@pytest.mark.parametrize("mean", [1.0, 1.5, 10.0, 250.0])
def test_geometric_lengths(mean):
    rng = generator(4)
    lengths = [geometric(rng, mean) for _ in range(50_000)]
    if mean == 1:
        assert set(lengths) == {1}
        return
    assert unlikely(drawn(lengths), {k: (1 - 1 / mean) ** (k - 1) / mean for k in range(1, int(20 * mean))}) < 5
    assert np.mean(lengths) == pytest.approx(mean, abs=4 * mean / math.sqrt(50_000))


def test_the_scale_of_lengths_has_its_worked_number():
    assert geometric_scale(10) == pytest.approx(9.4912, abs=1e-4)


def test_exponential_times_have_their_moments():
    """Mean m + .5 and mean square 2 m^2, within four standard errors; at a mean of .01 all times are 1."""
    ns = exponential_ns(generator(5), 2000.0, 400_000)
    assert ns.mean() == pytest.approx(2000.5, abs=4 * 2000 / math.sqrt(400_000))
    assert (ns**2.0).mean() / 2000**2 == pytest.approx(2, abs=4 * math.sqrt(20 / 400_000) + 0.001)
    assert np.mean(ns > 3 * 2000) == pytest.approx(math.exp(-3), abs=0.002)
    assert set(exponential_ns(generator(6), 0.01, 1000).tolist()) == {1}


def test_some_are_different_and_any_order_is_as_likely():
    rng = generator(7)
    pairs = [tuple(some_of(rng, 4, 2).tolist()) for _ in range(12_000)]
    assert unlikely(Counter(pairs), dict.fromkeys(itertools.permutations(range(4), 2), 1 / 12)) < 5
    assert some_of(rng, 5, 0).tolist() == [] and sorted(some_of(rng, 5, 5).tolist()) == [0, 1, 2, 3, 4]


def test_strata_have_one_draw_in_each_slice():
    one, other = strata(generator(8), 50), strata(generator(9), 50)
    assert sorted((one * 50).astype(int).tolist()) == list(range(50))
    assert not np.array_equal(one, other) and (np.diff(one) < 0).any()
    assert uneven(np.array([0.0, 0.5, 1.0])).tolist() == [0.25, 1.0, 1.75]


def whole_between(given: Law, shares) -> np.ndarray:
    """How far the law's share is from `shares` at whole values, some of them between knots."""
    values = np.concatenate([given.value[-1:], *(given.value[:-1] + np.diff(given.value) * k // 4 for k in range(4))])
    of_law = np.interp(values, given.value, given.share)
    return np.abs(of_law - shares(values)).max()


@pytest.mark.parametrize(
    ("shape", "shortest_ns", "longest_ns", "most"),
    [(1.1, 300_000, 40 * MS, 5e-7), (1.1, 1, 100, 1e-14), (0.05, 1, 10**14, 1e-3), (10.0, 300, 10**14, 1e-3)],
)
def test_pareto_bursts(shape, shortest_ns, longest_ns, most):
    """P(burst <= x) = (1 - (shortest / x)^shape) / (1 - (shortest / longest)^shape), at whole x."""

    def share(x):
        return (1 - (shortest_ns / x) ** shape) / (1 - (shortest_ns / longest_ns) ** shape)

    given = bounded_pareto_ns(shape, shortest_ns, longest_ns)
    assert whole_between(given, share) < most
    assert given.value[0] == shortest_ns and given.value[-1] <= longest_ns


@pytest.mark.parametrize(("deviation", "most"), [(8.0, 1e-14), (0.0, 1e-14), (5e4, 2e-6)])
def test_sizes_of_localities(deviation, most):
    """Normal, rounded and bounded, written with the error function: P(size <= k) = (1 + erf) / 2 at k + 1/2."""

    def share(k):
        z = (np.asarray(k) + 0.5 - 24) / max(deviation, 1e-9) / math.sqrt(2)
        return np.where(np.asarray(k) >= 30_000, 1.0, [(1 + math.erf(each)) / 2 for each in z])

    given = _sizes(24, deviation, 30_000)
    assert whole_between(given, share) < most and given.value[0] >= 1 and given.value[-1] <= 30_000
    assert set(_sizes(24, 8.0, 20).at(generator(1).random(500)).tolist()) <= set(range(1, 21))
    assert np.mean(_sizes(24, 8.0, 20).at(generator(1).random(50_000)) == 20) == pytest.approx(0.713, abs=0.01)


@pytest.mark.parametrize("swing", [0.0, 0.8, 1.0])
def test_the_time_of_day(swing):
    """The density is summed here, hour by hour, in place of its integral's formula."""
    middle = (np.arange(10**6) + 0.5) / 10**6
    summed = np.append(0, np.cumsum(1 - swing * np.cos(2 * np.pi * middle)) / 10**6)
    given = _time_of_day_ns(10**9, swing)
    assert whole_between(given, lambda ns: np.interp(ns / 10**9, np.linspace(0, 1, 10**6 + 1), summed)) < 1e-6
    assert (given.value[0], given.value[-1]) == (0, 10**9)


# -- nothing else is drawn from

FOLDER = Path(draws.__file__).parent
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.py"))}
NOT_REPEATED = {  # powers and the like, and means, which are sums; `interp` may be fused
    *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "power", "pow", "sin", "cos", "tan", "arctan", "tanh"),
    *("erf", "lgamma", "gamma", "interp", "mean", "std", "var", "average", "dot"),
}
UNKEPT_TABLES = {"_zipf_weights"}  # as long as there are ranks: its callers keep what is small


def functions(sources: dict[str, str]) -> list[ast.FunctionDef]:
    return [
        node for text in sources.values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)
    ]


def named(node: ast.AST) -> str:
    """Of `np.exp` and `exp` it is exp."""
    return getattr(node, "attr", getattr(node, "id", ""))


def uses_of_rng(sources: dict[str, str]) -> list[str]:
    """Where a generator is used in another way than `rng.METHOD(...)` or as an argument of a family's function."""
    ours = {function.name for function in functions(sources)} | {"draw"}  # registry: entry.draw
    found = []
    for name, text in sources.items():
        tree = ast.parse(text)
        allowed = set()
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
                allowed.add(id(call.func.value))
            if named(call.func) in ours:
                allowed |= {id(each) for each in [*call.args, *(keyword.value for keyword in call.keywords)]}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Name)
                and node.id == "rng"
                and isinstance(node.ctx, ast.Load)
                and id(node) not in allowed
            ):
                found.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.arg) and node.annotation is not None and node.arg != "rng":
                found += [f"{name}:{node.lineno}"] * ("Generator" in ast.unparse(node.annotation))
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("np.random.", "random.")):
                found.append(f"{name}:{node.lineno}")
    return found


def powers_outside_of_tables(sources: dict[str, str]) -> list[str]:
    found = []
    for function in functions(sources):
        for node in ast.walk(function):
            power = (
                isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not isinstance(node.left, ast.Constant)
            )
            if power or (
                isinstance(node, (ast.Call, ast.Attribute)) and named(getattr(node, "func", node)) in NOT_REPEATED
            ):
                found += [function.name] * ("table" not in map(named, function.decorator_list))
    return sorted(set(found) - UNKEPT_TABLES)


def test_families_draw_from_nothing_else():
    assert uses_of_rng(SOURCES) == []


def test_powers_stand_in_tables():
    assert powers_outside_of_tables(SOURCES) == []


@pytest.mark.parametrize(
    "line",
    [
        "rng.choice(3)",
        "rng.poisson(2.0)",
        "rng.exponential(2.0)",
        "again = rng",
        "pick = rng.choice",
        "rng.bit_generator.random_raw()",
        "np.random.permutation(rng)",
        "shuffled(rng)",
    ],
)
def test_another_way_to_draw_is_found(line):
    assert uses_of_rng({**SOURCES, "own": f"def own(rng, *, pages):\n    {line}\n"}) == ["own:2"] * (
        1 + ("np." in line)
    )


@pytest.mark.parametrize("line", ["x ** 2", "np.exp(x)", "x.mean()", "math.log(x)", "np.interp(x, x, x)"])
def test_a_power_of_what_is_drawn_is_found(line):
    own = f"def own(rng, x):\n    return {line}\n"
    assert powers_outside_of_tables({"own": own}) == ["own"]
    assert powers_outside_of_tables({"own": f"@table\n{own}"}) == []


def test_a_generator_of_another_name_is_found():
    assert uses_of_rng({"own": "def own(chance: np.random.Generator):\n    chance.choice(3)\n"}) == ["own:1"]


class Watched(np.random.Generator):
    """A generator that refuses integers whose range is too wide for compiled code."""

    def integers(self, low, high=None, size=None, **options):
        assert np.all(np.asarray(low if high is None else high) - (0 if high is None else low) < INTEGERS_BELOW)
        return super().integers(low, high, size, **options)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_integers_stay_narrow_whatever_the_times(name, monkeypatch):
    monkeypatch.setattr(registry, "stream", lambda *given: Watched(np.random.PCG64(0)))
    times = {key: parameter.high for key, parameter in FAMILIES[name].card.parameters.items() if parameter.unit == "ns"}
    for split in (None, "train", "ood"):
        assert len(workload(name, 0, split)) > 0
    assert len(workload(name, 0, **times)) > 0  # all at once: a long period alone takes as many short sections


def test_wide_integers_are_watched():
    with pytest.raises(AssertionError):
        Watched(np.random.PCG64(0)).integers(10**14)
    assert Watched(np.random.PCG64(0)).integers(5, 9) in range(5, 9)
