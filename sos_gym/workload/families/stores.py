"""Families of page references by servers of keys, for Memory."""

import numpy as np

from sos_gym.resource import Op
from sos_gym.workload.families.draws import zipf_gaps, zipf_ranks
from sos_gym.workload.families.known import Known
from sos_gym.workload.families.pages import ALPHA, THINK, WRITES, touches
from sos_gym.workload.families.registry import Parameter, family
from sos_gym.workload.tape import Tape, op_array

LEAF_KEYS = 128  # keys of an index leaf: 4096 bytes, 32 per entry


@family(
    "key_value",
    "memory",
    "Key-value servers, each a process: an index leaf, then the value; reads, updates and short scans.",
    "Cooper et al., Benchmarking cloud serving systems with YCSB, SoCC 2010: scrambled zipfian keys; update_share .5 "
    "is workload A, .05 B, 0 C; scan_share .95 with update_share 0 is E",
    servers=Parameter(3, "threads", 1, 1024, "more stores compete for the frames"),
    requests=Parameter(1500, "requests", 1, 10**7, "requests per server; a longer episode"),
    keys=Parameter(1200, "keys", 1, 10**8, "keys per server; more faults", ood=(2000, 3000)),
    keys_per_page=Parameter(8, "keys", 1, 4096, "records of a value page; fewer faults"),
    alpha=Parameter(0.99, "", 0.0, 5.0, ALPHA, ood=(0.6, 0.8)),
    update_share=Parameter(0.3, "", 0.0, 1.0, "share of requests that write their value; more write-back"),
    scan_share=Parameter(0.02, "", 0.0, 1.0, "share of requests that read consecutive keys; recency is fooled"),
    scan_keys=Parameter(100, "keys", 1, 10**6, "greatest length of a scan; the mean is half of it"),
    ns_per_reference=THINK,
)
def key_value(
    rng,
    *,
    servers,
    requests,
    keys,
    keys_per_page,
    alpha,
    update_share,
    scan_share,
    scan_keys,
    ns_per_reference,
    known: Known | None = None,
) -> Tape:
    """Popular keys are scattered over the pages, index leaves are hotter than values, and scans pass by."""
    leaves, values = -(-keys // LEAF_KEYS), -(-keys // keys_per_page)
    programs = []
    for server in range(servers):
        key_of = rng.permutation(keys)
        key = key_of[zipf_ranks(rng, keys, alpha, requests)]
        scans = rng.random(requests) < scan_share
        updates = ~scans & (rng.random(requests) < update_share)
        length = np.where(scans, -(-rng.integers(1, scan_keys + 1, requests) // keys_per_page), 1)
        request, step = _steps(1 + length)  # the leaf, then the values
        value = leaves + (key[request] // keys_per_page + step - 1) % values
        page = np.where(step == 0, key[request] // LEAF_KEYS, value)
        written = updates[request] & (step == 1)
        programs.append(op_array(np.where(written, Op.WRITE, Op.READ), page + server * (leaves + values)))
        if known:
            chance = 1 / zipf_gaps(keys, alpha)
            of_leaf = np.bincount(key_of // LEAF_KEYS, chance, leaves)
            of_value = np.bincount(
                key_of // keys_per_page, chance, values
            )  # those that scans pass come on top, equally
            scanned = scan_share * (scan_keys + 1) / 2 / keys_per_page
            per_request = np.append(of_leaf, of_value * (1 - scan_share) + scanned / values)
            pages = server * (leaves + values) + np.arange(leaves + values)
            known.gaps(server, 0, pages, per_request.sum() / np.maximum(per_request, 1e-12))
    if known:
        known.programs(programs)
    return Tape.build(programs, think_ns=ns_per_reference)


def _steps(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # int64 (counts.sum(),) each
    """Which item each step belongs to, and which of its steps it is: counts (2, 1) give (0, 0, 1) and (0, 1, 0)."""
    item = np.repeat(np.arange(len(counts)), counts)
    return item, np.arange(len(item)) - (np.cumsum(counts) - counts)[item]


@family(
    "get_scan",
    "memory",
    "Threads that get keys of one store, beside threads that scan it in order.",
    "the mix that page-cache policies are specialised for: Zussman et al., cache_ext, SOSP 2025",
    getters=Parameter(3, "threads", 1, 1024, "more gets at once"),
    scanners=Parameter(1, "threads", 0, 1024, "more pages that are used once", ood=(2, 3)),
    references=Parameter(1500, "references", 1, 10**8, "references per getter; a longer episode"),
    scanned=Parameter(2500, "references", 1, 10**8, "references per scanner"),
    pages=Parameter(300, "pages", 1, 10**8, "pages of the store; more faults", ood=(450, 700)),
    scan_pages=Parameter(120, "pages", 1, 10**8, "pages of a scan, at most `pages`; more are flushed at a time"),
    alpha=Parameter(0.99, "", 0.0, 5.0, ALPHA),
    write_ratio=WRITES,
    ns_per_reference=THINK,
)
def get_scan(
    rng,
    *,
    getters,
    scanners,
    references,
    scanned,
    pages,
    scan_pages,
    alpha,
    write_ratio,
    ns_per_reference,
    known: Known | None = None,
) -> Tape:
    """Who touches a page tells what it is worth: a scanner does not come back."""
    popular = rng.permutation(pages)
    programs = [touches(rng, popular[zipf_ranks(rng, pages, alpha, references)], write_ratio) for _ in range(getters)]
    size = min(scan_pages, pages)
    for _ in range(scanners):
        starts = rng.integers(pages, size=-(-scanned // size))
        run = (starts[:, None] + np.arange(size)).reshape(-1)[:scanned] % pages
        programs.append(op_array(np.full(scanned, Op.READ), run))
    if known:
        known.programs(programs)
        known.gaps(0, 0, popular, 1 / (getters / zipf_gaps(pages, alpha) + scanners / pages))
    names = [f"getter {i}" for i in range(getters)] + [f"scanner {i}" for i in range(scanners)]
    return Tape.build(programs, think_ns=ns_per_reference, owner=0, thread_names=names)
