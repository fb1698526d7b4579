"""The words of the kernel's scheduler trace, as tracefs, trace-cmd and perf print them, line by line."""

import re

from sos_gym.workload.tables import TapeError

RECORDED = ("sched/sched_switch", "sched/sched_waking", "task/task_newtask")
SCHEDULING = (  # events that are understood; others only tell who is on the core
    "sched_switch",
    "sched_waking",
    "sched_wakeup",
    "sched_wakeup_new",
    "task_newtask",
    "sched_process_fork",
)
GONE = -1  # perf's pid of a task that is on its core for the last time
LINE = (
    re.compile(  # tracefs and trace-cmd: comm-pid (tgid) [cpu] flags time: event; perf: comm pid/tid [cpu] time: event
        # perf has `:-1 -1` for a task that has given its pid back, but is on the core until its last switch
        r"\s*(?P<comm>.*?)(?:-|\s)(?:(?P<process>-1|\d+)/)?(?P<pid>-1|\d+)\s+"
        r"(?:\(\s*(?P<tgid>\d+|-+)\)\s+)?\[(?P<cpu>\d+)\]\s+(?:(?P<flags>\S+)\s+)?"
        r"(?P<seconds>\d+)\.(?P<fraction>\d{6,9}):\s+(?:\d+\s+)?(?:\w+:)?(?P<event>\w+):\s+(?P<rest>.*)"
    )
)
SWITCH = (  # the kernel's words (trace-cmd report -R leaves the arrow out), then those of trace-cmd's own plugin
    re.compile(
        r"prev_comm=(?P<comm>.*) prev_pid=(?P<prev>\d+) prev_prio=(?P<prio>-?\d+) prev_state=(?P<state>\S+) (?:==> )?"
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
REMARKS = r"\s*(#|$|cpus=\d+|CPU \d+ is empty|version = )"  # regular expression of what tools say: not events
REMARK = re.compile(REMARKS)
CORES = re.compile(r"\s*(?:cpus=|.*#P:)(\d+)")  # of the headers of trace-cmd and tracefs
# Of perf script --show-task-events: which process a task is of; its other records are not read.
RECORD = re.compile(
    r".*\bPERF_RECORD_(?P<kind>\w+)(?:.*?\((?P<process>\d+):(?P<pid>\d+)\):|.*:(?P<of>\d+)/(?P<tid>\d+)$|)"
)
FREE_TEXT = ("bprint", "bputs", "print", "raw_data", "tracing_mark_write")  # events whose text may have several lines
# perf prints no flags; these events tell of an interrupt too. A completed block request says nothing when it is over.
INTERRUPT_BEGINS = ("irq_handler_entry", "softirq_entry", "hrtimer_expire_entry", "block_rq_complete")
INTERRUPT_ENDS = ("irq_handler_exit", "softirq_exit", "hrtimer_expire_exit")
LONGEST_INTERRUPT_NS = 100_000  # a waking that comes later is the task's own
# Numbers for states (trace-cmd report -R), include/linux/sched.h: 16 and 32 are dead and zombie, 64 was dead before
# 4.14 and is parked since then, one bit from 256 on says preempted.
ASLEEP_BITS, EXIT_BITS, PREEMPTED_FROM = 0b1111, 0b111_0000, 256


def letter(state: int) -> str:
    """What the kernel prints for a number: S asleep, X gone, R on the run queue."""
    if state & ASLEEP_BITS:
        return "S"
    if state & EXIT_BITS:
        return "X"
    return "R" if state == 0 or state >= PREEMPTED_FROM else "S"


def in_interrupt(flags: str) -> bool:
    """Whether the current task was only interrupted: flags such as `d.h3.` are irqs-off, resched, context, depth."""
    return flags[2:3] in ("h", "H", "s", "z", "Z")


def matched(patterns: tuple[re.Pattern, ...], number: int, text: str) -> re.Match:
    """By the first pattern that fits."""
    for pattern in patterns:
        if fields := pattern.match(text):
            return fields
    raise TapeError(
        f"line {number} is {text[:80]!r}; allowed: text of {', '.join(RECORDED)} from tracefs, trace-cmd report or "
        "perf sched script; record with sos-gym record cpu, or leave out call graphs (perf script -G)"
    )
