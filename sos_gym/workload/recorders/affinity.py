"""On which nodes tasks may run: the kernel traces no change of it, so it is asked while they live."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from sos_gym.workload.traces.ftrace import ALL_NODES

NODES = Path("/sys/devices/system/node")


def node_of_cpu(folder: Path = NODES) -> dict[int, int]:
    """Of every logical CPU; empty where the kernel tells no nodes."""
    found = {}
    for path in folder.glob("node[0-9]*/cpulist"):
        for stretch in filter(None, path.read_text().strip().split(",")):
            first, _, last = stretch.partition("-")
            for cpu in range(int(first), int(last or first) + 1):
                found[cpu] = int(path.parent.name.removeprefix("node"))
    return found


def node_mask(cpus: Iterable[int], node_of: Mapping[int, int]) -> int:
    """The nodes of `cpus`, bit i for node i; ALL_NODES if each of the machine's is among them."""
    nodes = {node_of[cpu] for cpu in cpus if cpu in node_of}
    return sum(1 << node for node in nodes) if nodes and nodes < set(node_of.values()) else ALL_NODES


def ask(tasks: Iterable[int], node_of: Mapping[int, int], masks: dict[int, int]) -> None:
    """Write the mask of every task (thread id) that lives into `told`."""
    for task in tasks:
        with contextlib.suppress(OSError):
            masks[task] = node_mask(os.sched_getaffinity(task), node_of)
