"""A tape from the lines of the kernel's scheduler trace, as tracefs, trace-cmd or perf print them.

Time on a core becomes COMPUTE. A sleep that a recorded task ends becomes WAIT, with a SIGNAL at that point of the
waker's own work; each pair of waker and sleeper has its own channel, so that no schedule can get stuck. A sleep ended
by anything else (timer, device, an unrecorded task) becomes SLEEP, from block to wake. Time on the run queue is left
out: that is the policy's. A forked task begins with a WAIT for its parent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sos_gym.resource import Op
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import events

EVENTS = events.RECORDED  # that the recorder switches on
ALL_NODES = -1
CLONE_THREAD = 0x10000  # include/uapi/linux/sched.h
REAL_TIME = 100  # include/linux/sched/prio.h: MAX_RT_PRIO, priorities below are real-time
NICE_0 = 20  # place of nice 0 in WEIGHTS
# kernel/sched/core.c: sched_prio_to_weight, nice -20 to 19
# fmt: off
WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
    9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
    1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
    110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
)
# fmt: on


@dataclass
class Action:
    """What a task does at one point of its own work."""

    line: int  # of the trace: the order
    after_ns: int  # of the task's own work
    op: Op
    arg: int = 0  # SLEEP: ns; WAIT, SIGNAL: the other task's index


@dataclass(eq=False)
class Task:
    """A recorded task."""

    index: int  # in order of creation; pids may be used again
    pid: int
    process: int  # pid of the thread group's first task
    name: str = ""
    priority: int = 120
    nodes: int = ALL_NODES  # bit mask of those that it may run on
    work_ns: int = 0
    since_ns: int | None = None  # on a core since
    cpu: int = 0  # that core, or its last one
    blocked: Action | None = None  # the sleep that it is in
    blocked_ns: int = 0  # since
    told_process: bool = False  # the trace says in its own column which process it is of
    early: tuple[int, int, "Task | None", int] | None = None  # line, time, waker, waker's work: before its switch
    actions: list[Action] = field(default_factory=list)

    def worked_ns(self, now_ns: int) -> int:
        """Its own work until now."""
        return self.work_ns + (0 if self.since_ns is None else now_ns - self.since_ns)


class Schedule:
    """The recorded tasks, as told line by line.

    `root` is the first task's pid; the others are its descendants. Without one all tasks but the idle ones count: one
    that is first heard of when it wakes was asleep since the first line, one that is first heard of on a core has run
    there since then if nothing else is known of that core. perf may not see the events of some tasks: one whose
    leaving was not traced has worked until the last event on its core. `nodes`: pid -> mask of the nodes that a task
    may run on, which no event tells; who is not there has its parent's.
    """

    def __init__(self, root: int | None, nodes: Mapping[int, int] | None = None) -> None:
        self._nodes = nodes or {}
        self.order = [] if root is None else [Task(0, root, root, nodes=self._nodes.get(root, ALL_NODES))]
        self.alive = {task.pid: task for task in self.order}  # by pid
        self.preemptions = self.waits = self.sleeps = 0
        self.switches = self.wakings = 0  # events of these kinds, of any task
        self.late = 0  # other events that the trace tells after a later one; they are left out
        self.slept_ns = self.unwoken_ns = 0  # of sleeps that ended; of those that no event ended: run queue included
        self.first_ns: int | None = None  # of work
        self.last_ns = 0
        self._everyone = root is None
        self._began_ns: int | None = None
        self._now_ns = 0
        self._heard_ns: dict[int, int] = {}  # by core: its last event
        self.cores = 0  # of the machine, or those that have events
        self._on: dict[int, Task] = {}  # by core: who came last
        self._interrupt_ns: dict[int, int] = {}  # by core: since when events tell that it is in an interrupt
        self._processes: dict[int, int] = {}  # pid -> its process, as perf's records say
        self._free_text = False  # the last event may go on in the next line

    def read(self, number: int, line: str) -> None:
        """One line of the trace."""
        if events.REMARK.match(line):
            told = events.CORES.match(line)
            self.cores = int(told[1]) if told else self.cores
            return
        if "LOST" in line and "EVENTS" in line:
            raise TapeError(f"line {number}: the trace lost events; record with a larger buffer")
        fields = events.LINE.match(line)
        if not fields and (record := events.RECORD.match(line)):
            self._record(number, record)
            return
        if not fields and self._free_text:  # the text of an event, which goes on
            return
        fields = fields or events.matched((events.LINE,), number, line)
        self._free_text = fields["event"] in events.FREE_TEXT
        now_ns = int(fields["seconds"]) * 10**9 + int(fields["fraction"].ljust(9, "0"))
        if now_ns < self._now_ns and fields["event"] not in events.SCHEDULING:
            self.late += 1
            return
        if now_ns < self._now_ns:
            raise TapeError(f"line {number} is {line[:80]!r}: time runs backwards; sort the lines by time")
        self._now_ns = now_ns
        self._began_ns = now_ns if self._began_ns is None else self._began_ns
        self._event(number, now_ns, fields)

    def _record(self, number: int, record: re.Match) -> None:
        """What perf itself says, between the events."""
        if record["kind"].startswith("LOST"):
            raise TapeError(f"line {number}: the trace lost events; record with a larger buffer")
        if record["kind"] in ("FORK", "COMM") and (pid := record["pid"] or record["tid"]):
            self._processes[int(pid)] = int(record["process"] or record["of"])
            if task := self.alive.get(int(pid)):
                task.process, task.told_process = self._processes[int(pid)], True

    def _event(self, number: int, now_ns: int, fields: re.Match) -> None:
        cpu, event, rest = int(fields["cpu"]), fields["event"], fields["rest"]
        if event == "sched_switch":
            switch = events.matched(events.SWITCH, number, rest)
            self._seen_on_core(now_ns, cpu, int(switch["prev"]), switch["comm"])
            self._of_process(fields, int(switch["prev"]))
            self._switch(number, now_ns, cpu, switch)
            self._interrupt_ns.pop(cpu, None)
            return
        if event in events.INTERRUPT_BEGINS:
            self._interrupt_ns[cpu] = now_ns
        elif event in events.INTERRUPT_ENDS:
            self._interrupt_ns.pop(cpu, None)
        pid = self._pid_on_core(cpu, int(fields["pid"]))
        if pid is not None:
            self._seen_on_core(now_ns, cpu, pid, fields["comm"])
            self._of_process(fields, pid)
        if event in ("sched_waking", "sched_wakeup", "sched_wakeup_new"):
            self._waking(number, now_ns, pid, fields, events.matched(events.WAKING, number, rest))
        elif event == "task_newtask":
            child = events.matched(events.NEWTASK, number, rest)
            self._fork(number, now_ns, int(fields["pid"]), child, bool(int(child["clone"], 16) & CLONE_THREAD))
        elif event == "sched_process_fork":
            child = events.matched(events.FORK, number, rest)
            if int(child["pid"]) not in self.alive:  # task_newtask has not told it already, and better
                self._fork(number, now_ns, int(child["parent"]), child, thread=False)

    def _pid_on_core(self, cpu: int, pid: int) -> int | None:
        """Whose event it is; the pid of an exiting task is -1, and it is who came last."""
        if pid != events.GONE:
            return pid
        task = self._on.get(cpu)
        return task.pid if task and task.since_ns is not None and task.cpu == cpu else None

    def _of_process(self, fields: re.Match, pid: int) -> None:
        """What the columns of perf (pid/tid) and tracefs (tgid) say of the task of that pid."""
        said = fields["process"] or fields["tgid"] or ""
        task = self.alive.get(pid)
        if task and pid == int(fields["pid"]) and said.isdecimal():
            task.process, task.told_process = int(said), True

    def stop(self) -> None:
        """The trace is over."""
        self.cores = max(self.cores, len(self._heard_ns))
        for task in self.alive.values():
            self._leave_unseen(task)

    def _known(self, pid: int, name: str) -> tuple[Task | None, bool]:
        """The task of that pid, and whether it is heard of for the first time."""
        if pid in self.alive or not self._everyone or not pid:
            return self.alive.get(pid), False
        process = self._processes.get(pid, pid)
        task = self.alive[pid] = Task(len(self.order), pid, process, name.strip(), told_process=process != pid)
        self.order.append(task)
        return task, True

    def _seen_on_core(self, now_ns: int, cpu: int, pid: int, name: str) -> None:
        """Whoever an event happens to is on its core, and nobody else is."""
        if (other := self._on.get(cpu)) and other.pid != pid and other.cpu == cpu:
            self._leave_unseen(other)
        task, new = self._known(pid, name)
        if task and task.since_ns is None:
            self._come(self._began_ns or 0 if new and cpu not in self._heard_ns else now_ns, cpu, task)
        self._heard_ns[cpu] = now_ns

    def _leave_unseen(self, task: Task) -> None:
        if task.since_ns is not None:
            left_ns = self._heard_ns[task.cpu]
            task.work_ns, task.since_ns, self.last_ns = task.worked_ns(left_ns), None, max(left_ns, self.last_ns)

    def _switch(self, number: int, now_ns: int, cpu: int, fields: re.Match) -> None:
        self.switches += 1
        leaver = self.alive.get(int(fields["prev"]))
        comer, _ = self._known(int(fields["next"]), fields["next_comm"])
        if leaver and leaver.since_ns is not None:
            leaver.name, leaver.priority = fields["comm"], int(fields["prio"])
            self._leave(number, now_ns, leaver, fields["state"])
        if comer:
            self._come(now_ns, cpu, comer)

    def _leave(self, number: int, now_ns: int, task: Task, state: str) -> None:
        task.work_ns, task.since_ns = task.worked_ns(now_ns), None
        self.last_ns = now_ns
        state = events.letter(int(state)) if state.isdecimal() else state
        if state.startswith(("X", "x", "Z")):
            task.actions.append(Action(number, task.work_ns, Op.EXIT))
            del self.alive[task.pid]
        elif state.startswith("R"):
            self.preemptions += 1
        else:
            task.blocked, task.blocked_ns = Action(number, task.work_ns, Op.SLEEP), now_ns

    def _come(self, now_ns: int, cpu: int, task: Task) -> None:
        if task.blocked and task.early:  # woken between its decision to sleep and the switch
            self._end_sleep(task, *task.early)
        elif task.blocked:  # nobody was seen to wake it
            self.unwoken_ns += now_ns - task.blocked_ns
            self._end_sleep(task, 0, now_ns, None, 0)
        task.early, task.since_ns, task.cpu = None, now_ns, cpu
        self._on[cpu] = task
        if self.first_ns is None:
            self.first_ns = now_ns

    def _waking(self, number: int, now_ns: int, pid: int | None, fields: re.Match, woken: re.Match) -> None:
        self.wakings += 1
        waker = None if pid is None else self.alive.get(pid)
        task, new = self._known(int(woken["pid"]), woken["comm"])
        if task and new:
            task.blocked, task.blocked_ns = Action(0, 0, Op.SLEEP), self._began_ns or 0
        told_ns = self._interrupt_ns.get(int(fields["cpu"]), now_ns - 2 * events.LONGEST_INTERRUPT_NS)
        if events.in_interrupt(fields["flags"] or "") or now_ns - told_ns <= events.LONGEST_INTERRUPT_NS:
            waker = None
        if not task or task is waker:
            return
        wake = (number, now_ns, waker, waker.worked_ns(now_ns) if waker else 0)
        if task.blocked:
            self._end_sleep(task, *wake)
        elif fields["event"] == "sched_waking" or not task.early:
            task.early = wake

    def _end_sleep(self, task: Task, number: int, now_ns: int, waker: Task | None, work_ns: int) -> None:
        sleep, task.blocked, task.early = task.blocked, None, None
        assert sleep is not None
        self.slept_ns += max(now_ns - task.blocked_ns, 0)
        if waker:
            sleep.op, sleep.arg = Op.WAIT, waker.index
            waker.actions.append(Action(number, work_ns, Op.SIGNAL, task.index))
            self.waits += 1
        else:
            sleep.arg = max(now_ns - task.blocked_ns, 0)
            self.sleeps += 1
        task.actions.append(sleep)

    def _fork(self, number: int, now_ns: int, parent_pid: int, fields: re.Match, thread: bool) -> None:
        parent = self.alive.get(parent_pid)
        if not parent:
            return
        pid = int(fields["pid"])
        told, nodes = parent.process if thread else self._processes.get(pid, pid), self._nodes.get(pid, parent.nodes)
        child = Task(len(self.order), pid, told, fields["comm"], parent.priority, nodes)
        self.alive[pid] = child
        self.order.append(child)
        parent.actions.append(Action(number, parent.worked_ns(now_ns), Op.SIGNAL, child.index))
        child.actions.append(Action(number, 0, Op.WAIT, parent.index))

    def counts(self) -> dict[str, int]:
        """What a card says of the schedule; times in ns."""
        return {
            "recorded_ns": self.last_ns - (self.first_ns or 0),
            "work_ns": sum(task.work_ns for task in self.order),
            "waits": self.waits,
            "sleeps": self.sleeps,
            "preemptions": self.preemptions,
            "threads": len(self.order),
            "processes": len({task.process for task in self.order}),
            "real_time": sum(task.priority < REAL_TIME for task in self.order),  # of the threads; see `weights`
        }

    def programs(self) -> list[list[tuple[Op, int]]]:
        """What each task does, in order of creation."""
        channels: dict[tuple[int, int], int] = {}
        return [_program(task, channels) for task in self.order]

    def tape(self, card: dict | None = None, programs: list | None = None, pages: dict | None = None) -> Tape:
        """One thread per task, in order of creation; `programs`, with their `pages`, in place of its own.

        A task that sleeps when the trace begins arrives when it wakes.
        """
        own = self.programs()
        arrivals_ns = [0 if not program or program[0][0] != Op.SLEEP else program.pop(0)[1] for program in own]
        processes = {p: i for i, p in enumerate(dict.fromkeys(task.process for task in self.order))}
        return Tape.build(
            programs or own,
            arrival_ns=arrivals_ns,
            owner=[processes[task.process] for task in self.order],
            weight=weights([task.priority for task in self.order]),
            affinity=[task.nodes for task in self.order],
            pages=pages,
            card=card,
            thread_names=[task.name or f"task {task.index}" for task in self.order],
        )


def _program(task: Task, channels: dict[tuple[int, int], int]) -> list[tuple[Op, int]]:
    """Its actions in order, with its work between them; an unfinished sleep is left out."""
    program, done_ns = [], 0
    for action in sorted(task.actions, key=lambda a: a.line):
        if action.after_ns > done_ns:
            program.append((Op.COMPUTE, action.after_ns - done_ns))
            done_ns = action.after_ns
        arg = action.arg
        if action.op in (Op.WAIT, Op.SIGNAL):
            pair = (arg, task.index) if action.op == Op.WAIT else (task.index, arg)  # waker, sleeper
            arg = channels.setdefault(pair, len(channels))
        program.append((action.op, arg))
    if task.work_ns > done_ns:
        program.append((Op.COMPUTE, task.work_ns - done_ns))
    return program


def read(lines: Iterable[str], root: int | None, nodes: Mapping[int, int] | None = None) -> Schedule:
    """All lines of a trace; `root` is the pid of the first recorded task, None stands for all tasks."""
    schedule = Schedule(root, nodes)
    for number, line in enumerate(lines, 1):
        schedule.read(number, line)
    schedule.stop()
    return schedule


def weight(priority: int) -> int:
    """The kernel's weight of a priority: 120 is nice 0, 1024; real-time counts as nice -20."""
    return WEIGHTS[min(max(priority - REAL_TIME, 0), 39)]


def weights(priorities: Sequence[int]) -> list[int]:
    """Weights of all tasks. Those of real-time are at most half of the whole, none more than nice -20, or less than 0.

    Eleven of them beside 44 of nice 0 weigh 44 * 1024 // 11 = 4096 each: unbounded they had 95 % of all weight.
    """
    others = sum(weight(priority) for priority in priorities if priority >= REAL_TIME)
    real_time = sum(priority < REAL_TIME for priority in priorities)
    bounded = max(WEIGHTS[NICE_0], min(WEIGHTS[0], others // max(real_time, 1)))
    return [bounded if priority < REAL_TIME else weight(priority) for priority in priorities]
