"""What holds of a simulation whenever it is at rest: at a decision, and at the end."""

from collections import Counter

import numpy as np

from sos_gym.engine.events import Item
from sos_gym.resource import NONE, Kind, Op, Resource, State, Status, Why

PARTS = ("service", "sleep", "cpu_wait", "switch", "move", "minor", "fault_wait", "remote", "lock_wait")
LEFTS = ("switch_left", "move_left", "minor_left", "remote_left", "service_left", "owed")
TOUCHES = (Op.READ, Op.WRITE)
WANTED = (State.WAITING, State.IN_FLIGHT, State.HOLDING)


def invariants(simulation) -> None:
    """Check all of them; raises AssertionError."""
    _clock(simulation)
    _time_of_threads(simulation)
    _ops(simulation)
    _slots(simulation)
    _nodes(simulation)
    _owners(simulation)
    _waiting(simulation)
    _queues(simulation)
    _locks(simulation)
    if simulation.record["finished"][0]:
        _end(simulation)


def parts_of(simulation):
    """The record, then entities, threads and slots, as arrays."""
    arrays = simulation.arrays
    return simulation.record[0], arrays["entities"], arrays["threads"], arrays["slots"]


def _clock(simulation):
    record, entities, threads, _ = parts_of(simulation)
    status = threads["status"]
    assert not record["stuck"]
    assert record["live"] == (status != Status.EXITED).sum()
    assert record["running"] == (status == Status.RUNNING).sum()
    assert record["stalled"] == np.isin(status, (Status.CPU_WAIT, Status.FAULTING)).sum()
    assert record["in_flight"] == (entities["state"] == State.IN_FLIGHT).sum()
    asleep = np.isin(status, (Status.NEW, Status.SLEEPING)).sum()
    assert asleep <= record["timers"] <= asleep + (status == Status.BLOCKED).sum()
    assert 0 <= record["full_ns"] <= record["some_ns"] <= record["psi_since"] <= record["now"]
    ran = sum(threads[f"{name}"].sum() for name in ("switch", "move", "minor", "remote", "service"))
    charged_late = (record["now"] - threads["since"])[status == Status.RUNNING].sum()
    assert record["running_ns"] + record["running"] * (record["now"] - record["psi_since"]) == ran + charged_late
    assert record["remote_ns"] == threads["remote"].sum() <= ran
    assert record["major_faults"] <= record["faults"] <= record["references"]
    priced = record["decisions"] * record["decision_ns"] + record["looks"] * record["look_ns"]
    assert 0 <= record["deciding_ns"] <= priced
    _views(simulation)
    for name in ("calendar", "agenda"):
        heap = simulation.arrays[name]
        keys = list(zip(heap["time"].tolist(), heap["order"].tolist(), strict=True))
        assert all(keys[at >> 1] <= keys[at] for at in range(2, heap[0]["source"] + 1)), name
    calendar, places = simulation.arrays["calendar"], simulation.arrays["places"]
    used = calendar["source"][1 : 1 + calendar[0]["source"]]
    assert sorted(np.flatnonzero(places)) == sorted(used) and (used[places[used] - 1] == used).all()
    assert calendar[0]["source"] == 0 or calendar[1]["time"] >= record["now"]


SIGHTED = ("use_seq", "last_use", "last_gap", "prev_gap", "gaps", "uses", "uses_total", "last_user", "home")
OF_THE_ENGINE = ("queued", "waiting_at", "queue_head", "queue_tail")


def _views(simulation):
    """What is no matter of sight stands in every view; of uses none shows more than there were."""
    record, entities, threads, _ = parts_of(simulation)
    for seen in simulation.arrays["seen"].reshape(record["views"], -1) if record["views"] else ():
        for name in set(entities.dtype.names) - {*OF_THE_ENGINE}:
            first = len(threads) * (name in SIGHTED)
            same = seen[name][:first] == entities[name][:first] if first else seen[name] == entities[name]
            assert same.all(), name
        pages, true = seen[len(threads) :], entities[len(threads) :]
        assert (pages["uses_total"] <= true["uses_total"]).all() and (pages["last_use"] <= record["now"]).all()


def _time_of_threads(simulation):
    """The nine parts make up all time since arrival, to the ns."""
    record, entities, threads, _ = parts_of(simulation)
    now, arrived = record["now"], threads["status"] != Status.NEW
    total = sum(threads[part] for part in PARTS)
    exited = threads["status"] == Status.EXITED
    until = np.where(exited, threads["exit_ns"], now)
    assert (exited == (threads["exit_ns"] != NONE)).all()
    assert (total == np.where(arrived, until - threads["arrival_ns"], 0)).all()
    assert all((threads[part] >= 0).all() for part in (*PARTS, *LEFTS))
    assert record["service_ns"] == threads["service"].sum()
    stall = sum(threads[part] for part in PARTS[2:])
    weight = entities["weight"][: len(threads)].astype(np.int64)
    assert record["stall_ns"] == stall.sum() and record["stall_weighted"] == (stall * weight).sum()
    accounts = np.split(simulation.arrays["owners"], 2)[Resource.CPU]
    of = entities["owner"][: len(threads)]
    assert (accounts["work_ns"] == _sum_by(of, threads["service"], len(accounts))).all()
    assert (accounts["stall_ns"] == _sum_by(of, stall, len(accounts))).all()


def _sum_by(key, values, length):
    sums = np.zeros(length, np.int64)
    np.add.at(sums, key, values)
    return sums


def _ops(simulation):
    """Service done is the work of the ops behind pc and of the one in progress: none is lost, none done twice."""
    record, _, threads, _ = parts_of(simulation)
    tape, status = simulation.tape, threads["status"]
    ops, touches = tape.ops, np.isin(tape.ops["op"], TOUCHES)
    lines = ops["lines"].astype(np.int64) * record["local_line_ns"]
    thread = tape.op_thread()
    work = np.where(touches, threads["think_ns"][thread] + lines, np.where(ops["op"] == Op.COMPUTE, ops["arg"], 0))
    before = np.concatenate(([0], np.cumsum(work)))
    pc, started = threads["pc"], threads["started"] == 1
    assert ((threads["first"] <= pc) & (pc <= threads["last"])).all() and not (started & (pc == threads["last"])).any()
    done = before[pc] - before[threads["first"]]
    present = np.append(work, 0)[pc]
    assert (threads["service"] == done + np.where(started, present - threads["service_left"], 0)).all()
    seen = np.concatenate(([0], np.cumsum(touches)))
    begun = np.append(touches, False)[pc] & (started | (status == Status.FAULTING) | (threads["stays"] == 1))
    assert record["references"] == (seen[pc] - seen[threads["first"]] + begun).sum()


def _slots(simulation):
    """Holder and slot agree; nobody holds two; busy and idle make up all time."""
    record, entities, threads, slots = parts_of(simulation)
    now, held = record["now"], np.flatnonzero(slots["holder"] != NONE)
    holders = slots["holder"][held]
    assert len(set(holders.tolist())) == len(holders) == (entities["slot"] != NONE).sum()
    assert (entities["slot"][holders] == held).all()
    assert (entities["node"][holders] == slots["node"][held]).all()
    assert np.isin(entities["state"][holders], (State.HOLDING, State.IN_FLIGHT)).all()
    assert (entities["affinity"][holders] >> slots["node"][held] & 1).all()
    free = entities["slot"] == NONE
    assert (entities["node"][free] == NONE).all()
    assert not np.isin(entities["state"][free], (State.HOLDING, State.IN_FLIGHT)).any()
    busy = slots["busy"] + np.where(slots["holder"] != NONE, now - slots["since"], 0)
    idle = slots["idle"] + np.where(slots["holder"] == NONE, now - slots["since"], 0)
    assert (busy + idle == now).all() and (busy >= 0).all() and (idle >= 0).all()
    instances = simulation.arrays["instances"]
    for resource, instance in enumerate(instances):
        mine = (held >= instance["first_slot"]) & (held < instance["first_slot"] + instance["size"])
        assert instance["holding"] == mine.sum() <= instance["size"]
        assert ((holders[mine] < len(threads)) == (resource == Resource.CPU)).all()
    if not record["plenty_frames"]:
        waiting = (entities["state"][len(threads) :] == State.WAITING).sum()
        assert record["faults"] == instances[Resource.MEMORY]["holds"] + waiting
        assert record["evictions"] <= record["faults"]
    if not record["plenty_cores"]:
        assert ((entities["slot"][: len(threads)] != NONE) == (threads["status"] == Status.RUNNING)).all()
        cores = slots["node"].size - instances[Resource.CPU]["size"]
        spent = sum(threads[part].sum() for part in ("service", "switch", "move", "minor", "remote"))
        assert busy[cores:].sum() == spent
        assert record["switches"] <= instances[Resource.CPU]["holds"]


def _nodes(simulation):
    """Vacant slots, evictable and misplaced pages are counted right."""
    record, entities, threads, slots = parts_of(simulation)
    nodes, heap = simulation.arrays["nodes"], simulation.arrays["vacant_slots"]
    pages = entities[len(threads) :]
    for i, place in enumerate(nodes):
        resource, node = divmod(i, int(record["nodes_count"]))
        first, size, vacant = int(place["first_slot"]), int(place["size"]), int(place["vacant"])
        mine = np.arange(first, first + size)
        assert (slots["node"][mine] == node).all()
        kept = heap[first : first + vacant].tolist()
        assert sorted(kept) == mine[slots["holder"][mine] == NONE].tolist()
        assert all(kept[(at - 1) // 2] < kept[at] for at in range(1, vacant))
        if resource == Resource.MEMORY:
            legal = (pages["node"] == node) & (pages["state"] == State.HOLDING) & (pages["pinned"] == 0)
            assert place["legal"] == legal.sum()
            away = (pages["slot"] != NONE) & (pages["node"] != node) & (pages["home"] == node)
            assert place["misplaced"] == away.sum()


def _owners(simulation):
    """What an owner holds, wants and has alive."""
    record, entities, threads, _ = parts_of(simulation)
    owners = np.split(simulation.arrays["owners"], 2)
    parts = entities[len(threads) :], entities[: len(threads)]
    for resource, (mine, table) in enumerate(zip(parts, owners, strict=True)):
        if record[("plenty_frames", "plenty_cores")[resource]]:
            continue
        assert (table["holding"] == _sum_by(mine["owner"], mine["slot"] != NONE, len(table))).all()
        active = _sum_by(mine["owner"], np.isin(mine["state"], WANTED), len(table))
        assert (table["active"] == active).all()
        weight = table["weight"][active > 0].astype(np.int64).sum()
        assert simulation.arrays["instances"][resource]["active_weight"] == weight
    alive = _sum_by(entities["owner"][: len(threads)], threads["status"] != Status.EXITED, len(owners[0]))
    assert (owners[Resource.MEMORY]["live"] == alive).all()


def _waiting(simulation):
    """The waiting set: threads that want a core; pages that lie elsewhere than they are used."""
    record, entities, threads, _ = parts_of(simulation)
    expected = np.zeros(len(entities), bool)
    pages = entities[len(threads) :]
    expected[len(threads) :] = (pages["slot"] != NONE) & (pages["node"] != pages["home"])
    if not record["plenty_cores"]:
        expected[: len(threads)] = entities["state"][: len(threads)] == State.WAITING
        assert (expected[: len(threads)] == (threads["status"] == Status.CPU_WAIT)).all()
    assert (entities["queued"] == expected).all()
    waiting, found = simulation.arrays["waiting"], []
    for instance in simulation.arrays["instances"]:
        first, size = int(instance["first_waiting"]), int(instance["waiters"])
        members = waiting[first : first + size]
        assert (entities["waiting_at"][members] == np.arange(first, first + size)).all()
        found += members.tolist()
    assert sorted(found) == np.flatnonzero(expected).tolist()


def _queues(simulation):
    """Each faulting thread stands in the queue of its page; each page that wants a frame will be served."""
    record, entities, threads, slots = parts_of(simulation)
    count, queued = len(threads), Counter()
    channels, locks = simulation.arrays["channels"], simulation.arrays["locks"]
    for table, status in ((entities, Status.FAULTING), (channels, Status.BLOCKED), (locks, Status.LOCK_WAIT)):
        for at, head in enumerate(table["queue_head"].tolist()):
            while head != NONE:
                queued[head] += 1
                assert threads["status"][head] == (Status.RUNNING if threads["stays"][head] else status)
                assert status != Status.FAULTING or threads["page"][head] == at
                assert status != Status.LOCK_WAIT or threads["lock"][head] == at
                head = int(threads["next"][head])
    assert max(queued.values(), default=1) == 1
    assert {*np.flatnonzero(threads["stays"]).tolist()} <= set(queued)
    for status in (Status.FAULTING, Status.LOCK_WAIT):
        assert set(np.flatnonzero(threads["status"] == status).tolist()) <= set(queued)
    queue = simulation.arrays["frame_queue"][: record["frame_queue_used"]].tolist()
    assert queue == sorted(queue, key=lambda e: entities["want_seq"][e]) and len(set(queue)) == len(queue)
    items = simulation.arrays["agenda"][1 : 1 + simulation.arrays["agenda"][0]["source"]]
    of_pages = (items["what"] != Item.OFFER) & (items["time"] >> 1 == Resource.MEMORY)
    faulted = items["source"][of_pages]  # an item names the thread
    asked = set(threads["page"][faulted].tolist())
    decision = simulation.decision
    if simulation.undecided and decision["kind"] == Kind.EVICT and decision["cause"] == Why.FAULT:
        asked.add(int(decision["entity"]))
    pages = set((count + np.flatnonzero(entities["state"][count:] == State.WAITING)).tolist())
    assert set(queue) <= pages <= set(queue) | asked
    for e in queue:  # nothing that it may take
        on = (entities["affinity"][e] >> slots["node"] & 1 == 1) & (np.arange(len(slots)) < record["first_core"])
        assert (slots["holder"][on] != NONE).all() or asked


def _locks(simulation):
    """Each thread holds what it has taken and not given back; who queues for a lock waits for its holder."""
    _, _, threads, _ = parts_of(simulation)
    locks, ops = simulation.arrays["locks"], simulation.tape.ops
    waits = threads["status"] == Status.LOCK_WAIT
    assert ((threads["lock"] != NONE) == waits).all()
    assert (locks["holder"][locks["queue_head"] != NONE] != NONE).all()
    for t, thread in enumerate(threads):
        taken = []
        for op in ops[thread["first"] : thread["pc"] - waits[t]]:
            if op["op"] == Op.LOCK:
                taken.append(op["arg"])
            elif op["op"] == Op.UNLOCK:
                taken.remove(op["arg"])
        assert taken == _held(locks, thread)[::-1] and sorted(taken) == np.flatnonzero(locks["holder"] == t).tolist()


def _held(locks, thread):
    """The locks that a thread holds, the last one that it took first."""
    held = [int(thread["held"])]
    while held[-1] != NONE:
        held.append(int(locks["below"][held[-1]]))
    return held[:-1]


def _end(simulation):
    """Every op exactly once, every burst accounted for."""
    record, entities, threads, _ = parts_of(simulation)
    ops = simulation.tape.ops
    at_exit = np.append(ops["op"] == Op.EXIT, False)[threads["pc"]]
    assert ((threads["pc"] == threads["last"]) | at_exit).all()
    assert (threads["status"] == Status.EXITED).all() and (threads["started"] == 0).all()
    assert all((threads[name] == 0).all() for name in LEFTS)
    bursts = simulation.arrays["bursts"][: record["bursts_used"]]
    assert (_sum_by(bursts["thread"], bursts["attained"], len(threads)) == threads["service"]).all()
    assert (bursts["start"] <= bursts["end"]).all()
    assert record["now"] == threads["exit_ns"].max(initial=0)
    owners = simulation.arrays["owners"]
    assert (owners["live"][: len(owners) // 2] == 0).all()
    gone = entities[len(threads) :]
    assert not ((gone["private"] == 1) & (gone["state"] == State.HOLDING)).any()
