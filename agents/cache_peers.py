"""Learned claims beside the learned caches of libCacheSim, on the same references: misses.

    python agents/cache_peers.py learned runs/search-memory-0 --split val --page docs/learned-measured.md

LRB (Song et al., NSDI 2020), GL-Cache (Yang et al., FAST 2023) and 3L-Cache (Zhou et al., FAST 2025) learn while they
run, on what they see; a claim was trained before and learns no more. All replay the page references of the same tapes
of one thread in the same number of frames, on one node without scans, so that a fault is a miss. Beside them stand the
best policy of each tape that does not know the future, LRU, and Belady's MIN, which does. A claim is named by its run,
or as it ships. libCacheSim (GPLv3) is no dependency: pip install libcachesim.

On a short tape LRB and 3L-Cache evict as LRU does, because they begin to learn later. GL-Cache's defaults are for
millions of objects: it evicts segments of 100, here of a tenth of the cache, and retrains ten times on a tape, not once
a day.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import one_line
from cases import FAMILIES, RECORDINGS, Policy, cases_of
from results import claim_of, put_section
from rich.console import Console
from rich.progress import track

from sos_gym import Tape, evaluate, policies
from sos_gym.leaderboard.grid import FRAMES_RATIO
from sos_gym.markdown import table
from sos_gym.settings.presets import PRESETS
from sos_gym.workload.tables import PAGE_OPS, op_in

MEMORY = next(iter(PRESETS))
LONG = ("zipf(references=400000)", "scan(references=400000)")  # on which LRB and 3L-Cache come to learn at all
ALONE = {"nodes": 1, "scan_ns": None}  # a plain cache
RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])  # oracleGeneral
RETRAINED = 10  # times that GL-Cache learns on a tape
SEGMENTS = 10  # of GL-Cache in the cache
BUCKETS = 16  # log2, of their hash tables
LRU, MIN = "lru", "clairvoyant"


def peers(frames: int, references: int) -> dict[str, Callable[[], object]]:
    """What makes each of the learned caches, with room for so many pages."""
    import libcachesim as lc

    objective = {"objective": "object-miss-ratio"}
    segment = {"segment_size": max(2, frames // SEGMENTS), "retrain_intvl": max(1, references // RETRAINED)}
    return {
        "LRB": lambda: lc.LRB(cache_size=frames, hashpower=BUCKETS, **objective),
        "GL-Cache": lambda: lc.GLCache(cache_size=frames, hashpower=BUCKETS, **segment),
        "3L-Cache": lambda: lc.ThreeLCache(cache_size=frames, hashpower=BUCKETS, **objective),
    }


def references_of(tape: Tape) -> np.ndarray:  # int (n,), pages
    """In the order in which its one thread makes them."""
    return tape.ops["arg"][op_in(tape.ops, PAGE_OPS)]


def misses_of(cache: object, references: np.ndarray) -> int:
    """Of a cache of libCacheSim, empty at first."""
    import libcachesim as lc

    rows = np.zeros(len(references), RECORD)
    rows["time"], rows["id"], rows["size"], rows["next"] = np.arange(len(rows)), references + 1, 1, -1
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(rows.tobytes())
        file.flush()
        options = lc.ReaderInitParam(ignore_obj_size=True)
        ratio, _ = cache.process_trace(lc.TraceReader(file.name, lc.TraceType.ORACLE_GENERAL_TRACE, options))
    return round(ratio * len(rows))


def tapes_of(split: str) -> dict[str, Tape]:
    """Those of one thread: each family's first, the recordings of the split, then LONG."""
    cases = [*cases_of([MEMORY], [FAMILIES, RECORDINGS], split), *cases_of([MEMORY], LONG, split)]
    found = {str(case): case.episode(0).tape for case in cases}
    return {name: tape for name, tape in found.items() if len(tape.threads) == 1}


def faults_of(policy: Policy, tape: Tape, frames: int) -> int:
    return evaluate(MEMORY, policy, tape, 0, frames=frames, **ALONE)[0]["faults"]


def compared(tape: Tape, claims: Mapping[str, Policy], online: Sequence[str], pool: ThreadPoolExecutor) -> list[str]:
    """A line of the table: frames, MIN's misses, and those of the others relative to them."""
    frames, references = max(2, round(FRAMES_RATIO * len(tape.pages))), references_of(tape)
    everybody: dict[str, Policy] = {**claims, LRU: LRU, MIN: MIN, **{name: name for name in online}}
    counts = pool.map(lambda one: faults_of(one, tape, frames), everybody.values())
    ours = dict(zip(everybody, counts, strict=True))
    theirs = {name: misses_of(make(), references) for name, make in peers(frames, len(references)).items()}
    best, least = min(online, key=ours.__getitem__), ours[MIN]
    shown = [*(ours[name] for name in claims), *theirs.values(), ours[LRU], ours[best]]
    return [
        str(frames),
        str(least),
        *(f"{misses / least:.3f}" for misses in shown[:-1]),
        f"{shown[-1] / least:.3f} `{best}`",
    ]


def named(policy: str) -> Policy:
    """The claim of a run, or what is registered or ships under that name."""
    return claim_of(Path(policy)) if Path(policy).is_dir() else policy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claims", nargs="+")
    parser.add_argument("--split", default="val", choices=("val", "test", "ood"))
    parser.add_argument("--page", type=Path, help="a page of Markdown to put the table into")
    given = parser.parse_args()
    claims = {Path(claim).name: named(claim) for claim in given.claims}
    online = [name for name, one in policies().items() if not one.privileged]
    heads = ["tape", "frames", "misses of MIN", *claims, *peers(2, 2), "LRU", "the best policy of each"]
    with ThreadPoolExecutor() as pool:
        tapes = tapes_of(given.split)
        rows = [
            (name, *compared(tape, claims, online, pool))
            for name, tape in track(tapes.items(), "replaying", auto_refresh=False)
        ]
    text = table(heads, rows, "l" + "r" * (len(heads) - 1))
    if given.page:
        made = f"Misses relative to MIN's; `python {shlex.join(sys.argv)}`."
        put_section(given.page, f"Beside learned caches, {given.split}", f"{made}\n\n{text}")
    Console().print(text, highlight=False)


if __name__ == "__main__":
    one_line.run(main)
