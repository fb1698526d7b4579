"""One episode: a tape, settings and policies laid out as the records of `records.py`."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sos_gym.engine.fitting import drawn_costs, first_homes, refuse_endless, refuse_pinned
from sos_gym.engine.futures import lay_futures
from sos_gym.engine.hosts import Host, Pairing, enter_mind
from sos_gym.engine.layout import (
    OF_THE_TAPE,
    aligned_copy,
    empty_queues,
    lay_pages,
    lay_threads,
    room_for_forecasts,
    room_for_futures,
    start,
    tables_of,
)
from sos_gym.engine.loop import GO_ON, advance
from sos_gym.engine.mistakes import mistake
from sos_gym.engine.records import (
    ACCESS,
    ARRAYS,
    BURST,
    CHANNEL,
    ENTRY,
    FAULT,
    INSTANCE,
    LOCK,
    LOOK_SIGNATURE,
    NODE,
    PARTS,
    POLICY,
    RECENT,
    SIM,
    STEPS,
    THREAD,
    WAIT_BUCKETS,
    Verb,
)
from sos_gym.engine.uses import look_by_bit
from sos_gym.kernel import address_of, aligned_zeros, attach
from sos_gym.resource import DECISION, ENTITY, NONE, OWNER, SLOT, Op, Resource, Status
from sos_gym.settings import cpu, memory
from sos_gym.settings.environment import REWARDS, SettingError, Settings
from sos_gym.streams import stream
from sos_gym.workload.tape import Tape

FIRST_TAU_NS = 1_000_000  # mean hold time before anything was held: one tick
MOST_VIEWS = 63  # bits of ACCESS.unread
SEQ_STEP = 1 << 20  # sight "scanned": looks between two events of the engine; 2**32 such events are exact in a float64


class StuckError(RuntimeError):
    """Every thread that is left waits for a signal, a lock or a frame that can no longer come."""


class UnknownOpError(RuntimeError):
    """A thread came to an op that the engine does not handle."""


class Simulation:
    """The state of one episode, and how to advance it.

    Args:
        tape: what the threads do.
        settings: the numbers.
        advisors: policies whose verbs are called, or pairs of them.
        driver: index of the advisor that decides; NONE: the caller does, through `advance`.
        seed: of the policies' streams and of drawn costs.
        listing: contenders are listed at every decision (else only when a host needs them).
        observed: what only observations need is kept.
        listeners: who is told, and not asked.
        record: SIM (1,), where the episode is laid out, such as one of many in an array; None: its own.
    """

    def __init__(
        self,
        tape: Tape,
        settings: Settings,
        advisors: Sequence[Host | Pairing] = (),
        driver: int = NONE,
        seed: int = 0,
        listing: bool = False,
        observed: bool = False,
        foresight: bool = False,
        listeners: Sequence[Host] = (),
        record: np.ndarray | None = None,
    ):
        refuse_pinned(tape, settings)
        self.tape, self.settings, self.advisors = tape, settings, tuple(advisors)
        self.hosts = (*(host for advisor in self.advisors for host in advisor.hosts), *listeners)
        self._refuse_many_views()
        costs = drawn_costs(settings, seed)
        refuse_endless(tape, costs)
        self.minds = [mind for host in self.hosts for mind in (host.minds() if host.minds else (None, None))]
        self._ways = {"seed": seed, "driver": driver, "listing": listing, "observed": observed, "foresight": foresight}
        self.record = aligned_zeros(1, SIM) if record is None else record
        self.record.view(np.uint8)[:] = 0
        self.arrays: dict[str, np.ndarray] = {}
        threads, pages = len(tape.threads), len(tape.pages)
        self._lay_slots(threads)
        self._lay_entities()
        self._lay_queues(threads, pages, observed)
        self._lay_policies(seed)
        self._set_costs(costs)
        self._set_scalars(driver, listing, observed, foresight, seed)
        known = bool(self.record["prophets"][0])
        self._add(**room_for_futures(tape, known))
        self._add(**room_for_forecasts(tape, any(host.needs_forecast for host in self.hosts)))
        self._attach()
        lay_threads(self.record)
        lay_pages(self.record)
        for k in range(self._views):
            self._view(k)[:] = self.arrays["entities"]
        if known:
            lay_futures(self.record)
            self.arrays["page_users"] = self.arrays["page_users"][: self.arrays["first_user"][-1]]
        start(self.record)

    # -- running

    def advance(self, choice: int = 0) -> None:
        """Apply `choice`, a contender of the open decision if there is one, and run to the next decision or the end.

        Raises:
            PolicyError: a policy made a mistake.
            StuckError: no thread can go on; the text names them.
            UnknownOpError: a thread came to an op that the engine does not handle.
        """
        done = advance(self.record, 0, choice)
        while not done:  # between two calls the process hears of an interruption
            done = advance(self.record, 0, GO_ON)
        self.raise_if_stuck()

    def raise_if_stuck(self) -> None:
        """Refuse to go on when nothing is due and no thread can run, a policy made a mistake, or an op is unknown."""
        if self.arrays["fault"]["code"][0]:
            self._raise_mistake()
        if self.record["unknown_op"][0] != NONE:
            raise UnknownOpError(self._what_is_unknown())
        if self.record["stuck"][0]:
            raise StuckError(self._who_is_stuck())

    def _raise_mistake(self) -> None:
        fault = self.arrays["fault"][0]
        mind = self.minds[2 * fault["host"] + fault["resource"]]
        cause = getattr(mind, "mistake", None)
        if cause is not None and not isinstance(cause, Exception):
            raise cause  # an interruption, or an exit
        raise mistake(fault, self.hosts[fault["host"]], self.tape, mind) from cause

    @property
    def over(self) -> bool:
        """Whether the episode has ended or was truncated."""
        return bool(self.record["finished"][0] or self.record["truncated"][0])

    @property
    def undecided(self) -> bool:
        return bool(self.record["undecided"][0])

    @property
    def decision(self) -> np.void:
        """The open decision, a DECISION record."""
        return self.arrays["decision"][0]

    @property
    def contenders(self) -> np.ndarray:  # i4 (contenders,)
        """The contenders of the open decision, in list order."""
        return self.arrays["contenders"][: self.decision["count"]]

    # -- copies

    def state(self) -> dict[str, Any]:
        """A copy of everything that changes while the episode runs, and of which episode it is; no addresses."""
        arrays = self._copied(filter(_changes, self.arrays))
        return {"episode": self._episode(), "arrays": arrays, "minds": copy.deepcopy(self.minds)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put a `state()` of this episode back, whichever simulation or process it is of.

        Raises:
            SettingError: it is of another episode, or no state; nothing has changed then.
        """
        self.refuse_foreign(state)
        for name, array in state["arrays"].items():
            target = self.arrays[name] if name else self.record
            target[...] = array
        self.minds = copy.deepcopy(state["minds"])
        self._attach()

    def refuse_foreign(self, state: Any) -> None:
        """Refuse what is no state of this episode: same tape, settings, policies, seed and way of running.

        Raises:
            SettingError: names what differs.
        """
        remedy = "restore what state() gave, after a reset with the same seed and options"
        if not (isinstance(state, Mapping) and set(state) == {"episode", "arrays", "minds"}):
            raise SettingError("state", type(state).__name__, "what Simulation.state() gave", remedy)
        theirs, own = state["episode"], self._episode()
        for name in own | theirs:
            if theirs.get(name) != own.get(name):
                allowed = f"that of this episode, {own.get(name)!r}"
                raise SettingError(f"{name} of the state", theirs.get(name), allowed, remedy)
        given = {name: _layout(array) for name, array in state["arrays"].items()}
        laid = {"": self.record} | {name: array for name, array in self.arrays.items() if _changes(name)}
        for name in given | laid:
            layout = _layout(laid.get(name))
            if given.get(name) != layout:
                raise SettingError(f"state['arrays'][{name!r}]", given.get(name), str(layout), remedy)
        _refuse_other_minds(state["minds"], self.minds, remedy)

    def _episode(self) -> dict[str, Any]:
        """What tells this episode from others."""
        policies = tuple(one.spec for one in (*self.advisors, *(host for host in self.hosts if host.listens)))
        return {"tape": self.tape.hash(), "policies": policies, **vars(self.settings), **self._ways}

    def _copied(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Copies of the record, under "", and of some arrays; without addresses, which are this process's own."""
        copied = {"": self.record.copy(), **{name: self.arrays[name].copy() for name in names}}
        for name in copied:
            if name == "verbs" or name.startswith("guarded "):
                copied[name][:] = 0
        for records in (copied[""], copied["policies"], copied["fault"]):
            for field in records.dtype.names or ():
                if field.endswith("_at"):
                    records[field] = 0
        return copied

    def __getstate__(self) -> dict[str, Any]:
        names = "tape", "settings", "advisors", "hosts", "minds", "_ways"
        made = {name: getattr(self, name) for name in names}
        return {**made, "arrays": self._copied(name for name in self.arrays if name not in OF_THE_TAPE)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        copies = {name: aligned_copy(array) for name, array in state["arrays"].items()}
        self.record, self.arrays = copies.pop(""), copies | tables_of(self.tape)
        self._attach()

    def move_to(self, record: np.ndarray) -> None:
        """Lay the record itself out elsewhere: SIM (1,), one of many in an array."""
        record[...] = self.record
        self.record = record

    def _who_is_stuck(self) -> str:
        names = []
        for t in np.flatnonzero(self.arrays["threads"]["exit_ns"] == NONE):
            names.append(f"{self.tape.thread_name(int(t))} ({self._why_stuck(int(t))})")
        return (
            f"stuck at {int(self.record['now'][0])} ns: nothing is due and no thread can go on: {', '.join(names)}; "
            "give every WAIT a SIGNAL that does not depend on it, and take locks in one order everywhere"
        )

    def _why_stuck(self, t: int) -> str:
        """Its status, and of a lock that it waits for who holds it."""
        status, lock = (int(self.arrays["threads"][name][t]) for name in ("status", "lock"))
        if status != Status.LOCK_WAIT:
            return Status(status).name.lower()
        holder = int(self.arrays["locks"]["holder"][lock])
        return f"waits for lock {lock} of {self.tape.thread_name(holder)}"

    def _what_is_unknown(self) -> str:
        at = int(self.record["unknown_op"][0])
        number, t = int(self.arrays["ops"]["op"][at]), int(self.tape.op_thread()[at])
        name = f" ({Op(number).name})" if number in list(Op) else ""
        return (
            f"op {number}{name} of {self.tape.thread_name(t)} at position {at - int(self.tape.threads['first'][t])}, "
            "counted from 0, is none that the engine handles; who adds an op gives it its lines in engine/program.py"
        )

    # -- layout

    def _add(self, **arrays: np.ndarray) -> None:
        self.arrays.update(arrays)

    def _lay_slots(self, threads: int) -> None:
        """Frames first, node by node, then cores."""
        settings = self.settings
        counts = [settings.frames_by_node, settings.cores_by_node]
        total = sum(map(sum, counts))
        slots, nodes = aligned_zeros(total, SLOT), np.zeros(2 * settings.nodes, NODE)
        instances = np.zeros(2, INSTANCE)
        at = 0
        for resource, per_node in enumerate(counts):
            instances[resource]["first_slot"], instances[resource]["size"] = at, sum(per_node)
            for node, count in enumerate(per_node):
                nodes[resource * settings.nodes + node] = (at, count, count, 0, at - 1, 0)
                slots["node"][at : at + count] = node
                at += count
        slots["holder"] = slots["last"] = slots["excluded"] = NONE
        instances["tau_ns"] = FIRST_TAU_NS
        instances["use_is_credit"] = memory.USE_IS_CREDIT, cpu.USE_IS_CREDIT
        tape = self.tape
        instances["first_entity"], instances["population"] = (threads, 0), (len(tape.pages), threads)
        instances["first_waiting"] = (threads, 0)
        vacant = np.arange(total, dtype=np.int32)
        self._add(slots=slots, nodes=nodes, instances=instances, vacant_slots=vacant)

    def _lay_entities(self) -> None:
        tape, settings = self.tape, self.settings
        threads, count = len(tape.threads), len(tape.threads) + len(tape.pages)
        entities = aligned_zeros(count, ENTITY)  # laid by `_lay_threads` and `_lay_pages`
        owners = np.zeros((2, len(tape.owners)), OWNER)
        owners["weight"] = tape.owners["weight"]
        owners["live"] = np.bincount(tape.threads["owner"], minlength=len(tape.owners))
        records = aligned_zeros(threads, THREAD)
        records["node"] = first_homes(tape, settings)
        weights = tape.owners["weight"][tape.pages["owner"]] if len(tape.owners) > 1 else tape.owners["weight"]
        self.arrays["instances"]["mean_weight"] = weights.mean() if len(weights) else 1.0, tape.threads["weight"].mean()
        self._add(entities=entities, owners=owners.reshape(-1), threads=records)
        scanned = settings.sight == "scanned" and self._views > 0
        self._add(seen=aligned_zeros(self._views * count, ENTITY), accesses=np.zeros(count * scanned, ACCESS))

    @property
    def _views(self) -> int:
        """Sampled: one that all share. Scanned: one per host, the agent's last."""
        if self.settings.frames is None:
            return 0
        return {"exact": 0, "sampled": 1, "scanned": len(self.hosts) + 1}[self.settings.sight]

    def _refuse_many_views(self) -> None:
        if self.settings.sight == "scanned" and self._views > MOST_VIEWS:
            allowed = f"at most {MOST_VIEWS - 1} policies under sight 'scanned', a pair counts as two"
            raise SettingError("advisors", f"{self._views - 1} policies", allowed, "ask fewer at a time")

    def _view(self, k: int) -> np.ndarray:  # ENTITY (entities,)
        """What host `k` sees of the entities; -1: what the agent sees."""
        if self._views == 0:
            return self.arrays["entities"]
        return self.arrays["seen"].reshape(self._views, -1)[k if self._views > 1 else 0]

    def _lay_queues(self, threads: int, pages: int, observed: bool) -> None:
        tape = self.tape
        slots = len(self.arrays["slots"])
        channels = np.full(len(tape.channels), np.array((NONE, NONE, 0), CHANNEL))
        channels["count"] = tape.channels
        cores = int(self.arrays["instances"]["size"][Resource.CPU])
        sources = threads + cores + 3
        bursts = threads + int(tape.op_counts[[Op.SLEEP, Op.SLEEP_UNTIL, Op.WAIT]].sum())
        self._add(
            channels=channels,
            locks=np.full(tape.locks, np.array((NONE, NONE, NONE, NONE), LOCK)),
            arrivals=np.argsort(tape.threads["arrival_ns"], kind="stable").astype(np.int32),
            calendar=np.zeros(sources + 1, ENTRY),
            places=np.zeros(sources, np.int32),
            agenda=np.zeros(threads + cores + self.settings.nodes + 1, ENTRY),
            agenda_places=np.zeros(threads + cores + self.settings.nodes, np.int32),
            frame_queue=np.zeros(min(pages, threads) + 1, np.int32),
            waiting=np.zeros(threads + pages, np.int32),
            contenders=np.zeros(max(slots, threads, pages) + self.settings.nodes + 2, np.int32),
            lanes=np.zeros(self.settings.lanes, np.int64),
            advice=np.zeros(max(1, len(self.advisors)), np.int32),
            fault=np.zeros(1, FAULT),
            decision=np.zeros(1, DECISION),
            bursts=np.zeros(bursts, BURST),
            waits=np.zeros(2 * WAIT_BUCKETS, np.int64),
            recent=np.full(threads * RECENT if observed else 0, NONE, np.int32),
            users=np.zeros(threads + pages if observed else 0, np.uint64),  # bit t mod 64: thread t used the page
            **tables_of(tape),
        )

    def _lay_policies(self, seed: int) -> None:
        policies = np.zeros(2 * len(self.hosts), POLICY)
        entities, slots = len(self.arrays["entities"]), len(self.arrays["slots"])
        for k, host in enumerate(self.hosts):
            self._add(**{f"{room.name} of {k}": room.laid(entities, slots) for room in host.rooms if room.shared})
            for resource in Resource:
                self._lay_policy(policies[2 * k + resource], 2 * k + resource, host, resource, seed)
        self._add(policies=policies, verbs=np.zeros(len(self.hosts) * len(Resource) * STEPS, np.int64))
        self._add(voices=self._voices())

    def _voices(self) -> np.ndarray:  # i4 (2 * hosts,)
        """Of each host on each resource: the advisor that speaks by it, or NONE."""
        voices, k = np.full((len(self.hosts), len(Resource)), NONE, np.int32), 0
        for number, advisor in enumerate(self.advisors):
            for resource in Resource:
                voices[k + advisor.hosts.index(advisor.speaks(resource)), resource] = number
            k += len(advisor.hosts)
        return voices.reshape(-1)

    def _lay_policy(self, policy: np.void, i: int, host: Host, resource: Resource, seed: int) -> None:
        instance = self.arrays["instances"][resource]
        policy["seed"] = stream(seed, f"policy {host.name}").integers(1 << 62)
        policy["first_slot"], policy["slots_count"] = instance["first_slot"], instance["size"]
        fast = int(self.arrays["nodes"]["size"][0]) if resource == Resource.MEMORY and self.settings.tiers else 0
        policy["capacity"], policy["fast_only"] = fast or instance["size"], fast > 0 and host.fast_only
        policy["first_entity"], policy["entities_count"] = instance["first_entity"], instance["population"]
        policy["use_is_credit"], policy["queues"] = instance["use_is_credit"], host.queues
        entities, slots = int(instance["population"] + instance["first_entity"]), len(self.arrays["slots"])
        self._add(**{f"{room.name} {i}": room.laid(entities, slots) for room in host.rooms if not room.shared})
        self._add(**{f"links {i}": empty_queues(entities * host.links, host.queues)})
        self._add(**{f"guarded {i}": np.zeros(len(PARTS) if host.guarded else 0, np.int64)})
        policy["host"], policy["resource"] = i // len(Resource), resource

    def _attach(self) -> None:
        """Write the addresses of arrays and kernels into the records."""
        verbs = self.arrays["verbs"].reshape(len(self.hosts), len(Resource), STEPS)
        attach(self.record, {name: self.arrays[name] for name in ARRAYS if name != "sighted"})
        attach(self.record, {"sighted": self._view(-1)})
        shown = {name: self.arrays[name] for name, array in ARRAYS.items() if array.policies_see}
        owners = np.split(self.arrays["owners"], len(Resource))
        for k, host in enumerate(self.hosts):
            for resource in Resource:
                i = 2 * k + resource
                policy, called = self.arrays["policies"][i], host.called(resource)
                verbs[k, resource] = called[:STEPS]
                policy["claim_at"], policy["rank_at"], policy["victim_at"] = called[STEPS:]
                self.arrays[f"guarded {i}"][:] = host.parts[resource] if host.guarded else 0
                shown |= {"entities": self._view(k), "owners": owners[resource]}
                arrays = {**shown, "links": self.arrays[f"links {i}"], "guarded": self.arrays[f"guarded {i}"]}
                arrays["accesses"] = self.arrays["accesses"]
                for number, room in enumerate(host.rooms):
                    arrays[f"room{number}"] = self.kept(room.name, k, None if room.shared else resource)
                attach(self.arrays["policies"][i : i + 1], arrays)
                looks = host.looks and len(self.arrays["accesses"]) > 0 and resource == Resource.MEMORY
                policy["every_use"] = self._views == 0
                policy["look_at"], policy["use_at"] = address_of(look_by_bit, LOOK_SIGNATURE) * looks, called[Verb.USE]
                policy["mind_at"] = self._show(i, shown)

    def _show(self, i: int, arrays: Mapping[str, np.ndarray]) -> int:
        """Show a plain policy what it sees; the number that it is found by, 0 for others."""
        mind = self.minds[i]
        if mind is None:
            return 0
        mind.see(self.arrays["policies"][i : i + 1], {**arrays, "decision": self.arrays["decision"]})
        return enter_mind(mind)

    def kept(self, name: str, host: int = 0, resource: Resource | None = None) -> np.ndarray:
        """What a hosted policy keeps under a name of its card: on one resource, or (None) on both together."""
        return self.arrays[f"{name} of {host}" if resource is None else f"{name} {2 * host + resource}"]

    def _set_costs(self, costs: Mapping[str, Any]) -> None:
        record, settings = self.record, self.settings
        record["move_near_ns"], record["move_far_ns"] = costs["move_ns"]
        record["warm_near_ns"], record["warm_far_ns"] = settings.warm_ns  # type: ignore[misc]  # two, since __post_init__
        for name in ("switch_ns", "page_move_ns", "minor_fault_ns", "first_touch_ns", "hint_fault_ns"):
            record[name] = costs[name]
        for name in ("swap_in_ns", "write_back_ns", "local_line_ns"):
            record[name] = costs[name]
        cores = sum(settings.cores_by_node) or len(self.tape.threads)
        record["shootdown_ns"] = costs["shootdown_ns"] + costs["shootdown_core_ns"] * cores
        record["remote_excess_ns"] = max(0, costs["remote_line_ns"] - costs["local_line_ns"])

    def _set_scalars(self, driver: int, listing: bool, observed: bool, foresight: bool, seed: int) -> None:
        settings, record, threads = self.settings, self.record, len(self.tape.threads)
        for name in ("tick_ns", "scan_ns", "horizon_ns"):
            record[name] = getattr(settings, name) or 0
        record["hint_ns"] = settings.hint_ns or 0 if settings.tiers else 0
        record["plenty_cores"], record["plenty_frames"] = settings.cores is None, settings.frames is None
        record["tiers"] = settings.tiers and settings.frames_by_node[0] > 0
        record["reclaim_local"] = settings.reclaim == "local"
        record["may_idle"], record["decision_ns"] = settings.may_idle, settings.decision_ns
        self._set_sight()
        record["nodes_count"], record["threads_count"], record["live"] = settings.nodes, threads, threads
        record["hosted"], record["advisors"], record["driver"] = len(self.hosts), len(self.advisors), driver
        record["linked"] = max((k + 1 for k, host in enumerate(self.hosts) if host.queues), default=0)
        record["listing"] = listing or any(host.needs_list for host in self.hosts)
        record["prophets"] = foresight or any(host.needs_future for host in self.hosts)
        record["observed"] = observed
        record["timers"] = threads
        record["rescue_ns"] = record["unknown_op"] = NONE
        record["first_core"] = self.arrays["instances"]["first_slot"][Resource.CPU]
        record["rows_seed"] = stream(seed, "rows").integers(1 << 62)
        record["stall_per_service"], record["reward_scale_ns"] = settings.stall_per_service, settings.reward_scale_ns
        record["reward"] = REWARDS.index(settings.reward)

    def _set_sight(self) -> None:
        settings, record = self.settings, self.record
        scanned, sampled = (self._views > 0 and settings.sight == sight for sight in ("scanned", "sampled"))
        record["views"], record["seq_step"] = self._views, SEQ_STEP if scanned else 1
        record["harvest_ns"] = settings.harvest_ns or 0 if scanned else 0
        record["scan_looks"] = settings.rows
        record["look_ns"] = settings.look_ns if scanned or sampled else 0
        if sampled:
            record["sample_faults"] = settings.sample_faults or max(1, sum(settings.frames_by_node) // 4)


def _changes(name: str) -> bool:
    """Whether an array changes while the episode runs; what policies keep does, whatever its name."""
    return name not in ARRAYS or ARRAYS[name].changes


def _refuse_other_minds(given: Any, own: Sequence[Any], remedy: str) -> None:
    """What plain policies keep must be of the same policies."""
    kinds = [mind.kind if mind else None for mind in own]
    if not isinstance(given, list) or [getattr(mind, "kind", None) for mind in given] != kinds:
        raise SettingError("state['minds']", given, f"of the policies {kinds}", remedy)


def _layout(array: Any) -> tuple[tuple[int, ...], np.dtype] | None:
    """What two arrays must share for one to be copied into the other."""
    return (array.shape, array.dtype) if isinstance(array, np.ndarray) else None
