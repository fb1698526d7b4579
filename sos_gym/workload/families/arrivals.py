"""Families of threads whose work arrives from outside, whether or not they are done, for CPU."""

import numpy as np

from sos_gym.resource import DEFAULT_WEIGHT, Op
from sos_gym.workload.families.draws import Law, exponential_ns, law, table, uneven
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.families.threads import DAY_NS, MS, repeated, sleeping_bursts
from sos_gym.workload.tape import Tape

US = 1000  # ns


@family(
    "bimodal",
    "cpu",
    "Requests that arrive at random: most take microseconds, a few milliseconds.",
    "the load of microsecond scheduling: Kaffes et al., Shinjuku, NSDI 2019 (99.5 % of .5 µs, .5 % of 500 µs; here "
    "10 µs and 5 ms, so that a switch of 1 µs does not drown them); Fried et al., Caladan, OSDI 2020",
    connections=Parameter(32, "threads", 1, 10**5, "more threads share the same arrivals"),
    requests=Parameter(150, "requests", 1, 10**7, "requests per connection; a longer episode"),
    load=Parameter(3.2, "cores", 0.001, 10**5, "work that arrives per time; 4 cores saturate at 4", ood=(2.0, 2.6)),
    short_ns=Parameter(10 * US, "ns", 1, DAY_NS, "a short request"),
    long_ns=Parameter(5 * MS, "ns", 1, DAY_NS, "a long request; longer waits behind one", ood=(8 * MS, 12 * MS)),
    long_share=Parameter(0.005, "", 0.0, 1.0, "share of long requests"),
)
def bimodal(rng, *, connections, requests, load, short_ns, long_ns, long_share, known: Known | None = None) -> Tape:
    """First come, first served lets hundreds wait behind one; who preempts the long ones wins."""
    long = rng.random((connections, requests)) < long_share
    work_ns = np.where(long, long_ns, short_ns)
    mean_ns = short_ns + long_share * (long_ns - short_ns)
    due_ns = np.cumsum(exponential_ns(rng, mean_ns * connections / load, (connections, requests)), axis=1)
    if known:
        for connection in range(connections):
            known.bursts(connection, 0, short_ns, long_ns)  # the order by Gittins' index, but for .5 % of short_ns
    return Tape.build(
        repeated(requests, [(Op.SLEEP_UNTIL, due), (Op.COMPUTE, work)])
        for due, work in zip(due_ns, work_ns, strict=True)
    )


@family(
    "diurnal",
    "cpu",
    "Owners that come and go, more of them by day than by night; each runs some threads and exits.",
    "Reiss et al., Heterogeneity and dynamicity of clouds at scale, SoCC 2012 (Google's trace: daily waves, tiers of "
    "priority), a day scaled down to a quarter of a second",
    owners=Parameter(20, "processes", 1, 10**5, "more load", ood=(28, 36)),
    threads=Parameter(3, "threads", 1, 10**4, "threads per owner; more load"),
    bursts=Parameter(12, "bursts", 1, 10**6, "bursts per thread; owners stay longer"),
    burst_mean_ns=Parameter(2 * MS, "ns", 1, DAY_NS, "mean burst; an owner's own is from 1/4 to 7/4 of it"),
    sleep_mean_ns=Parameter(3 * MS, "ns", 1, DAY_NS, "mean sleep between bursts; less load"),
    day_ns=Parameter(250 * MS, "ns", 1, DAY_NS, "a day; less load"),
    days=Parameter(2, "days", 1, 10**4, "over which the owners arrive; less load"),
    swing=Parameter(0.8, "", 0.0, 1.0, "0: arrivals are even; 1: none at midnight; sharper peaks", ood=(0.95, 1.0)),
    production_share=Parameter(0.3, "", 0.0, 1.0, "share of owners of four times the weight"),
)
def diurnal(
    rng,
    *,
    owners,
    threads,
    bursts,
    burst_mean_ns,
    sleep_mean_ns,
    day_ns,
    days,
    swing,
    production_share,
    known: Known | None = None,
) -> Tape:
    """The crowd changes: a rule that is right at noon idles at night, and shares are owed to who is there."""
    start_ns = day_ns * rng.integers(days, size=owners) + _time_of_day_ns(day_ns, swing).at(rng.random(owners))
    means_ns = burst_mean_ns * uneven(rng.random(owners))
    production = rng.random(owners) < production_share
    programs = [
        sleeping_bursts(exponential_ns(rng, means_ns[i], bursts), exponential_ns(rng, sleep_mean_ns, bursts))
        for i in range(owners)
        for _ in range(threads)
    ]
    owner = np.repeat(np.arange(owners), threads)
    if known:
        for thread, own in enumerate(owner):
            known.bursts(thread, 0, means_ns[own])
    weight = np.where(production, 4 * DEFAULT_WEIGHT, DEFAULT_WEIGHT)[owner]
    return Tape.build(programs, arrival_ns=start_ns[owner], owner=owner, weight=weight)


@table
def _time_of_day_ns(day_ns: int, swing: float) -> Law:  # 0..day_ns
    """Arrivals in proportion to 1 - swing cos(2 pi t), at each 1024th of a day; no share in between is 1e-6 off."""
    value = np.unique(np.rint(np.linspace(0, day_ns, 1025)))
    phase = value / day_ns
    return law(value, phase - swing * np.sin(2 * np.pi * phase) / (2 * np.pi))
