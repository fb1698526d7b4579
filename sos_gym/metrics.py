"""What people read of an episode: stall, slowdown, percentiles, fairness, misses, switches."""

from typing import Any

import numpy as np

from sos_gym.engine.account import EXACT_BELOW, STEPS_BIT
from sos_gym.engine.simulation import Simulation
from sos_gym.resource import Resource

STALLS = ("cpu_wait", "switch", "move", "minor", "fault_wait", "remote", "lock_wait")
COUNTS = (
    "decisions",
    "references",
    "faults",
    "major_faults",
    "evictions",
    "switches",
    "moves",
    "write_backs",
    "looks",
    "masked_out",
)


TIMES = (
    "elapsed_ns",
    "deciding_ns",
    *(f"{name}_ns" for name in ("service", "sleep", *STALLS)),
    "stall_ns",
    "wait_p50_ns",
    "wait_p99_ns",
)
RATIOS = ("weighted_stall_ns", "miss_ratio", "mean_response_ns", "response_p99_ns", "slowdown_mean", "jain")
BLANK: dict[str, int | float] = {  # what `info` shows before an episode is over: the names, and 0 of each type
    **dict.fromkeys((*COUNTS, "swaps", "bursts", *TIMES), 0),
    **dict.fromkeys(RATIOS, 0.0),
}


def bucket_ns(bucket: np.ndarray | int) -> Any:
    """The longest wait a bucket counts, ns; at most 1/32 above the shortest one.

    One worked number: a wait of 100 ns is counted in bucket 82, of 100 and 101 ns; bucket_ns(82) = 101.
    """
    bucket = np.asarray(bucket, np.int64)
    octave, step = np.divmod(bucket - EXACT_BELOW, 1 << STEPS_BIT)
    longest = ((step + (1 << STEPS_BIT) + 1) << np.maximum(octave + 1, 0)) - 1
    return np.where(bucket < EXACT_BELOW, bucket, longest)


def wait_quantile_ns(waits: np.ndarray, quantile: float) -> int:
    """The quantile of the waits that a histogram counts, ns; 0 when there are none."""
    total = int(waits.sum())
    if total == 0:
        return 0
    rank = max(1, int(np.ceil(quantile * total)))
    return int(bucket_ns(int(np.searchsorted(np.cumsum(waits), rank))))


def jain(shares: np.ndarray) -> float:
    """Jain's index of fairness, (sum x)^2 / (n sum x^2): 1 equal, 1/n one has all. jain([1, 1, 0]) = 2/3."""
    squares = float(np.square(shares).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares > 0 else 1.0


def exact_sum(times: np.ndarray) -> int:
    """The sum of int64 numbers, which need not fit one: 64 jobs of 200 days on one core wait for more than 2^63 ns."""
    return (int((times >> 32).sum()) << 32) + int((times & 0xFFFFFFFF).sum())


def metrics(simulation: Simulation) -> dict[str, int | float]:
    """The metrics of an episode so far; exact integers where they count.

    stall_ns: time wanted and not had, all threads. weighted_stall_ns: the same, each thread by weight / mean weight.
    minor_ns: of minor faults, which a thread settles on its core; fault_wait_ns: for pages that come from the device.
    lock_wait_ns: for locks that other threads hold.
    deciding_ns: of the stall, what decisions were charged (`decision_ns` each, `look_ns` per look); advice is free.
    looks: accessed bits that were read by who decides or a harvest, or touches of pages that had been unmapped.
    miss_ratio: faults / references. mean_response_ns, response_p99_ns, slowdown_mean: over finished bursts.
    wait_p99_ns: over stretches of waiting, for a core where cores are scarce, else for a page (resolution 1/32).
    jain: fairness of the threads' service per time they were not asleep. swaps: switches + evictions.
    masked_out: rows that an agent chose though the mask forbade them; another one was taken.
    """
    record, threads = simulation.record[0], simulation.arrays["threads"]
    values: dict[str, int | float] = {name: int(record[name]) for name in COUNTS}
    values["swaps"] = values["switches"] + values["evictions"]
    values["elapsed_ns"], values["deciding_ns"] = int(record["now"]), int(record["deciding_ns"])
    for name in ("service", "sleep", *STALLS):
        values[f"{name}_ns"] = exact_sum(threads[name])
    stalls = np.sum([threads[name] for name in STALLS], axis=0)
    weights = simulation.arrays["entities"]["weight"][: len(threads)]
    values["stall_ns"] = exact_sum(stalls)
    values["weighted_stall_ns"] = float((stalls.astype(float) * weights).sum() / weights.mean())
    values["miss_ratio"] = values["faults"] / max(1, values["references"])
    values |= _bursts(simulation)
    resource = Resource.MEMORY if simulation.settings.cores is None else Resource.CPU
    waits = np.split(simulation.arrays["waits"], 2)[resource]
    values["wait_p50_ns"], values["wait_p99_ns"] = wait_quantile_ns(waits, 0.5), wait_quantile_ns(waits, 0.99)
    awake = threads["service"] + stalls
    values["jain"] = jain(threads["service"][awake > 0] / awake[awake > 0])
    return values


def _bursts(simulation: Simulation) -> dict[str, int | float]:
    bursts = simulation.arrays["bursts"][: simulation.record["bursts_used"][0]]
    response = bursts["end"] - bursts["start"]
    worked = bursts["attained"] > 0
    slowdown = response[worked] / bursts["attained"][worked]
    return {
        "bursts": len(bursts),
        "mean_response_ns": float(response.mean()) if len(bursts) else 0.0,
        "response_p99_ns": float(np.quantile(response, 0.99)) if len(bursts) else 0.0,
        "slowdown_mean": float(slowdown.mean()) if len(slowdown) else 1.0,
    }
