"""A tape under settings: what an episode costs and where its threads start, and what does not go together."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sos_gym.settings import memory
from sos_gym.settings.environment import SettingError, Settings
from sos_gym.streams import stream
from sos_gym.workload.tables import LONGEST_NS, MOST_LINES, TOUCH_OPS
from sos_gym.workload.tape import Tape


def drawn_costs(settings: Settings, seed: int) -> dict[str, Any]:
    """The costs of an episode, each scaled by its own log-uniform draw when `cost_scale` is given."""
    scale = np.ones(len(settings.costs))
    if settings.cost_scale is not None:
        low, high = map(math.log, settings.cost_scale)
        scale = np.exp(stream(seed, "costs").uniform(low, high, len(scale)))
    costs: dict[str, Any] = {}
    for name, factor in zip(settings.costs, scale.tolist(), strict=True):
        cost = getattr(settings, name)
        costs[name] = tuple(round(ns * factor) for ns in cost) if name == "move_ns" else round(cost * factor)
    return costs


def refuse_endless(tape: Tape, costs: Mapping[str, Any]) -> None:
    """Costs must be those that a setting may be, and all accesses of a tape end within `LONGEST_NS`: clocks are int64.

    Raises:
        SettingError: else times would wrap, and run backwards.
    """
    for name, cost in costs.items():
        if (max(cost) if isinstance(cost, tuple) else cost) > memory.LONGEST_NS:
            raise SettingError(
                "cost_scale", cost, f"one that leaves {name} at {memory.LONGEST_NS} ns or less", "lower it"
            )
    line_ns, touches = max(costs["local_line_ns"], costs["remote_line_ns"]), tape.op_counts[list(TOUCH_OPS)].sum()
    if (
        int(touches) * MOST_LINES * line_ns > LONGEST_NS
        and int(tape.ops["lines"].sum(dtype=np.int64)) * line_ns > LONGEST_NS
    ):
        allowed = f"so short that all accesses of the tape take {LONGEST_NS} ns or less"
        raise SettingError("local_line_ns or remote_line_ns", line_ns, allowed, "lower it, or cut the tape")


def first_homes(tape: Tape, settings: Settings) -> np.ndarray:  # int32 (threads,)
    """Thread i starts at the (i mod n)-th of the n nodes with cores that it may run on.

    Raises:
        SettingError: a thread or page may be on no node at all.
    """
    cores = settings.cores_by_node
    if settings.cores is None:
        cores = tuple(int(node == 0 or not settings.tiers) for node in range(settings.nodes))
    affinity = tape.threads["affinity"]
    homes = np.zeros(len(affinity), np.int32)
    for mask in np.unique(affinity).tolist():
        nodes = [node for node, count in enumerate(cores) if count and mask >> node & 1]
        alike = np.flatnonzero(affinity == mask)
        if not nodes:
            name = f"affinity of {tape.thread_name(int(alike[0]))}"
            raise SettingError(name, bin(mask), f"a mask over nodes with cores {cores}", "allow it one of them")
        homes[alike] = np.array(nodes)[alike % len(nodes)]
    return homes


def refuse_pinned(tape: Tape, settings: Settings) -> None:
    """Pinned pages must leave a frame on every set of nodes that some page is restricted to.

    Raises:
        SettingError: else the tape could not finish.
    """
    if settings.frames is None or not len(tape.pages):
        return
    masks, of_page = np.unique(tape.pages["affinity"], return_inverse=True)
    pinned = np.bincount(of_page, tape.pages["pinned"], len(masks)).astype(int)
    for mask in masks.tolist():
        frames = sum(count for node, count in enumerate(settings.frames_by_node) if mask >> node & 1)
        # pages that may be elsewhere can still be pinned here, so they count: the safe side
        crowd = sum(int(n) for other, n in zip(masks.tolist(), pinned, strict=True) if other & mask)
        if frames == 0:
            raise SettingError(
                "affinity of a page",
                bin(mask),
                f"a mask over nodes with frames {settings.frames}",
                "allow it one of them",
            )
        if crowd >= frames:
            raise SettingError(
                "frames",
                settings.frames,
                f"more than the {crowd} pinned pages that may lie on nodes {bin(mask & ((1 << settings.nodes) - 1))}",
                "add frames or pin fewer pages",
            )
