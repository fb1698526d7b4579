"""Many environments, stepped by one compiled call on several threads."""

import os
import threading
import time
import weakref

import numpy as np

from sos_gym.engine.records import SIM
from sos_gym.kernel import (
    CACHE_LINE,
    aligned_zeros,
    array_fields,
    attach,
    exchange_now,
    expose,
    kernel,
    load_now,
    part_of,
    pause,
    prefetch,
    prefetch_lines,
)
from sos_gym.resource import Op
from sos_gym.view.candidates import PADDING
from sos_gym.view.columns import CANDIDATE_RECORD, CONTEXT_RECORD
from sos_gym.view.step import DISCOUNTS, STEP, step_address, step_at

SIM_LINES, STEP_LINES = -(-SIM.itemsize // CACHE_LINE), -(-STEP.itemsize // CACHE_LINE)
MOST_EXPECTED, OPS_EXPECTED = 64, 12  # contenders or threads, and ops of each, that are brought ahead
WAIT_ROUNDS = 4000  # some 100 us: so long a helper that waits for its next part keeps its core
OVER = -1
LAST_ROUNDS = 100_000  # some 3 ms: so long the caller waits for helpers, which may have to wake first

TABLES: dict[str, np.dtype | str] = {  # of N environments with K rows
    "sims": SIM,  # N
    "discounts": DISCOUNTS,  # N
    "which": "i8",  # N; the first `count` are the environments that are stepped
    "actions": "i8",  # N; rows, or BEGIN
    "shown": "i4",  # N * K
    "masks": "i1",  # N * K
    "candidates": CANDIDATE_RECORD,  # N * K
    "context": CONTEXT_RECORD,  # N
    "steps": STEP,  # N
    "advised": "i4",  # N * advisors
}
BATCH = np.dtype([*array_fields(*TABLES), *((name, "i8") for name in ("count", "step", "rows", "advisors"))])
for _name, _dtype in TABLES.items():
    expose(_name, _dtype)

WORKER = np.dtype(  # two cache lines, so that a worker has its own
    [
        ("given", "i8"),  # parts so far; OVER: none will come any more
        ("done", "i8"),
        ("asleep", "i8"),  # 1: it has to be woken
        ("first", "i8"),  # its part: which[first:last]
        ("last", "i8"),
        ("spare", "i8", 11),
    ]
)


# -- one environment


@kernel
def _step_one(batch, i):
    """Apply the action in environment `i` and observe what comes."""
    k, advisors = batch.rows, batch.advisors
    shown, mask = part_of(batch.shown, i * k, k), part_of(batch.masks, i * k, k)
    candidates, context = part_of(batch.candidates, i * k, k), part_of(batch.context, i, 1)
    advised, step = part_of(batch.advised, i * advisors, advisors), batch.steps[i]
    given = batch.sims[i], batch.actions[i], batch.discounts[i]
    step_at(batch.step)(given[0], given[1], given[2], shown, candidates, context, mask, advised, step)


# -- many: they do not fit into a core's own cache, so what the next ones touch is brought while this one is stepped


@kernel
def _expect_tables(sim):
    """What the record says where to find."""
    prefetch_lines(sim.decision, 0, 1)
    prefetch_lines(sim.calendar, 0, 3)
    prefetch_lines(sim.agenda, 0, 2)
    prefetch_lines(sim.instances, 0, 3)
    prefetch_lines(sim.nodes, 0, 2)
    prefetch_lines(sim.lanes, 0, 1)
    prefetch_lines(sim.contenders, 0, 4)
    for t in range(min(sim.threads_count, MOST_EXPECTED)):
        prefetch_lines(sim.threads, t, 4)
        prefetch_lines(sim.entities, t, 3)


@kernel
def _expect_contenders(sim):
    """Who contends now is likely to contend next; what each thread is about to do."""
    for i in range(min(sim.decision[0].count, MOST_EXPECTED)):
        e = sim.contenders[i]
        if e >= 0:
            prefetch(sim.entities, e)
            prefetch(sim.users, e)
        prefetch(sim.slots, i)
    for t in range(min(sim.threads_count, MOST_EXPECTED)):
        prefetch_lines(sim.ops, sim.threads[t].pc, 3)


@kernel
def _expect_pages(sim):
    """The pages that each thread is about to touch."""
    if sim.plenty_frames:
        return
    for t in range(min(sim.threads_count, MOST_EXPECTED)):
        pc = sim.threads[t].pc
        for at in range(pc, min(pc + OPS_EXPECTED, sim.threads[t].last)):
            if sim.ops[at].op == Op.READ or sim.ops[at].op == Op.WRITE:
                prefetch(sim.entities, sim.threads_count + sim.ops[at].arg)


@kernel
def _step_part(batch, first, last):
    for n in range(first, last):
        if n + 4 < last:
            prefetch_lines(batch.sims, batch.which[n + 4], SIM_LINES)
        if n + 3 < last:
            _expect_tables(batch.sims[batch.which[n + 3]])
        if n + 2 < last:
            prefetch_lines(batch.steps, batch.which[n + 2], STEP_LINES)
            _expect_contenders(batch.sims[batch.which[n + 2]])
        if n + 1 < last:
            _expect_pages(batch.sims[batch.which[n + 1]])
        _step_one(batch, batch.which[n])


# -- several threads


@kernel
def _work(batches, workers, k):
    """Step the parts that are given, as they come; ends when none has come for a while, or none will."""
    worker = workers[k]
    while True:
        rounds = 0
        while load_now(worker, "given") == worker.done and rounds < WAIT_ROUNDS:
            pause()
            rounds += 1
        if load_now(worker, "given") == worker.done:
            exchange_now(worker, "asleep", 1)
            # who gives a part from now on sees it asleep; one that was given before is seen here
            if load_now(worker, "given") == worker.done or exchange_now(worker, "asleep", 0) == 0:
                return
        part = load_now(worker, "given")
        if part == OVER:
            return
        _step_part(batches[0], worker.first, worker.last)
        exchange_now(worker, "done", part)


@kernel
def _give(batches, workers, sleepers):
    """Give every worker its part; the first one is the caller's. `sleepers` (workers,): who has to be woken."""
    count = batches[0].count
    for k in range(workers.size):
        worker, parts = workers[k], workers.size + 1
        worker.first, worker.last = (k + 1) * count // parts, (k + 2) * count // parts
        exchange_now(worker, "given", worker.given + 1)
        sleepers[k] = exchange_now(worker, "asleep", 0)


@kernel
def _share(batches, workers):
    """The caller's part."""
    _step_part(batches[0], 0, batches[0].count // (workers.size + 1))


@kernel
def _are_done(workers):
    """Wait a while for all workers; whether they are done."""
    rounds = 0
    for k in range(workers.size):
        worker = workers[k]
        while load_now(worker, "done") != worker.given:
            pause()
            rounds += 1
            if rounds == LAST_ROUNDS:
                return False
    return True


class Crew:
    """The caller's thread and others, which step a batch part by part.

    While steps follow each other closely the others are told through memory: to wake a thread takes the system longer
    than to step some environments.
    """

    def __init__(self, batches: np.ndarray, threads: int):
        self._batches, self._helpers = batches, threads - 1
        self._hire()

    def _hire(self) -> None:
        self._process = os.getpid()
        self._workers, self._sleepers = aligned_zeros(self._helpers, WORKER), np.zeros(self._helpers, np.int64)
        self._workers["asleep"] = 1
        self._bells = [threading.Event() for _ in range(self._helpers)]
        for k, bell in enumerate(self._bells):
            arguments = self._batches, self._workers, k, bell
            threading.Thread(target=_live, args=arguments, name=f"sos_gym {k}", daemon=True).start()
        self.dismiss = weakref.finalize(self, _dismiss, self._workers, self._bells)

    def step(self) -> None:
        """Step what the batch says, on all threads."""
        if self._process != os.getpid():  # a fork has no thread but the one that forked
            self._hire()
        _give(self._batches, self._workers, self._sleepers)
        for k in np.flatnonzero(self._sleepers):
            self._bells[k].set()
        _share(self._batches, self._workers)
        while not _are_done(self._workers):
            time.sleep(0)  # let others have the core


def _live(batches: np.ndarray, workers: np.ndarray, k: int, bell: threading.Event) -> None:
    while workers["given"][k] != OVER:
        bell.wait()
        bell.clear()
        _work(batches, workers, k)


def _dismiss(workers: np.ndarray, bells: list[threading.Event]) -> None:
    workers["given"] = OVER
    for bell in bells:
        bell.set()


class Batch:
    """N environments whose records and tables stay, and the arrays that one step writes, which are new each time."""

    def __init__(self, discounts: np.ndarray, rows: int, advisors: int, threads: int):
        n = len(discounts)
        self._made = discounts, rows, advisors, threads
        self.discounts = discounts
        self.sims = aligned_zeros(n, SIM)
        self.shown, self.masks = np.full((n, rows), PADDING, np.int32), np.zeros((n, rows), np.int8)
        self._which, self._actions = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._record = np.zeros(1, BATCH)
        self._record["step"], self._record["rows"], self._record["advisors"] = step_address(), rows, advisors
        attach(self._record, {"sims": self.sims, "shown": self.shown, "masks": self.masks})
        attach(self._record, {"which": self._which, "actions": self._actions})
        attach(self._record, {"discounts": discounts})
        self.crew = Crew(self._record, threads)

    def __reduce__(self) -> tuple:
        """Made anew: threads and addresses cannot be copied; the owner lays the simulations out in it."""
        return Batch, self._made, {"shown": self.shown, "masks": self.masks}

    def __setstate__(self, state: dict[str, np.ndarray]) -> None:
        self.shown[:], self.masks[:] = state["shown"], state["masks"]

    def step(self, which: np.ndarray, actions: np.ndarray, written: dict[str, np.ndarray]) -> None:
        """Apply `actions` (N,), rows or BEGIN, in the environments `which`; what comes is written to the arrays.

        `written`: candidates, context, steps, advised.
        """
        self._record["count"] = len(which)
        self._which[: len(which)], self._actions[:] = which, actions
        attach(self._record, written)
        self.crew.step()
