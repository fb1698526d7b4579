"""What an episode starts as: the records of threads and pages, the first events, and room for what is known of them."""

import numpy as np

from sos_gym.engine import bitmap
from sos_gym.engine.events import Event, due, harvest_source, horizon_source, next_arrival, scan_source
from sos_gym.engine.records import LINK, USER
from sos_gym.kernel import aligned_zeros, kernel
from sos_gym.resource import NEVER, NONE
from sos_gym.settings.environment import MOST_NODES
from sos_gym.workload.forecast import forecast
from sos_gym.workload.tables import FORECAST
from sos_gym.workload.tape import Tape

ALL_NODES = (1 << MOST_NODES) - 1
OF_THE_TAPE = ("ops", "page_table", "thread_table")  # read from it, never copied


@kernel
def lay_pages(sims):
    """Write the records of all pages, in one pass over the memory."""
    sim = sims[0]
    for p in range(sim.page_table.size):
        e = sim.threads_count + p
        page, given = sim.entities[e], sim.page_table[p]
        page.slot = page.node = page.last_user = page.queue_head = page.queue_tail = NONE
        page.owner, page.weight = given.owner, sim.owners[given.owner].weight
        page.affinity = given.affinity & ALL_NODES
        page.file, page.private, page.pinned = given.file, given.private, given.pinned
        page.turn_over = 1  # frames have no turn: it is always over
        page.id, page.last_slot, page.hint_ns = e, NONE, NONE


@kernel
def lay_threads(sims):
    """Write the records of all threads, likewise; their nodes are there."""
    sim = sims[0]
    for t in range(sim.threads_count):
        entity, thread, given = sim.entities[t], sim.threads[t], sim.thread_table[t]
        entity.slot = entity.node = entity.last_user = entity.last_slot = NONE
        entity.hint_ns = entity.queue_head = entity.queue_tail = NONE
        entity.id, entity.owner, entity.weight = t, given.owner, given.weight
        entity.affinity, entity.deadline = given.affinity & ALL_NODES, NEVER
        entity.home = thread.node
        thread.first, thread.last, thread.pc = given.first, given.last, given.first
        thread.arrival_ns, thread.think_ns = given.arrival_ns, given.think_ns
        thread.deadline_ns = given.deadline_ns
        thread.exit_ns = thread.page = thread.next = thread.lock = thread.held = NONE


@kernel
def start(sims):
    """Make the first arrival, the first scan and the horizon due."""
    sim = sims[0]
    sim.created = sim.threads_count  # the arrivals, in the order of threads
    next_arrival(sim)
    if sim.scan_ns > 0:
        due(sim, scan_source(sim), sim.scan_ns, Event.SCAN)
    if sim.harvest_ns > 0:
        due(sim, harvest_source(sim), sim.harvest_ns, Event.HARVEST)
    if sim.horizon_ns > 0:
        due(sim, horizon_source(sim), sim.horizon_ns, Event.HORIZON)


def tables_of(tape: Tape) -> dict[str, np.ndarray]:
    """What is read from the tape itself."""
    return dict(zip(OF_THE_TAPE, (tape.ops, tape.pages, tape.threads), strict=True))


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """A copy whose first record begins a cache line."""
    copied = aligned_zeros(array.size, array.dtype)
    copied[...] = array
    return copied


def empty_queues(members: int, queues: int) -> np.ndarray:  # LINK (members + queues,), or none
    """The links of all entities, then the sentinel of each queue, which is its own neighbour: a ring."""
    links = aligned_zeros(members + queues if queues else 0, LINK)
    if queues:
        links["next"][members:] = links["previous"][members:] = np.arange(members, members + queues)
    return links


def room_for_forecasts(tape: Tape, known: bool) -> dict[str, np.ndarray]:
    """The rows of `forecast`, what holds of each entity now, and which row is next by thread; empty if nobody asks."""
    rows = forecast(tape) if known else np.zeros(0, FORECAST)
    held = np.zeros(len(tape.threads) + len(tape.pages) if known else 0, FORECAST)
    return {
        "forecast_rows": rows,
        "forecasts": held,
        "forecast_next": np.searchsorted(rows["at"], tape.threads["first"] if known else []).astype(np.int64),
    }


def room_for_futures(tape: Tape, known: bool) -> dict[str, np.ndarray]:
    """The arrays that `lay_futures` fills; empty unless somebody knows the future. Users: at most so many."""
    ops, pages = (len(tape.ops), len(tape.pages)) if known else (-1, -1)
    return {
        "work": np.zeros(ops + 1, np.int64),
        "next_use": np.zeros(max(ops, 0), np.int64),
        "burst_end": np.zeros(ops + 1, np.int64),
        "page_users": np.zeros(min(max(pages, 0) * len(tape.threads), max(ops, 0)), USER),
        "first_user": np.zeros(pages + 1, np.int64),
        "awaited": bitmap.empty(ops) if known else np.zeros(0, np.int64),
    }
