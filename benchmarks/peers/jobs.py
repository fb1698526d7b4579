"""Round robin and SRPT of Python packages, asked by benchmarks/jobs.py; runs in .peers.

Each answers (seconds, sum of the jobs' response times). `jobs` is the path of an array: arrival and service of each
job, integers, sorted by arrival.
"""

import heapq
import time
from collections import deque

import numpy as np

from benchmarks.peers import serve


def logorythem(jobs: str, rule: str, quantum: int) -> tuple[float, int]:
    """Lists of dicts; its SRPT steps one unit of time at a time and looks at all jobs in each."""
    from scheduling import round_robin, sjf_preemptive

    processes = [{"pid": i, "arrival_time": a, "burst_time": s} for i, (a, s) in enumerate(_read(jobs))]
    module, options = (round_robin, (quantum,)) if rule == "round robin" else (sjf_preemptive, ())
    start = time.perf_counter()
    found = module.calculate(processes, *options)
    return time.perf_counter() - start, sum(job["turnaround_time"] for job in found["results"])


def cpusched(jobs: str, rule: str, quantum: int) -> tuple[float, int]:
    """Its round robin queues the preempted job before those that arrived in its slice; SRPT looks at all jobs."""
    from cpusched import SRTF, Process, RoundRobin

    processes = [Process(str(i), a, s) for i, (a, s) in enumerate(_read(jobs))]
    scheduler = RoundRobin(processes, quantum) if rule == "round robin" else SRTF(processes)
    start = time.perf_counter()
    found = scheduler.run()
    return time.perf_counter() - start, sum(found.turnaround_times.values())


def simpy(jobs: str, rule: str, quantum: int) -> tuple[float, int]:
    """A plain model: one process brings the jobs, one is the core."""
    import simpy

    environment = simpy.Environment(initial_time=0)
    model = _Core(environment, _read(jobs), quantum)
    start = time.perf_counter()
    model.process = environment.process(model.take_turns() if rule == "round robin" else model.shortest_first())
    environment.process(model.arrivals())
    environment.run()
    return time.perf_counter() - start, model.responses


class _Core:
    """One core; `ready` holds [work left, job]."""

    def __init__(self, environment, jobs: list[tuple[int, int]], quantum: int):
        self.environment, self.jobs, self.quantum = environment, jobs, quantum
        self.ready: deque = deque()
        self.heap: list = []
        self.woken = environment.event()
        self.responses = 0

    def arrivals(self):
        for job, (arrival, service) in enumerate(self.jobs):
            yield self.environment.timeout(arrival - self.environment.now)
            self.ready.append([service, job])
            if not self.woken.triggered:
                self.woken.succeed()

    def take_turns(self):
        while True:
            if not self.ready:
                self.woken = self.environment.event()
                yield self.woken
            entry = self.ready.popleft()
            spell = min(self.quantum, entry[0])
            yield self.environment.timeout(spell)
            entry[0] -= spell
            if entry[0]:
                self.ready.append(entry)
            else:
                self.leave(entry)

    def shortest_first(self):
        while True:
            self.woken = self.environment.event()
            if not self.heap and not self.ready:
                yield self.woken
                continue
            while self.ready:
                heapq.heappush(self.heap, self.ready.popleft())
            entry, began = self.heap[0], self.environment.now
            yield self.environment.timeout(entry[0]) | self.woken
            entry[0] -= self.environment.now - began  # of the least: the heap stays one
            if not entry[0]:
                self.leave(heapq.heappop(self.heap))

    def leave(self, entry) -> None:
        self.responses += self.environment.now - self.jobs[entry[1]][0]


def _read(jobs: str) -> list[tuple[int, int]]:
    return [tuple(job) for job in np.load(jobs).tolist()]


if __name__ == "__main__":
    serve({"logorythem": logorythem, "cpusched": cpusched, "simpy": simpy})
