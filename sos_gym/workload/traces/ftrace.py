"""A tape from the lines of the kernel's scheduler trace, as tracefs, trace-cmd or perf print them.

Time on a core becomes COMPUTE. A sleep that a recorded task ends becomes WAIT, with a SIGNAL at that point of the
waker's own work; each pair of waker and sleeper has its own channel, so that no schedule can get stuck. A sleep ended
by anything else (timer, device, an unrecorded task) becomes SLEEP, from block to wake. Time on the run queue is left
out: that is the policy's. A forked task begins with a WAIT for its parent.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sos_gym.resource import Op
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape

EVENTS = ("sched/sched_switch", "sched/sched_waking", "task/task_newtask")
ALL_NODES = -1
CLONE_THREAD = 0x10000  # include/uapi/linux/sched.h
# kernel/sched/core.c: sched_prio_to_weight, nice -20 to 19
# fmt: off
WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
    9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
    1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
    110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
)
# fmt: on

LINE = (
    re.compile(  # tracefs and trace-cmd: comm-pid (tgid) [cpu] flags time: event; perf: comm pid/tid [cpu] time: event
        r"\s*(?P<comm>.*)(?:-|\s)(?:\d+/)?(?P<pid>\d+)\s+(?:\([^)]*\)\s+)?\[(?P<cpu>\d+)\]\s+(?:(?P<flags>\S+)\s+)?"
        r"(?P<seconds>\d+)\.(?P<fraction>\d{6,9}):\s+(?:\d+\s+)?(?:\w+:)?(?P<event>\w+):\s+(?P<rest>.*)"
    )
)
SWITCH = (  # the kernel's words, then those of libtraceevent's plugin, which trace-cmd uses
    re.compile(
        r"prev_comm=(?P<comm>.*) prev_pid=(?P<prev>\d+) prev_prio=(?P<prio>-?\d+) prev_state=(?P<state>\S+) ==> "
        r"next_comm=(?P<next_comm>.*) next_pid=(?P<next>\d+) next_prio=(?P<next_prio>-?\d+)"
    ),
    re.compile(
        r"(?P<comm>.*):(?P<prev>\d+) \[(?P<prio>-?\d+)\] (?P<state>\S+) ==> "
        r"(?P<next_comm>.*):(?P<next>\d+) \[(?P<next_prio>-?\d+)\]"
    ),
)
WAKING = (
    re.compile(r"comm=(?P<comm>.*) pid=(?P<pid>\d+) prio=(?P<prio>-?\d+)"),
    re.compile(r"(?P<comm>.*):(?P<pid>\d+) \[(?P<prio>-?\d+)\]"),
)
NEWTASK = (re.compile(r"pid=(?P<pid>\d+) comm=(?P<comm>.*) clone_flags=(?P<clone>[0-9a-f]+)"),)
FORK = (re.compile(r"comm=.* pid=(?P<parent>\d+) child_comm=(?P<comm>.*) child_pid=(?P<pid>\d+)"),)
REMARK = re.compile(r"#|\s*$|cpus=\d+|CPU \d+ is empty|version = ")  # of the tools: not events


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
        self.first_ns: int | None = None  # of work
        self.last_ns = 0
        self._everyone = root is None
        self._began_ns: int | None = None
        self._now_ns = 0
        self._heard_ns: dict[int, int] = {}  # by core: its last event
        self._on: dict[int, Task] = {}  # by core: who came last

    def read(self, number: int, line: str) -> None:
        """One line of the trace."""
        if REMARK.match(line):
            return
        if "LOST" in line and "EVENTS" in line:
            raise TapeError(f"line {number}: the trace lost events; record with a larger buffer")
        fields = _match((LINE,), number, line)
        now_ns = int(fields["seconds"]) * 10**9 + int(fields["fraction"].ljust(9, "0"))
        if now_ns < self._now_ns:
            raise TapeError(f"line {number} is {line[:80]!r}: time runs backwards; sort the lines by time")
        self._now_ns = now_ns
        self._began_ns = now_ns if self._began_ns is None else self._began_ns
        cpu, rest = int(fields["cpu"]), fields["rest"]
        self._seen_on_core(now_ns, cpu, int(fields["pid"]), fields["comm"])
        if fields["event"] == "sched_switch":
            self._switch(number, now_ns, cpu, _match(SWITCH, number, rest))
        elif fields["event"] in ("sched_waking", "sched_wakeup", "sched_wakeup_new"):
            self._waking(number, now_ns, fields, _match(WAKING, number, rest))
        elif fields["event"] == "task_newtask":
            child = _match(NEWTASK, number, rest)
            self._fork(number, now_ns, int(fields["pid"]), child, bool(int(child["clone"], 16) & CLONE_THREAD))
        elif fields["event"] == "sched_process_fork":
            child = _match(FORK, number, rest)
            if int(child["pid"]) not in self.alive:  # task_newtask has not told it already, and better
                self._fork(number, now_ns, int(child["parent"]), child, thread=False)

    def stop(self) -> None:
        """The trace is over."""
        for task in self.alive.values():
            self._leave_unseen(task)

    def _known(self, pid: int, name: str) -> tuple[Task | None, bool]:
        """The task of that pid, and whether it is heard of for the first time."""
        if pid in self.alive or not self._everyone or not pid:
            return self.alive.get(pid), False
        task = self.alive[pid] = Task(len(self.order), pid, pid, name.strip())
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
            self._end_sleep(task, 0, now_ns, None, 0)
        task.early, task.since_ns, task.cpu = None, now_ns, cpu
        self._on[cpu] = task
        if self.first_ns is None:
            self.first_ns = now_ns

    def _waking(self, number: int, now_ns: int, fields: re.Match, woken: re.Match) -> None:
        waker = self.alive.get(int(fields["pid"]))
        task, new = self._known(int(woken["pid"]), woken["comm"])
        if task and new:
            task.blocked, task.blocked_ns = Action(0, 0, Op.SLEEP), self._began_ns or 0
        if waker and _interrupted(fields["flags"] or ""):
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
        process, nodes = parent.process if thread else pid, self._nodes.get(pid, parent.nodes)
        child = Task(len(self.order), pid, process, fields["comm"], parent.priority, nodes)
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
            weight=[weight(task.priority) for task in self.order],
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
    return WEIGHTS[min(max(priority - 100, 0), 39)]


def _interrupted(flags: str) -> bool:
    """Whether the current task was only interrupted: flags such as `d.h3.` are irqs-off, resched, context, depth."""
    return flags[2:3] in ("h", "H", "s", "z", "Z")


def _match(patterns: tuple[re.Pattern, ...], number: int, text: str) -> re.Match:
    """By the first pattern that fits."""
    for pattern in patterns:
        if fields := pattern.match(text):
            return fields
    raise TapeError(
        f"line {number} is {text[:80]!r}; allowed: text of {', '.join(EVENTS)} from tracefs, trace-cmd report or "
        "perf sched script; record with sos-gym record cpu, or leave out call graphs (perf script -G)"
    )
