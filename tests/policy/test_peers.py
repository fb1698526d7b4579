"""Miss counts against libCacheSim, to the last miss: one thread, one node, no scan."""

from pathlib import Path

import numpy as np
import pytest
from runs import run

from sos_gym import Tape, workload, workloads
from sos_gym.resource import Op

lc = pytest.importorskip("libcachesim")


def native(init: str, parameters: str):
    """A cache of libCacheSim's, or parameters, that its Python classes leave out."""

    def cache(cache_size: int, hashpower: int):
        common = lc.cache._create_common_params(cache_size, hashpower=hashpower)
        return lc.cache.CacheBase(_cache=getattr(lc.libcachesim_python, init)(common, parameters))

    return cache


RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])  # oracleGeneral
PEERS = {
    "recency": lc.LRU,
    "turns": lc.FIFO,
    "second_chance": lc.Clock,  # one bit, 0 at load
    "frequency": lc.LFU,  # counts start anew at each miss; ties by recency
    "ageing(peer=1)": lc.LFUDA,  # adds the least key to a key at every use
    "clairvoyant": lc.Belady,
    "arc": lc.ARC,
    "sieve": lc.Sieve,
    "s3fifo": native(
        "S3FIFOv0_init", "small-size-ratio=0.1,ghost-size-ratio=0.9,move-to-main-threshold=2"
    ),  # as published
    "s3fifo(peer=1)": lc.S3FIFO,  # until the first eviction what the small queue has no room for enters main
    "slru(protected=0.75, peer=1)": native("SLRU_init", "seg-size=1:3"),
    "slru(segments=4, protected=0.75, peer=1)": lc.SLRU,  # until it is full newcomers take any segment with room
    "twoq": lc.TwoQ,
    "lruk(history=0)": lc.LRUK,  # keeps no history; those with fewer than k references: the first to come goes
}


def zipf(alpha: float) -> np.ndarray:
    """A million independent references to 20 000 pages."""
    rng = np.random.default_rng(int(10 * alpha))
    mass = np.cumsum(1 / np.arange(1, 20_001) ** alpha)
    return rng.permutation(20_001)[np.searchsorted(mass, rng.random(1_000_000) * mass[-1])]


def loop() -> np.ndarray:
    """500 pages round and round, now and then another one."""
    references = np.arange(60_000) % 500
    strays = np.random.default_rng(0).integers(0, len(references), 3_000)
    references[strays] = 500 + np.arange(3_000) % 700
    return references


RECORDINGS = ["gzip", "python", "sort", "sqlite"]  # of one thread
TRACES = {
    **{f"zipf {alpha}": (lambda alpha=alpha: zipf(alpha)) for alpha in (0.6, 1.0, 1.2)},
    "loop": loop,
    **{name: (lambda name=name: workload(name)) for name in RECORDINGS},
}
# LFUDA counts up from each level to the next, and here the keys need 50 bits or more (sqlite, 20 frames: 1 031).
ENDLESS = {("zipf 0.6", 0.02), ("zipf 1.0", 0.02), ("zipf 1.2", 0.02)} | {
    (name, share) for name in ("sort", "sqlite") for share in (0.02, 0.2)
}
ENDLESS |= {(name, share) for name in ("gzip", "python") for share in (0.02, 0.2, 0.7)}  # not waited for
SHARES = [0.02, 0.2, 0.7]  # of the pages


def tape_and_file(name: str, folder: Path) -> tuple[Tape, str]:
    """A trace as a tape, and the path of the file of the same references that the peer reads."""
    tape = TRACES[name]()
    if not isinstance(tape, Tape):
        tape = Tape.from_references(tape)
    assert len(tape.threads) == 1
    pages = tape.ops["arg"][np.isin(tape.ops["op"], (Op.READ, Op.WRITE))]
    path = folder / "trace.oracleGeneral"
    records = np.zeros(len(pages), RECORD)
    records["id"], records["size"], records["next"] = pages + 1, 1, -1  # -1: never again
    order = np.argsort(pages, kind="stable")
    again = pages[order][1:] == pages[order][:-1]
    records["next"][order[:-1][again]] = order[1:][again]
    records.tofile(path)
    return tape, str(path)


def frames_for(tape: Tape, share: float) -> int:
    """The peers want a small queue, and four equal segments."""
    return max(20, int(len(tape.pages) * share) // 4 * 4)


def misses_of(cache, frames: int, path: str, references: int) -> int:
    """Of a peer."""
    plain = lc.ReaderInitParam(ignore_obj_size=True)
    reader = lc.TraceReader(trace=path, trace_type=lc.TraceType.ORACLE_GENERAL_TRACE, reader_init_params=plain)
    miss_ratio, _ = cache(cache_size=frames, hashpower=16).process_trace(reader)
    return round(miss_ratio * references)


@pytest.fixture(scope="module", params=TRACES)
def trace(request, tmp_path_factory):
    return request.param, *tape_and_file(request.param, tmp_path_factory.mktemp("peers"))


def test_recordings_of_pages_are_among_the_traces():
    assert all(workloads()[name].side == "memory" for name in RECORDINGS)


@pytest.mark.parametrize("policy", PEERS)
@pytest.mark.parametrize("share", SHARES)
def test_misses_equal_libcachesims(trace, policy, share):
    name, tape, path = trace
    if PEERS[policy] is lc.LFUDA and (name, share) in ENDLESS:
        pytest.skip("the peer does not end")
    frames = frames_for(tape, share)
    simulation = run(tape, policy, frames=frames)
    ours, references = int(simulation.record["faults"][0]), int(simulation.record["references"][0])
    assert ours == misses_of(PEERS[policy], frames, path, references)
    assert len(tape.pages) <= ours < references
    assert simulation.record["evictions"][0] == ours - min(frames, len(tape.pages))
