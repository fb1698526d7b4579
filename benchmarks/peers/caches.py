"""Caches of libcachesim and cachetools, asked by benchmarks/caches.py; runs in .peers.

Each reads a trace in libCacheSim's oracleGeneral format and answers (seconds, misses).
"""

import time
from collections import OrderedDict
from functools import cache

import numpy as np

from benchmarks.peers import serve

ORACLE = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])


def native(trace: str, rule: str, frames: int, hashpower: int) -> tuple[float, int]:
    """A compiled cache of libcachesim, by the name of its class."""
    import libcachesim

    return _processed(getattr(libcachesim, rule)(cache_size=frames, hashpower=hashpower), trace)


def _keep_order(data: OrderedDict, request) -> None:
    pass


def _move_to_end(data: OrderedDict, request) -> None:
    data.move_to_end(request.obj_id)


def _insert(data: OrderedDict, request) -> None:
    data[request.obj_id] = None


def _oldest(data: OrderedDict, request) -> int:
    return data.popitem(last=False)[0]


def _forget(data: OrderedDict, obj_id: int) -> None:
    data.pop(obj_id, None)


HIT_HOOKS = {"LRU": _move_to_end, "FIFO": _keep_order}


def plugin(trace: str, rule: str, frames: int, hashpower: int) -> tuple[float, int]:
    """libcachesim's PluginCache: Python hooks at every request, here over an OrderedDict."""
    import libcachesim

    hooks = {
        "cache_init_hook": lambda parameters: OrderedDict(),
        "cache_hit_hook": HIT_HOOKS[rule],
        "cache_miss_hook": _insert,
        "cache_eviction_hook": _oldest,
        "cache_remove_hook": _forget,
        "cache_free_hook": OrderedDict.clear,
    }
    return _processed(libcachesim.PluginCache(cache_size=frames, hashpower=hashpower, **hooks), trace)


def _processed(simulated, trace: str) -> tuple[float, int]:
    import libcachesim

    options = libcachesim.ReaderInitParam(ignore_obj_size=True)
    reader = libcachesim.TraceReader(trace, libcachesim.TraceType.ORACLE_GENERAL_TRACE, options)
    start = time.perf_counter()
    ratio, _ = simulated.process_trace(reader)
    return time.perf_counter() - start, round(ratio * len(_keys(trace)))


def cachetools(trace: str, rule: str, frames: int) -> tuple[float, int]:
    """A mapping of cachetools, by the name of its class: a plain loop of look up, else insert."""
    import cachetools

    mapping, keys, misses = getattr(cachetools, rule)(frames), _keys(trace), 0
    start = time.perf_counter()
    for key in keys:
        if key in mapping:
            mapping[key]
        else:
            misses += 1
            mapping[key] = None
    return time.perf_counter() - start, misses


@cache
def _keys(trace: str) -> list[int]:
    return np.fromfile(trace, ORACLE)["id"].tolist()


if __name__ == "__main__":
    serve({"native": native, "plugin": plugin, "cachetools": cachetools})
