"""Replay of a page trace: sos_gym's engine against libcachesim's native simulators, in one run on the same work.

    python benchmarks/replay.py [--references 5e6] [--pages 1e4,1e5,1e6] [--alpha 1.0] [--out docs/replay.md]

Both are given the trace in memory or in a file of the page cache, both are warm (kernels compiled, file read once), and
they alternate; the table shows the median of each and of the ratios pair by pair. libcachesim (GPLv3) is not a
dependency of sos_gym: `pip install libcachesim`. It runs twice, with its default hash table (2^24 buckets) and with the
one nearest to the number of pages, which is faster.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

import sos_gym
from sos_gym import Tape
from sos_gym.markdown import number, table

ORACLE = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])  # oracleGeneral


def zipf_references(references: int, pages: int, alpha: float) -> np.ndarray:
    """Independent draws; page names are scattered over the address space."""
    rng = np.random.default_rng(0)
    weight = 1 / np.arange(1, pages + 1) ** alpha
    ranks = np.searchsorted(np.cumsum(weight / weight.sum()), rng.random(references))
    return rng.permutation(pages + 1)[ranks]


def write_oracle(path: Path, references: np.ndarray) -> None:
    """Write the references in libCacheSim's oracleGeneral format, without next accesses."""
    rows = np.zeros(len(references), ORACLE)
    rows["time"], rows["id"], rows["size"], rows["next"] = np.arange(len(references)), references + 1, 1, -1
    rows.tofile(path)


PEERS = {
    "lru": "LRU",
    "turns": "FIFO",
    "second_chance": "Clock",
    "sieve": "Sieve",
    "s3fifo(peer=1)": "S3FIFO",
    "arc": "ARC",
}


def peer(path: Path, name: str, frames: int, hashpower: int) -> tuple[float, int]:
    """Seconds and misses of libcachesim."""
    import libcachesim

    options = libcachesim.ReaderInitParam(ignore_obj_size=True)
    reader = libcachesim.TraceReader(str(path), libcachesim.TraceType.ORACLE_GENERAL_TRACE, options)
    cache = getattr(libcachesim, PEERS[name])(cache_size=frames, hashpower=hashpower)
    start = time.perf_counter()
    ratio, _ = cache.process_trace(reader)
    return time.perf_counter() - start, round(ratio * path.stat().st_size / ORACLE.itemsize)


def ours(tape: Tape, name: str, frames: int) -> tuple[float, int]:
    """Seconds and faults of `sos_gym.evaluate`, laying out the simulation included."""
    start = time.perf_counter()
    run = sos_gym.evaluate("sos/Memory-v0", name, workload=tape, nodes=1, frames=frames, scan_ns=None)[0]
    return time.perf_counter() - start, run["faults"]


def compare(tape: Tape, path: Path, name: str, frames: int, hashpower: int, rounds: int) -> dict:
    """Alternate the two; medians, and the median of the ratios."""
    mine, theirs = [], []
    for _ in range(rounds + 1):  # the first round warms up
        theirs.append(peer(path, name, frames, hashpower))
        mine.append(ours(tape, name, frames))
    if {misses for _, misses in mine} != {misses for _, misses in theirs}:
        raise SystemExit(f"{name}, {frames} frames: {mine[0][1]} faults against {theirs[0][1]} misses")
    ratios = [b[0] / a[0] for a, b in zip(mine[1:], theirs[1:], strict=True)]
    count = len(tape) / 1e6
    return {
        "pages": len(tape.pages),
        "policy": name,
        "frames": frames,
        "misses": mine[0][1],
        "hash buckets": f"2^{hashpower}",
        "sos_gym M/s": count / statistics.median(t for t, _ in mine[1:]),
        "libcachesim M/s": count / statistics.median(t for t, _ in theirs[1:]),
        "ratio": statistics.median(ratios),
    }


def on_trace(references: np.ndarray, pages: int, arguments: argparse.Namespace) -> list[dict]:
    """All policies, two sizes of memory, two hash tables of the peer."""
    tape, rows = Tape.from_references(references), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace")
        write_oracle(path, references)
        for name in arguments.policies.split(","):
            for frames in (pages // 100, pages // 10):
                for hashpower in (24, int(np.ceil(np.log2(len(tape.pages))))):
                    rows.append(compare(tape, path, name, frames, hashpower, arguments.rounds))
                    print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=float, default=5e6)
    parser.add_argument("--pages", default="1e4,1e5,1e6", help="numbers of pages to draw from")
    parser.add_argument("--policies", default="lru,turns,second_chance", help=", ".join(PEERS))
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for pages in (int(float(text)) for text in arguments.pages.split(",")):
        rows += on_trace(zipf_references(int(arguments.references), pages, arguments.alpha), pages, arguments)
    versions = ", ".join(f"{name} {version(name)}" for name in ("sos-gym", "numba", "numpy", "libcachesim"))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
    cells = [[number(cell, 2 if isinstance(cell, float) else None) for cell in row.values()] for row in rows]
    made = f"`python {' '.join(sys.argv)}` on {machine}."
    text = f"# Replay beside libcachesim\n\n{made}\n\n{table(list(rows[0]), cells)}\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
