"""Schedules of plain job lists, (arrival, service) in ns each, and what the engine makes of the same list."""

from collections import deque
from heapq import heappop, heappush
from itertools import count

import numpy as np
from runs import run

from sos_gym import Tape

FREE = {"switch_ns": 0, "move_ns": 0}


def responses(tape: Tape, policy: str, cores: int, tick_ns=None) -> np.ndarray:  # ns (jobs,)
    """Exit minus arrival of each job."""
    threads = run(tape, policy, cores=cores, tick_ns=tick_ns, **FREE).arrays["threads"]
    return threads["exit_ns"] - threads["arrival_ns"]


def exits(jobs, policy, cores=1, tick_ns=None):
    tape = Tape.from_jobs([arrival for arrival, _ in jobs], [ns for _, ns in jobs])
    return (responses(tape, policy, cores, tick_ns) + tape.threads["arrival_ns"]).tolist()


def fcfs(jobs, cores):
    free, exits = [0] * cores, [0] * len(jobs)
    for i in sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i)):
        exits[i] = max(heappop(free), jobs[i][0]) + jobs[i][1]
        heappush(free, exits[i])
    return exits


def round_robin(jobs, quantum):
    """One core. At one ns: completion, arrivals, the end of the slice: an arrival queues before the preempted."""
    coming = deque(sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i)))
    left, exits, queue, running, now, slice_end = [ns for _, ns in jobs], [0] * len(jobs), deque(), None, 0, 0
    while coming or queue or running is not None:
        after = [] if running is None else [now + left[running], slice_end]
        then = min(after + [jobs[i][0] for i in list(coming)[:1]])
        if running is not None:
            left[running] -= then - now
        now = then
        ended = running is not None and left[running] == 0
        while coming and jobs[coming[0]][0] == now:
            queue.append(coming.popleft())
        if ended:
            exits[running], running = now, None
        elif running is not None and now == slice_end:
            slice_end += quantum
            if queue:
                queue.append(running)
                running = None
        while running is None and queue:
            running, slice_end = queue.popleft(), now + quantum
            if left[running] == 0:
                exits[running], running = now, None
    return exits


def srpt(jobs):
    """One core. Equals keep it, then who waits longest goes first; an idle core takes the first of an instant."""
    coming = deque(sorted(range(len(jobs)), key=lambda i: (jobs[i][0], i)))
    left, exits, waiting, order = [ns for _, ns in jobs], [0] * len(jobs), {}, count()
    running, now = None, 0

    def settled(running):
        """Who runs once nobody who is done does."""
        while running is not None and left[running] == 0:
            exits[running] = now
            running = min(waiting, key=lambda i: (left[i], waiting[i]), default=None)
            waiting.pop(running, None)
        return running

    while coming or running is not None:
        after = [] if running is None else [now + left[running]]
        then = min(after + [jobs[i][0] for i in list(coming)[:1]])
        if running is not None:
            left[running] -= then - now
        now, new = then, []
        while coming and jobs[coming[0]][0] == now:
            new.append(coming.popleft())
        waiting |= {i: next(order) for i in new}
        running = settled(running)
        for i in new:
            if i in waiting and (running is None or left[i] < left[running]):
                if running is not None:
                    waiting[running] = next(order)
                del waiting[i]
                running = settled(i)
    return exits
