"""Page replacement: replay of a zipf trace

Independent references to 100 000 pages, exponent 1, frames for a tenth of them. Misses are identical, to the last one.
`native`: libcachesim's compiled caches, with their default hash table of 2^24 buckets and with the one nearest to the
number of pages, which is faster. `plugin`: its PluginCache, which calls Python hooks at every request. cachetools: its
mappings in a plain loop. Those that call Python at every reference are given the beginning of the trace, and so are we
in their rows. `x`: how many times our time it takes.
"""

import functools
import math
import statistics
from collections.abc import Callable

import numpy as np

from benchmarks.peers import PeerError, Peers, folder
from benchmarks.replay import PEERS, ours, zipf_references
from benchmarks.scale import Scale
from benchmarks.timing import alternate, ratio
from sos_gym import Tape

PAGES, FRAMES, ALPHA = 100_000, 10_000, 1.0
NATIVE = {**PEERS, "lfu": "LFU", "clairvoyant": "Belady"}  # policy -> class of libcachesim
PLUGIN = {"lru": "LRU", "turns": "FIFO"}
CACHETOOLS = {"lru": "LRUCache", "turns": "FIFOCache", "lfu": "LFUCache"}
HASHPOWERS = (24, math.ceil(math.log2(PAGES)))
ORACLE = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])  # oracleGeneral


def cases(scale: Scale) -> list[str]:
    return list(NATIVE)


def measure(case: str, scale: Scale) -> list[dict]:
    policy, rows = case, []
    ways = {
        f"libcachesim native, 2^{power}": {"peer": "native", "rule": NATIVE[policy], "hashpower": power}
        for power in HASHPOWERS
    }
    rows += _rows(policy, scale.references, scale.rounds, ways)
    ways = {}
    if policy in PLUGIN:
        ways["libcachesim plugin"] = {"peer": "plugin", "rule": PLUGIN[policy], "hashpower": HASHPOWERS[1]}
    if policy in CACHETOOLS:
        ways[f"cachetools {CACHETOOLS[policy]}"] = {"peer": "cachetools", "rule": CACHETOOLS[policy]}
    return rows + _rows(policy, scale.python_references, min(scale.rounds, 3), ways)


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    shown = [row for row in rows if "x" in row]
    axes.barh([f"{row['policy']} / {row['against']}" for row in shown], [row["x"] for row in shown], color="#4878a8")
    axes.axvline(1, color="#1b1b1b", linewidth=0.8)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("time / sos_gym's (log scale; left of the line is faster than sos_gym)")


def _rows(policy: str, references: int, rounds: int, ways: dict[str, dict]) -> list[dict]:
    """One row per peer, all in one alternation."""
    tape, path = _work(references)
    ours(tape, policy, FRAMES)  # compiles
    rows = []
    for name, question in ways.items():
        row = {"policy": policy, "against": name, "references": references}
        try:
            found = alternate(rounds, {"ours": lambda: ours(tape, policy, FRAMES), "theirs": _asked(path, question)})
        except PeerError as error:
            rows.append(row | {"remark": str(error)})
            continue
        (mine, faults), (theirs, misses) = found["ours"], found["theirs"]
        if faults != misses:
            raise RuntimeError(f"{policy}, {references} references: {faults} faults, but {misses} misses of {name}")
        speeds = [references / statistics.median(seconds) / 1e6 for seconds in (mine, theirs)]
        row |= {"misses": misses, "sos_gym M/s": speeds[0], "peer M/s": speeds[1], "x": ratio(theirs, mine)}
        rows.append(row)
    return rows


def _asked(path: str, question: dict) -> Callable[[], tuple[float, int]]:
    return lambda: _peers().ask(**question, trace=path, frames=FRAMES)


@functools.cache
def _peers() -> Peers:
    return Peers("caches")


@functools.cache
def _work(references: int) -> tuple[Tape, str]:
    """The tape, and the file of the same references."""
    pages = zipf_references(references, PAGES, ALPHA)
    path = folder() / f"trace-{references}"
    records = np.zeros(references, ORACLE)
    records["time"], records["id"], records["size"] = np.arange(references), pages + 1, 1
    order = np.argsort(pages, kind="stable")
    again = pages[order][1:] == pages[order][:-1]
    records["next"] = -1  # never again
    records["next"][order[:-1][again]] = order[1:][again]
    records.tofile(path)
    return Tape.from_references(pages), str(path)
