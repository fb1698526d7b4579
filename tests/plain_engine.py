"""The plain engine: docs/engine.md in slow, plain Python; N1 to N24 are its rules."""

from collections import Counter, deque
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import NamedTuple

from sos_gym.resource import COLD_OFFSET, NONE, Kind, Op, Resource, State, Status, Why, vacancy

PARTS = ("switch", "move", "minor", "remote", "service")  # a running thread's time, in the order in which it is used up
WAITS = {Status.CPU_WAIT: "cpu_wait", Status.FAULTING: "fault_wait", Status.LOCK_WAIT: "lock_wait"}
WAITS |= {Status.SLEEPING: "sleep", Status.BLOCKED: "sleep"}
# events (N13), by the method that handles them
RANK = {"complete": 0, "wake": 1, "page_in": 1, "tick": 2, "scan": 3, "harvest": 4}
THREAD = ("first", "last", "arrival_ns", "think_ns", "owner", "weight", "affinity")  # fields of the tape
PAGE = ("owner", "affinity", "file", "pinned", "private")
COUNTERS = ("want_seq", "spell_seq", "hold_seq", "use_seq", "want_ns", "hold_ns", "stay_ns")
COUNTERS += ("last_use", "last_gap", "prev_gap", "gaps", "uses", "uses_total")
EMPTY = {**dict.fromkeys(COUNTERS, 0), "slot": NONE, "last_slot": NONE}
SIGHTED = ("use_seq", "last_use", "last_gap", "prev_gap", "gaps", "uses", "uses_total", "last_user", "home")
VACANT = {"holder": NONE, "last": NONE, "excluded": NONE, "since": 0, "busy": 0, "idle": 0}


class Stuck(Exception):
    """Nothing is due and nobody can run; names the threads that are left."""


@dataclass(frozen=True)
class Rules:
    """The settings, ns."""

    cores: tuple[int, ...] | None  # per node, None = plenty
    frames: tuple[int, ...] | None  # per node, None = plenty
    tiers: bool = False
    tick_ns: int | None = 1_000_000
    switch_ns: int = 1_000
    move_near_ns: int = 5_000
    move_far_ns: int = 150_000
    warm_ns: tuple[int, int] = (65_000, 2_000_000)  # near, far
    page_move_ns: int = 3_000
    scan_ns: int | None = None
    hint_ns: int | None = None
    minor_fault_ns: int = 1_000
    first_touch_ns: int = 1_000
    hint_fault_ns: int = 1_000
    swap_in_ns: int = 60_000
    write_back_ns: int = 15_000
    lanes: int = 4
    shootdown_ns: int = 1_000
    shootdown_core_ns: int = 200
    local_line_ns: int = 85
    remote_line_ns: int = 140
    reclaim: str = "global"  # or "local"
    may_idle: bool = False
    decision_ns: int = 0
    sight: str = "exact"  # or "sampled", "scanned"
    sample_faults: int | None = None
    harvest_ns: int | None = None
    look_ns: int = 0
    rows: int = 16


class Instruction(NamedTuple):
    op: Op
    arg: int
    lines: int


class Entity(SimpleNamespace):
    """What wants a slot: fields as in resource.ENTITY."""

    def allowed(self, node: int) -> bool:
        return bool(self.affinity >> node & 1)

    def add_gap(self, ns: int) -> None:
        self.prev_gap, self.last_gap, self.gaps = self.last_gap, ns, min(2, self.gaps + 1)


class Thread(Entity):
    def legal(self) -> bool:
        return True

    def total_left(self) -> int:
        return sum(self.left.values())


class Page(Entity):
    def legal(self) -> bool:
        return self.state == State.HOLDING and not self.pinned

    def is_new(self) -> bool:
        """Its fault is minor: it has no contents that would have to come from the device."""
        return not (self.touched or self.file)


@dataclass
class Lock:
    """What one thread holds and others queue for (N20)."""

    holder: int  # or NONE
    queue: deque


class Slot(SimpleNamespace):
    def settle(self, now: int) -> None:
        """Busy or idle since the last change of its holder."""
        if self.holder == NONE:
            self.idle += now - self.since
        else:
            self.busy += now - self.since
        self.since = now


@dataclass
class Decision:
    """A choice that is raised."""

    number: int
    now: int
    kind: Kind
    cause: Why
    resource: Resource
    entity: int
    slot: int
    contenders: list[int]
    engine: "PlainEngine"


class PlainEngine:
    """Runs a tape to its end; `choose(decision)` makes the raised decisions.

    `looked_at(decision)`: pages whose accessed bits it reads for that, in order; `pays`: it pays for it.
    """

    def __init__(self, tape, rules: Rules, choose, looked_at=lambda decision: (), pays: bool = True):
        self.rules, self.choose, self.looked_at, self.pays = rules, choose, looked_at, pays
        self.ops = [Instruction(Op(int(o["op"])), int(o["arg"]), int(o["lines"])) for o in tape.ops]
        self.owners = [SimpleNamespace(weight=int(o["weight"]), active=0, live=0) for o in tape.owners]
        self.build_slots(rules.frames or (), rules.cores or ())
        self.threads = [self.new_thread(i, t) for i, t in enumerate(tape.threads)]
        self.pages = [self.new_page(len(self.threads) + i, p) for i, p in enumerate(tape.pages)]
        self.entities = [*self.threads, *self.pages]
        self.counts, self.waiting = [int(n) for n in tape.channels], [deque() for _ in tape.channels]
        self.locks = {lock: Lock(NONE, deque()) for lock in self.locks_of_the_tape()}
        self.frame_queue: set[int] = set()  # pages for which no frame is legal
        self.hinters: dict[int, list[Thread]] = {}  # page: who waits for its hint
        self.lanes = [0] * rules.lanes  # free since
        self.hands = {f.node: f.id for f in self.frames}  # node: its last frame
        self.events: dict[tuple, tuple] = {}  # (method, subject): (ns, rank, order)
        self.agenda: dict[tuple, tuple] = {}  # (method, subject): (resource, kind, slot or sequence number)
        self.now, self.seq, self.order = 0, count(1), count(1)
        self.live, self.tried = len(self.threads), False
        self.decided_ns = 0  # what the decision on the fault that is being settled takes
        self.deciding_ns = self.looks = self.unpaid = 0
        self.faults = self.major_faults = self.evictions = self.switches = self.moves = self.write_backs = 0
        self.fast_verbs = []  # as those are told who see the fast tier alone (N24)
        self.decisions, self.verbs, self.bursts, self.done, self.times = [], [], [], Counter(), {}
        self.shootdown = rules.shootdown_ns + rules.shootdown_core_ns * (len(self.cores) or len(self.threads))
        for t in self.threads:
            self.due("wake", t.id, t.arrival_ns)
        if rules.scan_ns and self.frames:
            self.due("scan", NONE, rules.scan_ns)
        if rules.sight == "scanned" and rules.harvest_ns and self.frames:
            self.due("harvest", NONE, rules.harvest_ns)

    def build_slots(self, frames, cores) -> None:
        nodes = [node for per_node in (frames, cores) for node, n in enumerate(per_node) for _ in range(n)]
        self.slots = [Slot(id=i, node=node, **VACANT) for i, node in enumerate(nodes)]
        self.frames, self.cores = self.slots[: sum(frames)], self.slots[sum(frames) :]
        self.nodes_with_cores = sorted({c.node for c in self.cores}) or range(max(len(frames), 1))

    def new_thread(self, i: int, record) -> Thread:
        t = Thread(id=i, **EMPTY, **{name: int(record[name]) for name in THREAD})
        t.pc, t.status, t.since, t.started, t.turn_over = t.first, Status.NEW, 0, False, False
        t.left = dict.fromkeys(PARTS, 0)
        t.times = dict.fromkeys((*PARTS, *WAITS.values()), 0)
        t.burst_start = t.attained = t.reported = t.owed = 0
        t.cold = [0, 0]  # its service when it came to its core, and to its node
        self.owners[t.owner].live += 1
        homes = (
            [0] if self.rules.tiers and not self.cores else [node for node in self.nodes_with_cores if t.allowed(node)]
        )
        t.home = homes[i % len(homes)] if homes else 0  # none: everything is plenty, nodes do not count
        return t

    def new_page(self, i: int, record) -> Page:
        p = Page(id=i, **EMPTY, **{name: int(record[name]) for name in PAGE})
        p.weight, p.state, p.touched, p.dirty = self.owners[p.owner].weight, State.ABSENT, False, False
        p.home, p.last_user, p.hinted, p.queue = 0, NONE, None, []  # queue: (thread, its work, the same if remote)
        p.unmapped = p.accessed = False
        p.seen = p if self.rules.sight == "exact" else Page(**{name: getattr(p, name) for name in SIGHTED})
        return p

    def locks_of_the_tape(self) -> set[int]:
        return {op.arg for op in self.ops if op.op in (Op.LOCK, Op.UNLOCK)}

    # -- the loop (N13, N18)

    def run(self) -> None:
        """To the exit of the last thread."""
        while self.live:
            event = min(self.events, key=self.events.get, default=None)
            if event and self.events[event][0] == self.now:
                del self.events[event]
                getattr(self, event[0])(event[1])
            elif self.agenda:
                item = min(self.agenda, key=self.agenda.get)
                del self.agenda[item]
                getattr(self, item[0])(item[1])
            elif not self.pending():
                self.offer_all()
            else:
                self.now = self.events[event][0]
        self.finish()

    def pending(self) -> bool:
        """Whether anything will happen but ticks of idle cores and scans."""
        running = any(t.status == Status.RUNNING for t in self.threads)
        return running or any(name in ("wake", "page_in") for name, _ in self.events)

    def offer_all(self) -> None:
        """Nothing is pending: the idle cores are the last resort (N15)."""
        if self.tried or not any(t.status == Status.CPU_WAIT for t in self.threads):
            raise Stuck([t.id for t in self.threads if t.status != Status.EXITED])
        self.tried = True
        for core in self.cores:
            if core.holder == NONE:
                self.offer(core)

    def due(self, name: str, subject: int, ns: int) -> None:
        """One event of a name per subject: a new one replaces it."""
        self.events[name, subject] = (ns, RANK[name], next(self.order))

    def offer(self, slot: Slot) -> None:
        """ADMIT(slot) goes on the agenda."""
        core = slot.id >= len(self.frames)
        self.agenda["admit_core" if core else "admit_frame", slot.id] = (int(core), 0, slot.id)

    def tell(self, verb: str, entity: Entity, what: int = 0, why: int = 0, slow: bool = False) -> None:
        """`what`: home of a want, slot of a hold or move, ns of a thread's use; `why`: of want, hold, release."""
        self.verbs.append((verb, entity.id, what, why, self.now))
        if not slow:
            self.fast_verbs.append(self.verbs[-1])

    def tell_fast(self, verb: str, p: Page, what: int, why: int) -> None:
        """To those who see the fast tier alone (N24)."""
        self.fast_verbs.append((verb, p.id, what, why, self.now))

    def has_tiers(self) -> bool:
        return self.rules.tiers and any(f.node == 0 for f in self.frames)

    def lies_slow(self, entity: Entity) -> bool:
        return isinstance(entity, Page) and self.has_tiers() and self.slots[entity.slot].node > 0

    def ask(self, kind: Kind, cause: Why, resource: Resource, e: int, slot: int, contenders: list[int]) -> int:
        """One contender is taken; of several the policy chooses (N17)."""
        if len(contenders) == 1:
            return contenders[0]
        for t in self.threads:
            self.charge(t)
        self.check_slots()
        raised = (len(self.decisions), self.now, kind, cause, resource, e, slot, sorted(contenders))
        looks = self.look_around(Decision(*raised, self))
        choice = int(self.choose(Decision(*raised, self)))
        assert choice in contenders, f"{choice} is none of {raised[-1]}"
        self.decisions.append((*raised, choice))
        self.pay(self.decisions[-1], looks)
        return choice

    def pay(self, decided: tuple, looks: int) -> None:
        """A raised decision costs, and the looks that were made for it (N19, N23)."""
        ns, (_, _, kind, cause, resource, e, _, _, choice) = self.rules.decision_ns, decided
        if resource == Resource.MEMORY and self.pays and self.rules.sight == "scanned":
            self.unpaid += looks
            paid = min(self.unpaid, self.rules.rows) if cause == Why.SCAN else self.unpaid
            self.unpaid -= paid
            ns += paid * self.rules.look_ns
            self.looks += paid
        if ns == 0:
            return
        if cause == Why.FAULT and resource == Resource.MEMORY:
            self.decided_ns = ns
        elif resource == Resource.MEMORY:
            page = self.entities[e if cause == Why.HINT else choice] if choice >= 0 else None
            ns *= page is not None and self.delay(self.threads[page.last_user], "move", ns)
        elif kind == Kind.ADMIT and choice < 0:
            ns = 0
        elif kind == Kind.ADMIT and choice == e:
            self.delay(self.threads[e], "switch", ns)
        else:
            self.threads[e if kind == Kind.EVICT else choice].owed += ns
        self.deciding_ns += ns

    # -- time of a thread (N1, N2, N12)

    def charge(self, t: Thread) -> None:
        """Its time up to now goes where its status says."""
        ns, t.since = self.now - t.since, self.now
        if t.status in WAITS:
            t.times[WAITS[t.status]] += ns
        for part in PARTS if t.status == Status.RUNNING else ():
            spent = min(ns, t.left[part])
            t.left[part] -= spent
            t.times[part] += spent
            t.attained += spent * (part == "service")
            ns -= spent
        assert t.status != Status.RUNNING or ns == 0, f"thread {t.id} ran {ns} ns past its completion"

    def enter(self, t: Thread, status: Status) -> None:
        self.charge(t)
        t.status = status

    def complete(self, i: int) -> None:
        """All that was left is used up."""
        t = self.threads[i]
        self.charge(t)
        if t.started:
            self.next_op(t)
        self.step(t)

    def next_op(self, t: Thread) -> bool:
        """The op at pc is done; True: step again."""
        self.done[t.id, t.pc] += 1
        t.started = False
        t.pc += 1
        return True

    def wake(self, i: int) -> None:
        """It arrives, or its sleep or wait is over."""
        t = self.threads[i]
        if t.status == Status.NEW and self.is_born_waiting(t):
            self.enter(t, Status.BLOCKED)
            self.waiting[self.ops[t.pc].arg].append(t.id)
            self.next_op(t)
            return None
        if self.cores:
            return self.want(t, Why.WAKE if t.want_seq else Why.NEW)
        t.burst_start, t.attained = self.now, 0
        self.enter(t, Status.RUNNING)
        self.resume(t)

    def is_born_waiting(self, t: Thread) -> bool:
        """Whoever signals forks it."""
        return t.pc < t.last and self.ops[t.pc].op == Op.WAIT and not self.counts[self.ops[t.pc].arg]

    def resume(self, t: Thread) -> None:
        """It goes on with what is left, else it steps."""
        if t.started or t.total_left():
            self.due("complete", t.id, self.now + t.total_left())
        else:
            self.step(t)

    def end_burst(self, t: Thread) -> None:
        self.bursts.append((t.id, t.burst_start, self.now, t.attained))
        t.add_gap(t.attained)

    # -- step (N3): the method of an op says whether the thread steps again

    def step(self, t: Thread) -> None:
        again = True
        while again:
            op = self.ops[t.pc] if t.pc < t.last else Instruction(Op.EXIT, 0, 0)
            again = getattr(self, f"do_{op.op.name.lower()}")(t, op)

    def begin(self, t: Thread) -> bool:
        """The op takes what is left, or is done at once."""
        t.started = True
        if t.total_left():
            self.due("complete", t.id, self.now + t.total_left())
            return False
        return self.next_op(t)

    def do_compute(self, t: Thread, op: Instruction) -> bool:
        t.left["service"] = op.arg
        return self.begin(t)

    def do_sleep(self, t: Thread, op: Instruction) -> bool:
        self.next_op(t)
        return op.arg == 0 or self.sleep_for(t, op.arg)

    def do_sleep_until(self, t: Thread, op: Instruction) -> bool:
        self.next_op(t)
        if op.arg > self.now:
            return self.sleep_for(t, op.arg - self.now)
        self.end_burst(t)
        t.burst_start, t.attained = op.arg, 0
        return True

    def sleep_for(self, t: Thread, ns: int) -> bool:
        self.due("wake", t.id, self.now + ns)
        return self.block(t, Why.BLOCK, Status.SLEEPING)

    def do_wait(self, t: Thread, op: Instruction) -> bool:
        self.next_op(t)
        if self.counts[op.arg]:
            self.counts[op.arg] -= 1
            return True
        self.waiting[op.arg].append(t.id)
        return self.block(t, Why.BLOCK, Status.BLOCKED)

    def do_signal(self, t: Thread, op: Instruction) -> bool:
        if self.waiting[op.arg]:
            self.due("wake", self.waiting[op.arg].popleft(), self.now)
        else:
            self.counts[op.arg] += 1
        return self.next_op(t)

    def do_lock(self, t: Thread, op: Instruction) -> bool:
        """Its burst goes on while it waits (N20)."""
        self.next_op(t)
        lock = self.locks[op.arg]
        if lock.holder == NONE:
            lock.holder = t.id
            return True
        lock.queue.append(t)
        self.leave_core(t, Why.LOCK, Status.LOCK_WAIT)
        return False

    def do_unlock(self, t: Thread, op: Instruction) -> bool:
        """Handed over: nobody comes in between."""
        lock = self.locks[op.arg]
        assert lock.holder == t.id
        heir = lock.queue.popleft() if lock.queue else None
        lock.holder = heir.id if heir else NONE
        if heir and self.cores:
            self.want(heir, Why.LOCK)
        elif heir:
            self.enter(heir, Status.RUNNING)
            self.due("complete", heir.id, self.now + heir.total_left())
        return self.next_op(t)

    def block(self, t: Thread, why: Why, status: Status) -> bool:
        """Off the core, the burst is over."""
        self.leave_core(t, why, status)
        self.end_burst(t)
        return False

    def leave_core(self, t: Thread, why: Why, status: Status) -> None:
        if self.cores:
            self.release(t, why)
        self.enter(t, status)

    def do_yield(self, t: Thread, op: Instruction) -> bool:
        self.next_op(t)
        if not self.cores:
            return True
        core = self.slots[t.slot]
        self.remind(t)
        self.release(t, Why.YIELD)
        self.wait_silently(t)
        core.excluded = t.id
        self.offer(core)
        return False

    def do_cold(self, t: Thread, op: Instruction) -> bool:
        p = self.pages[op.arg]
        if p.slot != NONE:
            p.use_seq = p.seen.use_seq = next(self.seq) - COLD_OFFSET
            p.accessed = False
            self.tell("cool", p, slow=self.lies_slow(p))
        return self.next_op(t)

    def do_pageout(self, t: Thread, op: Instruction) -> bool:
        if self.pages[op.arg].legal():
            self.release(self.pages[op.arg], Why.PAGEOUT)
        return self.next_op(t)

    def do_dontneed(self, t: Thread, op: Instruction) -> bool:
        p = self.pages[op.arg]
        if p.legal():
            self.release(p, Why.DONTNEED)
        if p.state == State.ABSENT and not p.pinned:
            p.touched = False
        return self.next_op(t)

    def do_exit(self, t: Thread, op: Instruction) -> bool:
        """With its owner's last thread go the private pages (N9)."""
        self.block(t, Why.EXIT, Status.EXITED)
        self.live -= 1
        self.times[t.id] = {**t.times, "arrival": t.arrival_ns, "exit": self.now}
        self.owners[t.owner].live -= 1
        if self.owners[t.owner].live == 0:
            held = [self.entities[f.holder] for f in self.frames if f.holder != NONE]
            for p in [p for p in held if p.state == State.HOLDING and p.private and p.owner == t.owner]:
                self.release(p, Why.EXIT)
        return False

    # -- touch (N4, N5, N11)

    def do_read(self, t: Thread, op: Instruction, hint: bool = True, promoted: bool = False) -> bool:
        p, work = self.pages[op.arg], t.think_ns + op.lines * self.rules.local_line_ns
        excess = op.lines * (self.rules.remote_line_ns - self.rules.local_line_ns)
        if not self.frames:
            t.left["service"] = work
            return self.begin(t)
        if hint and self.hint_is_due(p, t.home):
            return self.put_hint(t, p)
        fault, stays = p.state == State.ABSENT, self.stays_on_core(p)
        p.home, p.last_user = t.home, t.id
        if p.slot != NONE:
            self.use_page(p, t, promoted and p.state == State.HOLDING)
        else:
            self.show_user(p)
        p.dirty = p.dirty or op.op == Op.WRITE
        if p.state == State.HOLDING:
            far = self.slots[p.slot].node != t.home
            t.left["service"] = work
            t.left["remote"] = far * excess
            return self.begin(t)
        p.queue.append((t, work, excess))
        if not stays:
            self.leave_core(t, Why.FAULT, Status.FAULTING)
        if fault:
            self.faults += 1
            self.sample()
            self.major_faults += bool(p.touched or p.file)
            self.want(p, Why.FAULT)
        return False

    do_write = do_read

    def stays_on_core(self, p: Page) -> bool:
        """Whether who touches this absent page waits on its core: for a minor fault, its own or another's."""
        if p.state == State.WAITING:
            return p.queue[0][0].status == Status.RUNNING
        return p.state == State.ABSENT and p.is_new()

    def use_page(self, p: Page, t: Thread, promoted: bool) -> None:
        """Of the touch that promoted it those who see the fast tier alone know by its hold (N24)."""
        self.mark_used(p)
        if p.unmapped:
            p.unmapped = False
            self.charge(t)
            t.left["minor"] += self.rules.look_ns
            self.looks += 1
            self.see(p, promoted)
        elif self.rules.sight == "exact":
            self.tell("use", p, slow=promoted or self.lies_slow(p))
        p.accessed = True

    def mark_used(self, p: Page) -> None:
        """A use in a page's record, or in what is seen of it."""
        p.use_seq, p.uses, p.uses_total = next(self.seq), p.uses + 1, p.uses_total + 1
        p.add_gap(self.now - p.last_use)
        p.last_use = self.now

    # -- what is seen of uses (N21 to N23)

    def see(self, p: Page, promoted: bool = False) -> None:
        """It was used, that is all that is known."""
        p.accessed = False
        self.mark_used(p.seen)
        self.show_user(p)
        self.tell("use", p, slow=promoted or self.lies_slow(p))

    def show_user(self, p: Page) -> None:
        p.seen.home, p.seen.last_user = p.home, p.last_user

    def show_hold(self, p: Page) -> None:
        """A hold is a use that all see."""
        p.unmapped = p.accessed = False
        if p.seen is not p:
            if p.seen.uses_total:
                p.seen.add_gap(self.now - p.seen.last_use)
            p.seen.use_seq, p.seen.last_use, p.seen.uses = p.use_seq, p.last_use, 1
            p.seen.uses_total += 1

    def sample(self) -> None:
        """Every so many faults all resident pages are unmapped."""
        every = self.rules.sample_faults or max(1, len(self.frames) // 4)
        if self.rules.sight == "sampled" and self.faults % every == 0:
            for p in self.resident():
                p.unmapped = True

    def resident(self) -> list[Page]:
        """In the order of slots."""
        held = [self.entities[f.holder] for f in self.frames if f.holder != NONE]
        return [p for p in held if p.state == State.HOLDING]

    def harvest(self, _: int) -> None:
        """All accessed bits are read."""
        self.due("harvest", NONE, self.now + self.rules.harvest_ns)
        for p in self.resident():
            self.looks += 1
            if p.accessed:
                self.see(p)
            if self.rules.look_ns:
                self.delay(self.threads[p.last_user], "minor", self.rules.look_ns)

    def look_around(self, decision: Decision) -> int:
        """Who decides reads bits."""
        looked = list(self.looked_at(decision)) if self.rules.sight == "scanned" else []
        for p in [self.entities[e] for e in looked]:
            if p.accessed:
                self.see(p)
        return len(looked)

    def page_in(self, i: int) -> None:
        """The arrival executes the ops that wait for it."""
        p = self.entities[i]
        p.state, queue, p.queue = State.HOLDING, p.queue, []
        node = self.slots[p.slot].node
        for t, work, excess in queue:
            stayed = t.status == Status.RUNNING
            t.started, t.left["service"], t.left["remote"] = True, work, excess * (stayed and node != t.home)
            if self.cores and not stayed:
                self.want(t, Why.FAULT_DONE)
                continue
            self.enter(t, Status.RUNNING)
            self.resume(t)
        self.serve(node)

    def serve(self, node: int) -> None:
        """A frame became legal or vacant: all who queue for this node are asked again."""
        for p in [p for p in self.pages if p.id in self.frame_queue and p.allowed(node)]:
            self.frame_queue.remove(p.id)
            self.agenda["evict", p.id] = (0, 1, p.want_seq)

    # -- wanting, holding, leaving (N6, N7, N8)

    def want(self, entity: Entity, why: Why) -> None:
        entity.want_seq = entity.spell_seq = next(self.seq)
        entity.want_ns, entity.why = self.now, why
        if why in (Why.NEW, Why.WAKE):
            entity.burst_start, entity.attained = self.now, 0
        if isinstance(entity, Thread):
            self.enter(entity, Status.CPU_WAIT)
        else:
            entity.state = State.WAITING
        self.owners[entity.owner].active += 1
        self.tell("want", entity, entity.home, why)
        self.agenda["evict", entity.id] = (int(isinstance(entity, Thread)), 1, entity.want_seq)

    def wait_silently(self, t: Thread) -> None:
        t.want_seq, t.want_ns = next(self.seq), self.now
        self.enter(t, Status.CPU_WAIT)

    def hold(self, entity: Entity, slot: Slot) -> None:
        """It gets the slot, from its holder if there is one."""
        victim, previous = slot.holder, slot.last
        if victim != NONE and isinstance(entity, Thread):
            self.remind(self.entities[victim])
        if victim != NONE:
            self.release(self.entities[victim], Why.PREEMPT if isinstance(entity, Thread) else Why.EVICTED)
        if victim != NONE and isinstance(entity, Thread):
            self.wait_silently(self.entities[victim])
        self.agenda.pop(("evict", entity.id), None)
        entity.hold_seq = entity.use_seq = next(self.seq)
        if isinstance(entity, Page) and entity.uses_total:
            entity.add_gap(self.now - entity.last_use)
        entity.hold_ns = entity.last_use = entity.stay_ns = self.now
        entity.uses, entity.uses_total = 1, entity.uses_total + 1
        self.place(entity, slot)
        if isinstance(entity, Page):
            self.show_hold(entity)
        self.tell("hold", entity, slot.id, entity.why, slow=self.lies_slow(entity))
        if isinstance(entity, Thread):
            self.dispatch(entity, slot, previous)
        else:
            self.fetch(entity, displaced=victim != NONE)

    def dispatch(self, t: Thread, core: Slot, previous: int) -> None:
        """It runs, after its switch and its move."""
        self.enter(t, Status.RUNNING)
        t.left["switch"], t.owed = self.rules.switch_ns * (previous != t.id) + t.owed, 0
        self.switches += previous != t.id
        if t.last_slot not in (NONE, core.id):
            far = t.home != core.node
            t.left["move"] += self.move_cost(t, far)
            t.cold = [t.times["service"], t.times["service"] if far else t.cold[1]]
            self.moves += far
        t.home, t.last_slot, t.turn_over, self.tried = core.node, core.id, False, False
        if self.rules.tick_ns:
            self.due("tick", core.id, self.now + self.rules.tick_ns)
        self.resume(t)

    def move_cost(self, t: Thread, far: bool) -> int:
        """In proportion to what it served there, until all is warm."""
        full = self.rules.move_far_ns if far else self.rules.move_near_ns
        served, warm = t.times["service"] - t.cold[far], self.rules.warm_ns[far]
        return full if served >= warm else full * served // warm

    def fetch(self, p: Page, displaced: bool) -> None:
        """Its frame is being filled: by the device, or by the thread that touched it first, on its core."""
        shootdown, decided_ns = self.shootdown * displaced, self.decided_ns
        if p.is_new():
            self.decided_ns = 0
            p.queue[0][0].left["minor"] += decided_ns + self.rules.first_touch_ns + shootdown
            p.touched = True
            return self.page_in(p.id)
        p.state = State.IN_FLIGHT
        self.due("page_in", p.id, self.device(self.rules.swap_in_ns) + self.rules.minor_fault_ns + shootdown)
        self.decided_ns = 0

    def device(self, ns: int) -> int:
        """When a request that takes ns is done."""
        lane = self.lanes.index(min(self.lanes))
        self.lanes[lane] = max(self.now + self.decided_ns, self.lanes[lane]) + ns
        return self.lanes[lane]

    def release(self, entity: Entity, why: Why) -> None:
        slot, slow = self.slots[entity.slot], self.lies_slow(entity)
        if isinstance(entity, Thread):
            self.report(entity)
            if why == Why.YIELD:
                self.tell("cool", entity)
            self.events.pop(("complete", entity.id), None)
            self.events.pop(("tick", slot.id), None)
        self.vacate(slot)
        self.tell("release", entity, why=why, slow=slow)
        self.owners[entity.owner].active -= why not in (Why.PREEMPT, Why.YIELD)
        if isinstance(entity, Page):
            self.drop(entity, slot, why)
        elif why in (Why.FAULT, Why.BLOCK, Why.LOCK, Why.EXIT):
            self.offer(slot)

    def drop(self, p: Page, frame: Slot, why: Why) -> None:
        """Where its contents go, and who gets the frame."""
        keeps = why in (Why.EVICTED, Why.PAGEOUT)
        if p.dirty and keeps:
            self.device(self.rules.write_back_ns)
            self.write_backs += 1
        p.state, p.dirty, p.touched = State.ABSENT, False, keeps
        if why == Why.EVICTED:
            self.evictions += 1
        else:
            self.serve(frame.node)

    def report(self, t: Thread) -> None:
        """Tells the policies what it ran since the last report."""
        self.charge(t)
        ns, t.reported = t.times["service"] - t.reported, t.times["service"]
        if ns:
            t.use_seq, t.uses, t.uses_total = next(self.seq), t.uses + 1, t.uses_total + 1
            t.last_use = self.now
            self.tell("use", t, ns)

    def place(self, entity: Entity, slot: Slot) -> None:
        slot.settle(self.now)
        slot.holder = slot.last = entity.id
        entity.slot = slot.id

    def vacate(self, slot: Slot) -> None:
        slot.settle(self.now)
        self.entities[slot.holder].slot = NONE
        slot.holder = NONE

    # -- EVICT (N14)

    def evict(self, e: int) -> None:
        """Who goes without?"""
        entity = self.entities[e]
        is_thread = isinstance(entity, Thread)
        slots = [s for s in (self.cores if is_thread else self.frames) if entity.allowed(s.node)]
        if slot := self.vacant_at_home(entity, slots):
            return self.hold(entity, slot)
        vacant = {s.node: vacancy(s.id) for s in reversed(slots) if s.holder == NONE}  # the lowest of each node
        contenders = [*vacant.values(), *self.legal_holders(entity, slots)] + [e] * is_thread
        if not contenders:
            return self.queue_for_frame(entity)
        choice = self.ask(Kind.EVICT, entity.why, Resource(int(is_thread)), e, NONE, contenders)
        if choice == e:
            self.remind(entity)
        else:
            self.hold(entity, self.slots[vacancy(choice) if choice < 0 else self.entities[choice].slot])

    def queue_for_frame(self, p: Page) -> None:
        """Who waited for it on a core waits elsewhere."""
        self.frame_queue.add(p.id)
        for t, *_ in p.queue:
            if t.status == Status.RUNNING:
                self.leave_core(t, Why.FAULT, Status.FAULTING)

    def remind(self, t: Thread) -> None:
        """It waits on: every vacant core that it may have is offered again at the next tick."""
        for core in self.cores:
            idle = core.holder == NONE and ("tick", core.id) not in self.events
            if idle and t.allowed(core.node) and self.rules.tick_ns:
                self.due("tick", core.id, self.now + self.rules.tick_ns)

    def vacant_at_home(self, entity: Entity, slots: list[Slot]) -> Slot | None:
        """Its last core, else the lowest."""
        vacant = [s for s in slots if s.holder == NONE and s.node == entity.home and entity.allowed(s.node)]
        return min(vacant, key=lambda s: (isinstance(entity, Page) or s.id != entity.last_slot, s.id), default=None)

    def legal_holders(self, entity: Entity, slots: list[Slot]) -> list[int]:
        legal = [s for s in slots if s.holder != NONE and self.entities[s.holder].legal()]
        local = [s for s in legal if s.node == entity.home and self.rules.reclaim == "local"]
        return [s.holder for s in local or legal]

    # -- ADMIT of a core, and its tick (N10, N15)

    def tick(self, slot: int) -> None:
        core = self.slots[slot]
        if core.holder != NONE:
            self.due("tick", core.id, self.now + self.rules.tick_ns)
            self.report(self.entities[core.holder])
            self.entities[core.holder].turn_over = True
        self.offer(core)

    def admit_core(self, slot: int) -> None:
        """Who runs next?"""
        core = self.slots[slot]
        excluded, core.excluded = core.excluded, NONE
        waiters = [t for t in self.threads if t.status == Status.CPU_WAIT and t.allowed(core.node)]
        waiters = [t.id for t in waiters if t.id != excluded] or [t.id for t in waiters]
        if core.holder != NONE:
            self.admit_held(core, waiters)
        elif len(waiters) == 1 and self.threads[waiters[0]].home == core.node:
            self.hold(self.threads[waiters[0]], core)
        elif waiters:
            self.admit_vacant(core, waiters, Why.IDLE if excluded == NONE else Why.YIELD)

    def admit_held(self, core: Slot, waiters: list[int]) -> None:
        holder = core.holder
        choice = self.ask(Kind.ADMIT, Why.TICK, Resource.CPU, holder, core.id, [*waiters, holder])
        if choice == holder:
            self.threads[holder].turn_over = False
        else:
            self.hold(self.threads[choice], core)

    def admit_vacant(self, core: Slot, waiters: list[int], cause: Why) -> None:
        """It may stay idle, where that is allowed, while anything else is pending."""
        contenders = waiters + [vacancy(core.id)] * (self.rules.may_idle and self.pending())
        choice = self.ask(Kind.ADMIT, cause, Resource.CPU, NONE, core.id, contenders)
        if choice >= 0:
            self.hold(self.threads[choice], core)
        elif self.rules.tick_ns:
            self.due("tick", core.id, self.now + self.rules.tick_ns)

    # -- ADMIT of a frame, hints and moves (N4, N14, N16)

    def scan(self, _: int) -> None:
        """Each node with misplaced pages offers one frame."""
        self.due("scan", NONE, self.now + self.rules.scan_ns)
        for node in sorted(self.hands):
            frame = self.frame_to_offer(node) if self.misplaced(node) else None
            if frame:
                self.offer(frame)

    def misplaced(self, node: int) -> list[Page]:
        """Used from here, held elsewhere."""
        mine = [p for p in self.pages if p.legal() and p.home == node and p.allowed(node)]
        return [p for p in mine if self.slots[p.slot].node != node]

    def frame_to_offer(self, node: int) -> Slot | None:
        """The lowest vacant one, else the next of the hand."""
        frames, hand = [f for f in self.frames if f.node == node], self.hands[node]
        legal = [f for f in frames if f.holder != NONE and self.entities[f.holder].legal()]
        if vacant := [f for f in frames if f.holder == NONE]:
            return vacant[0]
        frame = min(legal, key=lambda f: (f.id <= hand, f.id), default=None)
        self.hands[node] = frame.id if frame else hand
        return frame

    def admit_frame(self, slot: int) -> None:
        """Which page moves here?"""
        frame = self.slots[slot]
        holder = self.entities[frame.holder] if frame.holder != NONE else None
        if holder and not holder.legal():
            return
        stay = holder.id if holder else vacancy(slot)
        pages = [p.id for p in self.misplaced(frame.node) if not holder or holder.allowed(self.slots[p.slot].node)]
        choice = self.ask(Kind.ADMIT, Why.SCAN, Resource.MEMORY, frame.holder, slot, [*pages, stay])
        if choice != stay:
            self.move(self.entities[choice], frame, Why.SCAN)

    def hint_is_due(self, p: Page, node: int) -> bool:
        """At most once per page and hint_ns."""
        if not self.rules.tiers or self.rules.hint_ns is None or not p.legal():
            return False
        rested = p.hinted is None or self.now - p.hinted >= self.rules.hint_ns
        return rested and node != self.slots[p.slot].node and p.allowed(node)

    def put_hint(self, t: Thread, p: Page) -> bool:
        """EVICT(p) goes on the agenda; t waits for it on its core."""
        p.hinted, p.home, p.last_user = self.now, t.home, t.id
        self.show_user(p)
        self.charge(t)
        t.left["minor"] += self.rules.hint_fault_ns
        self.hinters.setdefault(p.id, []).append(t)
        self.agenda.setdefault(("hint", p.id), (0, 1, next(self.seq)))
        return False

    def hint(self, i: int) -> None:
        """Is it promoted, and who is demoted? Then the touch goes on."""
        p = self.entities[i]
        stands = p.state == State.HOLDING and self.slots[p.slot].node != p.home and p.allowed(p.home)
        if stands and self.has_tiers() and p.home == 0:
            self.tell_fast("want", p, 0, Why.HINT)
        frame = (self.vacant_at_home(p, self.frames) or self.demoted(p)) if stands else None
        if frame:
            self.move(p, frame, Why.HINT)
        for t in self.hinters.pop(i):
            promoted = frame is not None and frame.node == 0
            if self.do_read(t, self.ops[t.pc], hint=False, promoted=promoted):
                self.step(t)

    def demoted(self, p: Page) -> Slot | None:
        """The frame of who changes places with p."""
        held = [self.entities[f.holder] for f in self.frames if f.node == p.home]
        losers = [h.id for h in held if h.legal() and h.allowed(self.slots[p.slot].node)]
        choice = self.ask(Kind.EVICT, Why.HINT, Resource.MEMORY, p.id, NONE, [*losers, p.id])
        return None if choice == p.id else self.slots[self.entities[choice].slot]

    def move(self, p: Page, frame: Slot, why: Why) -> None:
        """It changes places with the frame's holder, or fills the vacancy."""
        old, moved = self.slots[p.slot], [(p, frame)]
        self.vacate(old)
        if frame.holder != NONE:
            moved.append((self.entities[frame.holder], old))
            self.vacate(frame)
        for page, slot in moved:
            self.place(page, slot)
            page.stay_ns = self.now
            self.moves += 1
            self.tell("move", page, slot.id, slow=self.has_tiers())
        if self.has_tiers() and (old.node == 0) != (frame.node == 0):
            self.tell_tiers(p, moved, why)
        self.delay(self.threads[p.last_user], "move", self.rules.page_move_ns * len(moved) + self.shootdown)
        if old.holder == NONE:
            self.serve(old.node)

    def tell_tiers(self, asked: Page, moved: list[tuple[Page, Slot]], why: Why) -> None:
        """Who left the fast tier was evicted from it, who came into it wanted and holds (N24)."""
        for page, slot in sorted(moved, key=lambda one: one[1].node == 0):
            if slot.node > 0:
                self.tell_fast("release", page, 0, Why.EVICTED)
                continue
            if page is not asked or why != Why.HINT:
                self.tell_fast("want", page, page.home, why)
            self.tell_fast("hold", page, slot.id, why)

    def delay(self, t: Thread, part: str, ns: int) -> bool:
        """A page's move is paid by who used it last; False: it has exited."""
        if t.status == Status.EXITED:
            return False
        self.charge(t)
        t.left[part] += ns
        if ("complete", t.id) in self.events:
            self.due("complete", t.id, self.now + t.total_left())
        return True

    # -- conservation

    def check_slots(self) -> None:
        held = [(s.holder, s.id) for s in self.slots if s.holder != NONE]
        assert sorted(held) == [(entity.id, entity.slot) for entity in self.entities if entity.slot != NONE]
        assert all((p.slot != NONE) == (p.state in (State.IN_FLIGHT, State.HOLDING)) for p in self.pages)

    def finish(self) -> None:
        """Nothing is lost: time, ops, slots."""
        self.check_slots()
        for slot in self.slots:
            slot.settle(self.now)
        assert sum(s.busy + s.idle for s in self.slots) == len(self.slots) * self.now
        for t in self.threads:
            assert sum(t.times.values()) == self.times[t.id]["exit"] - t.arrival_ns
            assert all(self.done[t.id, pc] == 1 for pc in range(t.first, t.pc))
            assert t.pc == t.last or self.ops[t.pc].op == Op.EXIT
        assert sum(self.done.values()) == sum(t.pc - t.first for t in self.threads)
