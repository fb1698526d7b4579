"""What is possible on a tape: the least stall of any known policy, and bounds that are proved."""

from collections import deque
from heapq import heappop, heappush
from typing import Any

import numpy as np

from sos_gym.evaluation import evaluate
from sos_gym.leaderboard.standing import STALL
from sos_gym.policy import policies
from sos_gym.resource import Op
from sos_gym.settings.environment import Settings
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import Tape
from sos_gym.workload.tables import PAGE_OPS, op_in


def best_known(
    env_id: str, workload: str | Tape | None = None, seed: int = 0, split: str | None = None, **settings: Any
) -> tuple[str, int]:
    """The least weighted stall of one episode among all registered policies, clairvoyants too: (policy, ns).

    It is what is known to be possible, not a bound: `clairvoyant` is a rule like others. Arguments as of `evaluate`.
    """
    stalls = {name: evaluate(env_id, name, workload, seed, split=split, **settings)[0][STALL] for name in policies()}
    best = min(stalls, key=lambda name: stalls[name])
    return best, stalls[best]


def stall_bound_ns(tape: Tape, settings: Settings) -> int | None:
    """A stall (`stall_ns`) below which no policy can stay on this tape, ns; None where none is proved here.

    Frames scarce, one tier, no advice in the tape: a page that only one thread touches is fetched at least as often as
    Belady's MIN fetches it in all the frames, were the thread alone with its own pages (Belady, 1966: MIN misses least;
    a rival takes frames away and brings none of these pages); first touches cost `first_touch_ns`, or a page-in of a
    file, all others a page-in; the thread pays for each. Pages of several threads: somebody pays for the first touch.
    One core, frames plenty, one burst per thread, no cost of switches: shortest remaining time first has the least sum
    of responses (Schrage, Operations Research 16(3), 1968).

    Args:
        tape: What the threads do.
        settings: As of the episode, such as `env.unwrapped.settings`, without `horizon_ns`.

    Raises:
        SettingError: `cost_scale` is given, so that the costs are not known.
    """
    if settings.cost_scale is not None:
        raise SettingError("cost_scale", settings.cost_scale, "None", "a bound needs costs that are not drawn")
    if settings.horizon_ns is not None:  # what is cut off waits no more
        return None
    if settings.frames is None:
        return _least_waits_ns(tape, settings)
    if settings.tiers or np.isin(tape.ops["op"], (Op.COLD, Op.PAGEOUT, Op.DONTNEED)).any():
        return None
    return _least_fetches_ns(tape, settings)


def _least_fetches_ns(tape: Tape, settings: Settings) -> int:
    frames, page_in_ns = sum(settings.frames_by_node), settings.swap_in_ns + settings.minor_fault_ns
    first_ns = np.where(tape.pages["file"] == 1, page_in_ns, settings.first_touch_ns)
    touch = op_in(tape.ops, PAGE_OPS)
    thread, page = tape.op_thread()[touch], tape.ops["arg"][touch]
    pairs = np.unique(np.stack((page, thread)), axis=1)
    alone = np.bincount(pairs[0], minlength=len(tape.pages)) == 1
    bound = int(first_ns.sum())
    for t in range(len(tape.threads)):
        own = page[(thread == t) & alone[page]]
        bound += (min_misses(own, frames) - len(np.unique(own))) * page_in_ns
    return bound


def min_misses(pages: np.ndarray, frames: int) -> int:
    """Misses of Belady's MIN, which looks at the whole future, in a memory of `frames`."""
    uses: dict[int, deque[int]] = {}
    for i, page in enumerate(pages.tolist()):
        uses.setdefault(page, deque()).append(i)
    resident: set[int] = set()
    farthest: list[tuple[int, int]] = []  # (-next use, page); of a page the last entry counts
    misses = 0
    for page in pages.tolist():
        uses[page].popleft()
        misses += page not in resident
        if page not in resident and len(resident) == frames:
            while True:
                use, victim = heappop(farthest)
                if victim in resident and -use == (uses[victim][0] if uses[victim] else len(pages)):
                    break
            resident.remove(victim)
        resident.add(page)
        heappush(farthest, (-(uses[page][0] if uses[page] else len(pages)), page))
    return misses


def _least_waits_ns(tape: Tape, settings: Settings) -> int | None:
    """SRPT on one core."""
    lengths = tape.threads["last"] - tape.threads["first"]
    plain = (lengths == 1).all() and (tape.ops["op"] == Op.COMPUTE).all()
    if sum(settings.cores_by_node) != 1 or settings.switch_ns or not plain:
        return None
    jobs = sorted(zip(tape.threads["arrival_ns"].tolist(), tape.ops["arg"].tolist(), strict=True))
    left: list[int] = []
    now = waits = 0
    for i, (arrival, work) in enumerate(jobs):
        now = max(now, arrival)
        heappush(left, work)
        until = jobs[i + 1][0] if i + 1 < len(jobs) else None
        while left and (until is None or now < until):
            rest = heappop(left)
            ran = rest if until is None else min(rest, until - now)
            waits += ran * len(left)
            now += ran
            if ran < rest:
                heappush(left, rest - ran)
    return waits
