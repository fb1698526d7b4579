"""Families of bursts and sleeps, for CPU."""

import numpy as np

from sos_gym.resource import DEFAULT_WEIGHT, Op
from sos_gym.workload.families.draws import KNOTS, Law, exponential_ns, law, strata, systematic, table, uneven
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tables import GROWING, OPS
from sos_gym.workload.tape import Tape, op_array

MS = 1_000_000  # ns
LOYALTY = "share of bursts of the thread's own kind; the past tells more"
DAY_NS = 10**14


def sleeping_bursts(burst_ns: np.ndarray, sleep_ns: np.ndarray) -> np.ndarray:  # OPS (..., 2 * bursts)
    """A program, or a row of them, that sleeps before each burst, so that threads do not start in step."""
    ops = np.zeros((*burst_ns.shape, 2), OPS)
    ops["op"] = Op.SLEEP, Op.COMPUTE
    ops["arg"][..., 0], ops["arg"][..., 1] = sleep_ns, burst_ns
    return ops.reshape(*burst_ns.shape[:-1], -1)


def levelled(sleep_mean_ns: float, burst_mean_ns: np.ndarray, overall_ns: float) -> np.ndarray:  # float (threads,)
    """Mean sleeps that make threads of unlike bursts live equally long, or nearly (a tenth is left to the longest)."""
    return np.maximum(sleep_mean_ns + overall_ns - burst_mean_ns, sleep_mean_ns / 10)


@family(
    "hyperexponential",
    "cpu",
    "Short-burst and long-burst threads; each mostly keeps to its kind.",
    "Kleinrock, Queueing Systems, 1975 (H2); Harchol-Balter, Performance Modeling, 2013, on variability",
    threads=Parameter(12, "threads", 1, 10**6, "more threads wait for a core"),
    bursts=Parameter(60, "bursts", 1, 10**7, "bursts per thread; a longer episode"),
    burst_mean_ns=Parameter(2 * MS, "ns", 1, DAY_NS, "mean burst over all threads; more load", ood=(3 * MS, 4 * MS)),
    short_mean_ns=Parameter(MS // 2, "ns", 1, DAY_NS, "mean short burst; at most burst_mean_ns; less variable"),
    short_ratio=Parameter(0.6, "", 0.0, 0.999, "share of short bursts; the long ones get longer", ood=(0.75, 0.9)),
    loyalty=Parameter(0.9, "", 0.0, 1.0, LOYALTY),
    sleep_mean_ns=Parameter(4 * MS, "ns", 1, DAY_NS, "mean sleep between bursts; less load"),
)
def hyperexponential(
    rng,
    *,
    threads,
    bursts: int,
    burst_mean_ns,
    short_mean_ns,
    short_ratio,
    loyalty,
    sleep_mean_ns,
    known: Known | None = None,
) -> Tape:
    """Short-first rules win, and a thread's past bursts say which it is.

    A burst is short with probability .6 (mean .5 ms), else long (mean 4.25 ms): 2 ms in all. A thread's sleeps are
    longer by what its bursts are shorter, so that threads of both kinds live equally long.
    """
    means_ns = np.array([_long_mean_ns(burst_mean_ns, short_mean_ns, short_ratio), min(short_mean_ns, burst_mean_ns)])
    rest_ns = levelled(sleep_mean_ns, means_ns, burst_mean_ns)
    burst_ns, sleep_ns = np.empty((2, threads, bursts), np.int64)
    for i, short_thread in enumerate(systematic(rng, threads, short_ratio).astype(int)):
        own = rng.random(bursts) < loyalty
        short = np.where(own, short_thread, rng.random(bursts) < short_ratio)
        burst_ns[i] = exponential_ns(rng, means_ns[short], bursts)
        if known:
            known.bursts(i, 2 * np.arange(bursts) + 1, means_ns[short])
        sleep_ns[i] = exponential_ns(rng, rest_ns[short_thread], bursts)
    return Tape.build(sleeping_bursts(burst_ns, sleep_ns))


def _long_mean_ns(burst_mean_ns: float, short_mean_ns: float, short_ratio: float) -> float:
    """What long bursts take so that all bursts together have their mean: 2 ms, .5 ms, .6 -> 4.25 ms."""
    return (burst_mean_ns - short_ratio * min(short_mean_ns, burst_mean_ns)) / (1 - short_ratio)


@family(
    "bounded_pareto",
    "cpu",
    "Heavy-tailed bursts: a few hold most of the work; a thread mostly keeps to its size.",
    "Harchol-Balter and Downey, Exploiting process lifetime distributions, TOCS 1997",
    threads=Parameter(16, "threads", 1, 10**6, "more threads wait for a core", ood=(20, 24)),
    bursts=Parameter(60, "bursts", 1, 10**7, "bursts per thread; a longer episode"),
    shape=Parameter(1.1, "", 0.05, 10.0, "tail index; a lighter tail, shorter bursts", ood=(0.8, 1.0)),
    shortest_ns=Parameter(300_000, "ns", 1, DAY_NS, "least burst; longer bursts"),
    longest_ns=Parameter(40 * MS, "ns", 1, DAY_NS, "greatest burst, at least shortest_ns; a heavier tail"),
    loyalty=Parameter(0.5, "", 0.0, 1.0, LOYALTY),
    sleep_mean_ns=Parameter(3 * MS, "ns", 1, DAY_NS, "mean sleep between bursts; less load"),
)
def bounded_pareto(
    rng, *, threads, bursts, shape, shortest_ns, longest_ns, loyalty, sleep_mean_ns, known: Known | None = None
) -> Tape:
    """Sizes differ by orders of magnitude, so that the order of service matters most here.

    Each thread owns one of `threads` equal slices of the distribution: its loyal bursts fall there, the others
    anywhere. All bursts together follow the bounded Pareto.
    """
    size_ns = bounded_pareto_ns(shape, shortest_ns, max(longest_ns, shortest_ns))
    drawn = []
    for thread, slice_ in enumerate(rng.permutation(threads)):
        quantile, loyal = _quantiles(rng, slice_, threads, bursts, loyalty)
        drawn.append(size_ns.at(quantile))
        if known:  # its class: a slice, or all of them, whose index is 1 / hazard = attained / shape
            middle, end = size_ns.at((slice_ + np.array([0.5, 1.0])) / threads)
            then = np.where(loyal, end, GROWING)
            known.bursts(thread, 2 * np.arange(bursts) + 1, np.where(loyal, middle, shortest_ns), then)
    burst_ns = np.array(drawn)
    own_ns, all_ns = burst_ns.sum(axis=1) / bursts, burst_ns.sum() / burst_ns.size  # whole, so in any order
    rest_ns = levelled(sleep_mean_ns, own_ns, all_ns)
    sleep_ns = exponential_ns(rng, rest_ns[:, None], burst_ns.shape)
    return Tape.build(sleeping_bursts(burst_ns, sleep_ns))


def _quantiles(
    rng: np.random.Generator, slice_: int, slices: int, size: int, loyalty: float
) -> tuple[np.ndarray, np.ndarray]:  # float, bool (size,)
    """Uniform over 0..1 for all slices together; `loyalty` of them within the own slice, and which."""
    quantile = rng.random(size)
    loyal = rng.random(size) < loyalty
    return np.where(loyal, (slice_ + quantile) / slices, quantile), loyal


@table
def bounded_pareto_ns(shape: float, shortest_ns: int, longest_ns: int) -> Law:  # shortest_ns..longest_ns
    """Bursts, rounded up: at the quantile .5, shape 1, from 1 to 100, it is 2 (of 1.98).

    Knots lie evenly on a log scale. In between no share is off by more than 5e-7 at the defaults, 1e-3 in any case.
    """
    value = np.unique(np.rint(shortest_ns * (longest_ns / shortest_ns) ** np.linspace(0, 1, KNOTS)))
    return law(value, 1 - (shortest_ns / value) ** shape)


@family(
    "request_reply",
    "cpu",
    "Clients that wait for servers, servers that wait for clients and for a pool of permits.",
    "closed client-server model: Lazowska et al., Quantitative System Performance, 1984",
    clients=Parameter(12, "threads", 1, 10**5, "more load; each client has a server thread of its own", ood=(16, 24)),
    requests=Parameter(80, "requests", 1, 10**6, "requests per client; a longer episode"),
    permits=Parameter(4, "permits", 1, 10**5, "servers at work at once; less waiting for each other", ood=(2, 3)),
    client_mean_ns=Parameter(MS // 2, "ns", 1, DAY_NS, "mean work of a client per request; more load"),
    server_mean_ns=Parameter(MS, "ns", 1, DAY_NS, "mean work of a server per request; more load"),
    sleep_mean_ns=Parameter(2 * MS, "ns", 1, DAY_NS, "mean time that a client thinks, asleep; less load"),
)
def request_reply(
    rng, *, clients, requests, permits, client_mean_ns, server_mean_ns, sleep_mean_ns, known: Known | None = None
) -> Tape:
    """Wakeups depend on the policy: who waits for whom is decided by who ran.

    Clients are a process each, the servers are one. Request channel 2i, reply channel 2i + 1, permits last. Mean
    work differs by client and server, from 1/4 to 7/4 of the mean.
    """
    pool, programs = 2 * clients, []
    shares = uneven(strata(rng, clients)), uneven(strata(rng, clients))
    for i in range(clients):
        work_ns = exponential_ns(rng, client_mean_ns * shares[0][i], requests)
        think_ns = exponential_ns(rng, sleep_mean_ns, requests)
        ask = [(Op.SLEEP, think_ns), (Op.COMPUTE, work_ns), (Op.SIGNAL, 2 * i), (Op.WAIT, 2 * i + 1)]
        programs.append(repeated(requests, ask))
    for i in range(clients):
        serve_ns = exponential_ns(rng, server_mean_ns * shares[1][i], requests)
        guarded = [(Op.WAIT, pool), (Op.COMPUTE, serve_ns), (Op.SIGNAL, pool)]
        programs.append(repeated(requests, [(Op.WAIT, 2 * i), *guarded, (Op.SIGNAL, 2 * i + 1)]))
    if known:
        for i in range(clients):
            known.bursts(i, 0, client_mean_ns * shares[0][i])
            known.bursts(clients + i, 0, server_mean_ns * shares[1][i])
    owners = np.append(np.arange(clients), np.full(clients, clients))
    names = [f"client {i}" for i in range(clients)] + [f"server {i}" for i in range(clients)]
    return Tape.build(programs, owner=owners, channels=[0] * pool + [permits], thread_names=names)


def repeated(times: int, steps: list[tuple]) -> np.ndarray:  # OPS (times * steps,)
    """A program of rounds; a step's argument is one number, or one per round."""
    program = op_array(np.tile([op for op, _ in steps], times))
    for i, (_, arg) in enumerate(steps):
        program["arg"][i :: len(steps)] = arg
    return program


@family(
    "interactive_batch",
    "cpu",
    "Interactive threads with short bursts among batch threads that compute nearly always.",
    "Corbató et al., An experimental time-sharing system, AFIPS 1962 (why MLFQ exists)",
    interactive=Parameter(10, "threads", 0, 10**6, "more short bursts that want a core at once", ood=(14, 20)),
    batch=Parameter(4, "threads", 0, 10**6, "more threads that never leave a core willingly", ood=(5, 8)),
    bursts=Parameter(100, "bursts", 1, 10**7, "bursts per interactive thread; a longer episode"),
    batch_bursts=Parameter(8, "bursts", 1, 10**7, "bursts per batch thread; more background work"),
    interactive_mean_ns=Parameter(MS // 2, "ns", 1, DAY_NS, "mean interactive burst; more load"),
    batch_mean_ns=Parameter(40 * MS, "ns", 1, DAY_NS, "mean batch burst; longer waits behind one"),
    sleep_mean_ns=Parameter(4 * MS, "ns", 1, DAY_NS, "mean sleep of an interactive thread; less load"),
    batch_weight=Parameter(1024, "", 1, 10**6, "weight of batch threads (1024 = nice 0); interactive ones wait longer"),
)
def interactive_batch(
    rng,
    *,
    interactive,
    batch,
    bursts,
    batch_bursts,
    interactive_mean_ns,
    batch_mean_ns,
    sleep_mean_ns,
    batch_weight,
    known: Known | None = None,
) -> Tape:
    """A rule that lets short bursts pass is felt at once."""
    programs = [
        sleeping_bursts(exponential_ns(rng, mean_ns, count), exponential_ns(rng, rest_ns, count))
        for threads, count, mean_ns, rest_ns in (
            (interactive, bursts, interactive_mean_ns, sleep_mean_ns),
            (batch, batch_bursts, batch_mean_ns, sleep_mean_ns / 4),
        )
        for _ in range(threads)
    ]
    if known:
        for i in range(interactive + batch):
            known.bursts(i, 0, interactive_mean_ns if i < interactive else batch_mean_ns)
    names = [f"interactive {i}" for i in range(interactive)] + [f"batch {i}" for i in range(batch)]
    weights = np.append(np.full(interactive, DEFAULT_WEIGHT), np.full(batch, batch_weight))
    return Tape.build(programs, weight=weights, thread_names=names)


@family(
    "schbench",
    "cpu",
    "Message threads that wake all their workers, workers that think, compute and answer; round after round.",
    "Mason, schbench (wakeup latency of Facebook's web tier), 2016; its -m, -t, -s and -c",
    messengers=Parameter(2, "threads", 1, 10**4, "more groups", ood=(3, 4)),
    workers=Parameter(8, "threads", 1, 10**4, "workers per messenger; longer rounds", ood=(12, 16)),
    rounds=Parameter(40, "rounds", 1, 10**6, "a longer episode"),
    dispatch_ns=Parameter(20_000, "ns", 1, DAY_NS, "work of a messenger per worker"),
    think_ns=Parameter(MS, "ns", 1, DAY_NS, "mean sleep of a worker, its network; less load"),
    work_mean_ns=Parameter(2 * MS, "ns", 1, DAY_NS, "mean work of a worker; its own is from 1/4 to 7/4 of it"),
)
def schbench(
    rng, *, messengers, workers, rounds, dispatch_ns, think_ns, work_mean_ns, known: Known | None = None
) -> Tape:
    """A round lasts as long as its last worker: waiting hurts where it is on the critical path.

    Worker i of all has request channel 2i; its answers go to channel 2i + 1, for which its messenger waits.
    """
    programs, count = [], messengers * workers
    for messenger in range(messengers):
        own = range(messenger * workers, (messenger + 1) * workers)
        wakes = [step for i in own for step in ((Op.COMPUTE, dispatch_ns), (Op.SIGNAL, 2 * i))]
        programs.append(repeated(rounds, [*wakes, *((Op.WAIT, 2 * i + 1) for i in own)]))
    share = uneven(strata(rng, count))
    for i in range(count):
        think, work = exponential_ns(rng, think_ns, rounds), exponential_ns(rng, work_mean_ns * share[i], rounds)
        programs.append(
            repeated(rounds, [(Op.WAIT, 2 * i), (Op.SLEEP, think), (Op.COMPUTE, work), (Op.SIGNAL, 2 * i + 1)])
        )
    if known:
        for i in range(messengers):
            known.bursts(i, 0, workers * dispatch_ns, workers * dispatch_ns)
        for i in range(count):
            known.bursts(messengers + i, 0, work_mean_ns * share[i])
    names = [f"messenger {i}" for i in range(messengers)] + [f"worker {i}" for i in range(count)]
    owners = np.append(np.arange(messengers), np.repeat(np.arange(messengers), workers))
    return Tape.build(programs, owner=owners, channels=[0] * (2 * count), thread_names=names)
