"""The recorders: their parsers, their messages, and what they make of this machine."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scribe import events_of, scribe
from typer.testing import CliRunner

from sos_gym.cli.app import app
from sos_gym.engine.simulation import Simulation
from sos_gym.policy import policy_named
from sos_gym.resource import Op, Resource, Why
from sos_gym.settings.environment import build_settings
from sos_gym.workload import Tape, TapeError
from sos_gym.workload.recorders import About, affinity, record_cpu, record_memory, record_system
from sos_gym.workload.recorders.cpu import INSTANCE, _remove_left_behind
from sos_gym.workload.recorders.ending import SIGNALS, Ended, go_on, signals_noted, while_going_on
from sos_gym.workload.recorders.system import join, with_references
from sos_gym.workload.recorders.valgrind import Running
from sos_gym.workload.traces import ftrace, lackey

MS = 1_000_000
FREE_OF_COST = dict.fromkeys(build_settings({}).costs, 0)


def args(tape: Tape, op: Op) -> np.ndarray:
    return tape.ops["arg"][tape.ops["op"] == op]


# -- lackey


def pages_of(trace: lackey.Trace) -> list[int]:
    (thread,) = trace.threads
    return [reference.page for reference in thread.kept.values()]


LACKEY = b"""==123== Lackey, an example Valgrind tool
I  04001000,3
 L 1ffeffe7e0,8
 S 1ffeffe7f8,8
I  04001003,5
 M 1ffeffeffc,8
I  04002000,2
""".splitlines()


def test_lackey_lines_become_references():
    trace = lackey.reduce(LACKEY, 1, 100)
    (thread,) = trace.threads
    assert (thread.instructions, thread.accesses, thread.references) == (3, 7, 6)
    told = [(r.page, r.instruction, r.lines.bit_count(), r.written) for r in thread.kept.values()]
    assert told == [
        (0x4001, 1, 1, False),
        (0x1FFEFFE, 1, 1, True),  # the load and the store lie in one line
        (0x4001, 2, 1, False),
        (0x1FFEFFE, 2, 1, True),  # the modify crosses into the next page
        (0x1FFEFFF, 2, 1, True),
        (0x4002, 3, 1, False),
    ]
    tape = lackey.tape(trace, instruction_ns=1000)
    assert tape.ops["op"].tolist() == [0, 3, 4, 0, 3, 4, 4, 0, 3]
    assert args(tape, Op.COMPUTE).tolist() == [1000, 1000, 1000]
    assert tape.pages["file"].tolist() == [1, 0, 0, 1]


def test_work_comes_in_grains():
    lines = [b" L %x,1" % (i << 12) if i % 10 == 0 else b"I  0,1" for i in range(100)]
    tape = lackey.tape(lackey.reduce(lines, 1, 1000), instruction_ns=1, grain_ns=20)
    assert args(tape, Op.COMPUTE).tolist() == [20] * 4  # 90 instructions; the last 10 are not full
    assert len(tape) == 10 + 9 + 4


def test_reduction_stops_when_it_has_enough():
    endless = (b" L %x,1" % (i << 12) for i in range(10**9))
    assert lackey.reduce(endless, 4, 25).kept == 25


@pytest.mark.parametrize("line", [b"X  12,3", b" L zz,3", b" L 12", b"I", b" L 12,3,4"])
def test_bad_lackey_lines_are_named(line):
    with pytest.raises(TapeError, match=re.escape(f"line 2 is {line!r}")):
        lackey.reduce([b"I  04001000,3", line], 1, 100)


def lru_misses(pages: list[int], frames: int) -> int:
    held: OrderedDict[int, None] = OrderedDict()
    misses = 0
    for page in pages:
        misses += page not in held
        held[page] = None
        held.move_to_end(page)
        if len(held) > frames:
            held.popitem(last=False)
    return misses


def min_misses(pages: list[int], frames: int) -> int:
    held: set[int] = set()
    misses = 0
    for i, page in enumerate(pages):
        if page not in held:
            misses += 1
            if len(held) == frames:
                rest = pages[i + 1 :]
                held.remove(max(held, key=lambda p: rest.index(p) if p in rest else len(rest)))
            held.add(page)
    return misses


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=80), st.integers(1, 5), st.data())
def test_reduction_keeps_lru_and_min_misses(pages, window, data):
    writes = data.draw(st.sets(st.integers(0, len(pages) - 1)))
    lines = [b" %c %x,1" % (b"S" if i in writes else b"L", page << 12) for i, page in enumerate(pages)]
    trace = lackey.reduce(lines, window, 10**9)
    reduced = pages_of(trace)
    for frames in range(window, 9):
        assert lru_misses(reduced, frames) == lru_misses(pages, frames)
        assert min_misses(reduced, frames) == min_misses(pages, frames)
    written = {r.page for thread in trace.threads for r in thread.kept.values() if r.written}
    assert written == {pages[i] for i in writes}


def test_reduction_drops_the_middle_of_three():
    lines = [b" L %x,1" % (page << 12) for page in [1, 2, 1, 2, 1, 3, 4, 5, 1]]
    assert pages_of(lackey.reduce(lines, 3, 100)) == [1, 2, 2, 1, 3, 4, 5, 1]


def test_every_thread_has_its_own_references():
    """Valgrind says who runs; a number that is used again is another thread."""
    lines = b"""--9--   SCHED[1]:  acquired lock (thread_wrapper(starting new thread))
I  1000,1
 L 5000,8
--9--   SCHED[1]: releasing lock (VG_(client_syscall)[async]) -> VgTs_WaitSys
SCHEDSETJMP(line 1211) tid 2, jumped=1
--9--   SCHED[2]:  acquired lock (thread_wrapper(starting new thread))
I  1001,1
 S 5000,8
I  1002,1
--9--   SCHED[1]:  acquired lock (VG_(client_syscall)[async])
 L 6000,8
--9--   SCHED[2]:  acquired lock (thread_wrapper(starting new thread))
 L 7000,8
I  1003,1
""".splitlines()
    trace = lackey.reduce(lines, 1, 100)
    assert [[r.page for r in thread.kept.values()] for thread in trace.threads] == [[1, 5, 6], [1, 5, 1], [7, 1]]
    assert [thread.instructions for thread in trace.threads] == [1, 2, 1]
    tape = lackey.tape(trace)
    assert (len(tape.threads), len(tape.owners), len(tape.pages)) == (3, 1, 4)
    assert tape.pages["file"].tolist() == [1, 0, 0, 0]
    assert lackey.reduce(lines, 1, 5).kept == 5
    late = lackey.reduce(lines, 1, 100, skip=3)
    assert [[r.page for r in thread.kept.values()] for thread in late.threads] == [[6], [1, 5, 1], [7, 1]]


# -- ftrace

FTRACE = """# tracer: nop
    kworker-9     [000] d..2.   10.000000: sched_switch: prev_comm=kworker prev_pid=9 prev_prio=120 prev_state=I ==> next_comm=sh next_pid=100 next_prio=120
         sh-100   [000] .....   10.000500: task_newtask: pid=101 comm=sh clone_flags=1200011 oom_score_adj=0
         sh-100   [000] .....   10.000600: task_newtask: pid=102 comm=sh clone_flags=3d0f00 oom_score_adj=0
         sh-100   [000] d..2.   10.001000: sched_switch: prev_comm=a b prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=sh next_pid=101 next_prio=120
         sh-101   [000] d.h3.   10.002000: sched_waking: comm=a b pid=100 prio=120 target_cpu=000
         sh-101   [000] d..2.   10.003000: sched_switch: prev_comm=sh prev_pid=101 prev_prio=130 prev_state=R+ ==> next_comm=a b next_pid=100 next_prio=120
        a b-100   [000] d..2.   10.004000: sched_switch: prev_comm=a b prev_pid=100 prev_prio=120 prev_state=S ==> next_comm=sh next_pid=101 next_prio=130
         sh-101   [000] d..3.   10.006000: sched_waking: comm=a b pid=100 prio=120 target_cpu=000
         sh-101   [000] d..2.   10.007000: sched_switch: prev_comm=cc1 prev_pid=101 prev_prio=130 prev_state=X ==> next_comm=a b next_pid=100 next_prio=120
        a b-100   [000] d..2.   10.009000: sched_switch: prev_comm=a b prev_pid=100 prev_prio=120 prev_state=Z ==> next_comm=swapper/0 next_pid=0 next_prio=120
""".splitlines()  # noqa: E501


def test_ftrace_lines_become_a_tape():
    schedule = ftrace.read(FTRACE, 100)
    tape = schedule.tape()
    assert programs(tape) == [
        [
            (Op.COMPUTE, 500_000),
            (Op.SIGNAL, 0),  # the fork of 101
            (Op.COMPUTE, 100_000),
            (Op.SIGNAL, 1),  # the fork of 102
            (Op.COMPUTE, 400_000),
            (Op.SLEEP, MS),  # woken by an interrupt: 101 had nothing to do with it
            (Op.COMPUTE, MS),
            (Op.WAIT, 2),  # woken by 101
            (Op.COMPUTE, 2 * MS),
            (Op.EXIT, 0),
        ],
        [(Op.WAIT, 0), (Op.COMPUTE, 4 * MS), (Op.SIGNAL, 2), (Op.COMPUTE, MS), (Op.EXIT, 0)],
        [(Op.WAIT, 1)],
    ]
    assert tape.thread_names == ("a b", "cc1", "sh")
    assert tape.threads["owner"].tolist() == [0, 1, 0]  # 102 is a thread of 100
    assert tape.threads["weight"].tolist() == [1024, 110, 1024]
    assert (schedule.waits, schedule.sleeps, schedule.preemptions) == (1, 1, 1)
    assert schedule.last_ns - schedule.first_ns == 9 * MS


def programs(tape: Tape) -> list[list[tuple[int, int]]]:
    rows = list(zip(tape.ops["op"].tolist(), tape.ops["arg"].tolist(), strict=True))
    return [rows[t["first"] : t["last"]] for t in tape.threads]


def switch(core: int, now_us: int, leaver: int, state: str, comer: int) -> str:
    return (
        f" x-{leaver} [00{core}] d..2. 1.{now_us:06}: sched_switch: prev_comm=x prev_pid={leaver} prev_prio=120 "
        f"prev_state={state} ==> next_comm=x next_pid={comer} next_prio=120"
    )


def test_a_wakeup_seen_just_before_the_switch_ends_the_sleep():
    """The sleeper has decided to sleep, another core wakes it, then its switch is told."""
    fork = " x-100 [000] ..... 1.000001: task_newtask: pid=101 comm=x clone_flags=11 oom_score_adj=0"
    wake = " x-101 [001] d..3. 1.000030: sched_waking: comm=x pid=100 prio=120 target_cpu=000"
    lines = [switch(0, 0, 9, "S", 100), fork, switch(1, 10, 8, "S", 101), wake, switch(0, 31, 100, "S", 0)]
    schedule = ftrace.read(
        [*lines, switch(0, 50, 0, "R", 100), switch(0, 60, 100, "X", 0), switch(1, 70, 101, "X", 0)], 100
    )
    assert (schedule.waits, schedule.sleeps) == (1, 0)
    assert programs(schedule.tape()) == [
        [(Op.COMPUTE, 1000), (Op.SIGNAL, 0), (Op.COMPUTE, 30_000), (Op.WAIT, 1), (Op.COMPUTE, 10_000), (Op.EXIT, 0)],
        [(Op.WAIT, 0), (Op.COMPUTE, 20_000), (Op.SIGNAL, 1), (Op.COMPUTE, 40_000), (Op.EXIT, 0)],
    ]


def test_a_sleep_that_nobody_was_seen_to_end_lasts_until_the_next_run():
    lines = [
        switch(0, 0, 9, "S", 100),
        switch(0, 5, 100, "D", 0),
        switch(0, 25, 0, "R", 100),
        switch(0, 26, 100, "S", 0),
    ]
    tape = ftrace.read(lines, 100).tape()
    assert programs(tape) == [[(Op.COMPUTE, 5000), (Op.SLEEP, 20_000), (Op.COMPUTE, 1000)]]  # the last never ended


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("what is this", "line 3 is 'what is this'"),
        ("CPU:1 [LOST 12 EVENTS]", "line 3: the trace lost events"),
        (FTRACE[1].replace("prev_pid=9", "prev_pid=x"), "line 3 is 'prev_comm=kworker"),
    ],
)
def test_bad_ftrace_lines_are_named(line, words):
    with pytest.raises(TapeError, match=re.escape(words)):
        ftrace.read([*FTRACE[:2], line], 100)


def test_weights_are_the_kernels():
    assert [ftrace.weight(priority) for priority in (120, 100, 139, 0)] == [1024, 88761, 15, 88761]


@pytest.mark.parametrize(
    ("real_time", "others", "bounded"),
    [
        (11, [120] * 44, 44 * 1024 // 11),
        (1, [120] * 200, 88761),  # half would be 204800
        (9, [120] * 2, 1024),  # half would be less than nice 0
        (2, [100, 139], (88761 + 15) // 2),
        (3, [], 1024),
    ],
)
def test_real_time_weighs_at_most_half(real_time, others, bounded):
    given = ftrace.weights([0, *others, *[99] * (real_time - 1)])
    assert given == [bounded, *map(ftrace.weight, others), *[bounded] * (real_time - 1)]


# -- the recorders


def test_a_recorder_needs_its_tools(tmp_path):
    with pytest.raises(TapeError, match=r"'no-such-tool' is not installed.*apt install valgrind"):
        record_memory(["true"], About("x"), tool="no-such-tool")
    with pytest.raises(TapeError, match=r"cannot be used.*run as root.*mount -t tracefs"):
        record_cpu(["true"], About("x"), tracefs=tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(TapeError, match=r"cannot be used"):
        record_cpu(["true"], About("x"), tracefs=tmp_path / "file")


@pytest.mark.parametrize("given", [{"references": 0}, {"window_pages": 0}, {"skip": -1}])
def test_limits_of_references(given):
    ((name, value),) = given.items()
    with pytest.raises(TapeError, match=rf"{name} is {value}; allowed: {1 + value} or more"):
        record_memory(["true"], About("x"), **given)


def test_a_limit_of_events():
    with pytest.raises(TapeError, match="events is 0; allowed: 1 or more"):
        record_cpu(["true"], About("x"), events=0)


def stand_in(tmp_path, lines: bytes) -> str:
    """A stand-in for valgrind: it says lackey's lines where it is told to; `==123==` are its own."""
    tool = tmp_path / "valgrind"
    tool.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, sys\n"
        "kept = []\n"
        "host, port = next(a for a in sys.argv if a.startswith('--log-socket=')).split('=')[1].split(':')\n"
        "lines = open(sys.argv[0] + '.lines', 'rb').read().replace(b'==123==', b'==%d==' % os.getpid())\n"
        "for program in lines.split(b'EXEC\\n'):\n"
        "    said = socket.create_connection((host, int(port)))\n"
        "    said.sendall(program)\n"  # left open: children of a program keep its log open
        "    kept.append(said)\n"
        "if b'LIVES ON' in lines and os.fork() == 0:\n"
        "    while True: kept[1].sendall(b' L 1000,8\\n')\n"
    )
    tool.chmod(0o755)
    (tmp_path / "valgrind.lines").write_bytes(lines)
    return str(tool)


def test_the_recorder_reads_a_tool_that_speaks_lackey(tmp_path):
    tool = stand_in(tmp_path, b"\n".join(LACKEY))
    tape = record_memory(["prog", "a b"], About("mine", date="2026-11-23"), tool=tool)
    assert len(args(tape, Op.READ)) + len(args(tape, Op.WRITE)) == tape.card["references"] == 6
    assert (tape.card["name"], tape.card["command"], tape.card["end"]) == ("mine", "prog 'a b'", "the whole run")
    cut = record_memory(["prog"], About("mine"), references=4, tool=tool)
    assert (cut.card["references"], cut.card["end"]) == (4, "cut after 4 kept references")


def test_a_process_is_followed_through_its_programs(tmp_path):
    """Their pages are different pages, the thread is one; a child's references are dropped and counted."""
    first = b"".join(b" L %x,8\n" % (page << 12) for page in range(100_000))  # more than is read at once
    child = b"==1== Lackey, a child\n L 9000,8\n"
    said = b"EXEC\n".join(
        [b"==123== Lackey, an example\n" + first, child, b"==123== Lackey, again\n L 0,8\n S 5000,8\n"]
    )
    tape = record_memory(["x"], About("x"), references=10**6, tool=stand_in(tmp_path, said))
    assert tape.ops["op"].tolist() == [Op.READ] * 100_001 + [Op.WRITE]
    assert tape.ops["arg"].tolist() == list(range(100_002))
    assert (tape.card["images"], tape.card["children_unseen"], len(tape.threads)) == (2, 1, 1)


def test_a_child_that_lives_on_does_not_keep_the_recorder(tmp_path):
    said = b"==123== Lackey\n L 5000,8\nEXEC\n==1== Lackey, LIVES ON\n"
    tape = record_memory(["x"], About("x"), tool=stand_in(tmp_path, said))
    assert tape.card["children_unseen"] == 1 and len(tape) == 1


def test_the_command_line_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    runner, out = CliRunner(), tmp_path / "a.npz"
    refused = runner.invoke(app, ["record", "memory", "-o", str(out), "--", "true"])
    assert refused.exit_code == 2 and "is not installed" in refused.stderr
    refused = runner.invoke(app, ["record", "memory", "-o", str(tmp_path / "a.txt"), "--", "true"])
    assert refused.exit_code == 2 and "npz" in refused.stderr
    assert runner.invoke(app, ["record", "memory", "-o", str(out)]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_records(tmp_path, monkeypatch):
    stand_in(tmp_path, b"\n".join(LACKEY))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    out = tmp_path / "a.npz"
    said = CliRunner().invoke(app, ["record", "memory", "-o", str(out), "--summary", "Six.", "--", "prog", "--option"])
    assert said.exit_code == 0, said.output
    tape = Tape.load(out)
    assert (tape.card["name"], tape.card["summary"], tape.card["command"]) == ("a", "Six.", "prog --option")
    assert "references: 6" in said.stdout


# -- signals

ENDLESS = """#!{python}
import os, socket, sys, time
host, port = next(a for a in sys.argv if a.startswith('--log-socket=')).split('=')[1].split(':')
child = os.fork()
if child == 0:
    os.setsid()
said = socket.create_connection((host, int(port)))
said.sendall(b'==%d== Lackey\\n L 5000,8\\n' % os.getpid())
open({folder!r} + '/pid.%d' % os.getpid(), 'w').close()
while True: time.sleep(1)
"""
TRACED = """
import shutil, sys
from pathlib import Path
from sos_gym.workload.recorders import About, record_cpu
from sos_gym.workload.traces import ftrace

make = Path.mkdir
def mkdir(self, *args, **named):  # the kernel fills a new instance
    make(self, *args, **named)
    if self.parent.name == "instances":
        for name in ("options", "per_cpu/cpu0", *(f"events/{event}" for event in ftrace.EVENTS)):
            (self / name).mkdir(parents=True)
        (self / "per_cpu/cpu0/stats").write_text("entries: 1\\noverrun: 0\\ndropped events: 0\\n")
def rmdir(self):
    Path(sys.argv[1], "at the end").write_text((self / "tracing_on").read_text())
    shutil.rmtree(self)
Path.mkdir, Path.rmdir = mkdir, rmdir
folder = sys.argv[1]
record_cpu(["sh", "-c", f"echo > {folder}/pid.$$; while :; do sleep 1; done"], About("x"), tracefs=Path(folder))
"""


def wait_for(question, what: str):
    """The first true answer."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"no {what} in time")


def runs(pid: int) -> bool:
    """Whether a process is there and is no zombie that nobody waits for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def ignore_no_signal() -> None:
    """What ignores a signal (nohup, a shell's background) hands that on to all that it starts."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def end_by(number: int, folder: Path, processes: int, command: list[str], **environment: str) -> int:
    """Send a signal once `processes` are started; the status, when none of them is left."""
    recorder = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, preexec_fn=ignore_no_signal
    )
    try:
        wait_for(lambda: len([*folder.glob("pid.*")]) == processes, "process")
        recorder.send_signal(number)
        status = recorder.wait(30)
    finally:
        recorder.kill()
    none_is_left(folder)
    return status


def none_is_left(folder: Path) -> None:
    started = [int(path.suffix[1:]) for path in folder.glob("pid.*")]
    try:
        wait_for(lambda: not any(map(runs, started)), "end of what was started")
    finally:
        for pid in filter(runs, started):
            os.kill(pid, signal.SIGKILL)


STATUS = {signal.SIGINT: (130, -signal.SIGINT), **{number: (-number,) for number in SIGNALS[1:]}}  # as others do


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_valgrind_and_its_children(tmp_path, number):
    """A child that left the session too."""
    tool = tmp_path / "valgrind"
    tool.write_text(ENDLESS.format(python=sys.executable, folder=str(tmp_path)))
    tool.chmod(0o755)
    words = ["record", "memory", "-o", str(tmp_path / "a.npz"), "--", "prog"]
    path = f"{tmp_path}:{os.environ['PATH']}"
    status = end_by(number, tmp_path, 2, [sys.executable, "-m", "sos_gym", *words], PATH=path)
    assert status in STATUS[number]
    assert sorted({path.name.partition(".")[0] for path in tmp_path.iterdir()}) == ["pid", "valgrind"]


def test_a_child_whose_log_was_never_read_ends_too(tmp_path):
    tool = tmp_path / "valgrind"
    tool.write_text(ENDLESS.format(python=sys.executable, folder=str(tmp_path)))
    tool.chmod(0o755)
    program = Running(str(tool), ["prog"])
    try:
        wait_for(lambda: len([*tmp_path.glob("pid.*")]) == 2, "process")
    finally:
        program.close()
    none_is_left(tmp_path)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_tracing_and_the_program(tmp_path, number):
    (tmp_path / "instances").mkdir()
    status = end_by(number, tmp_path, 1, [sys.executable, "-c", TRACED, str(tmp_path)])
    assert status in STATUS[number]
    assert (tmp_path / "at the end").read_text() == "0\n" and not [*(tmp_path / "instances").iterdir()]


def test_signals_are_noted_once_and_handed_on_behind_the_block():
    order = []
    before = signal.signal(signal.SIGTERM, lambda *_: order.append("handed on"))
    try:
        with pytest.raises(Ended, match="SIGTERM"), signals_noted(), signals_noted():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            order.append("put away")
            assert list(while_going_on([])) == []
            next(while_going_on([1]))
        go_on()  # nothing is left of it
    finally:
        signal.signal(signal.SIGTERM, before)
    assert order == ["put away", "handed on"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with signals_noted():
            signal.raise_signal(signal.SIGHUP)
            go_on()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_records_without_handlers(tmp_path):
    tapes, tool = [], stand_in(tmp_path, b"\n".join(LACKEY))
    thread = threading.Thread(target=lambda: tapes.append(record_memory(["x"], About("x"), tool=tool)))
    thread.start()
    thread.join(30)
    assert len(tapes) == 1


def test_what_a_killed_recorder_left_is_removed(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for process in (gone.pid, os.getppid(), os.getpid()):
        (tmp_path / f"{INSTANCE}{process}").mkdir()
    _remove_left_behind(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{INSTANCE}{os.getppid()}"]


def test_a_recording_that_could_not_be_written_is_refused_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no valgrind, which would be the next complaint
    refused = CliRunner().invoke(app, ["record", "memory", "-o", str(tmp_path / "no" / "a.npz"), "--", "true"])
    assert refused.exit_code == 2 and f"{tmp_path}/no/a.npz: No such file" in refused.stderr


def test_the_nodes_of_a_machine(tmp_path):
    for node, cpus in enumerate(("0-1,6", "2", "3-5\n")):
        (tmp_path / f"node{node}").mkdir()
        (tmp_path / f"node{node}" / "cpulist").write_text(cpus)
    node_of = affinity.node_of_cpu(tmp_path)
    assert node_of == {0: 0, 1: 0, 6: 0, 2: 1, 3: 2, 4: 2, 5: 2}
    masks = [affinity.node_mask(cpus, node_of) for cpus in ([6], [2, 4], range(7), [0, 2, 3], [9])]
    assert masks == [0b001, 0b110, -1, -1, -1]
    assert affinity.node_of_cpu(tmp_path / "none") == {} and affinity.node_mask([0], {}) == -1


def test_a_task_may_run_where_its_parent_may_unless_it_was_asked():
    lines = [
        " a-1 [000] .... 1.000000: task_newtask: pid=2 comm=a clone_flags=0 oom_score_adj=0",
        " a-1 [000] .... 1.000001: task_newtask: pid=3 comm=a clone_flags=0 oom_score_adj=0",
        " a-3 [000] .... 1.000002: task_newtask: pid=4 comm=a clone_flags=0 oom_score_adj=0",
    ]
    schedule = ftrace.read(lines, 1, {1: 0b01, 3: 0b10})
    assert [task.nodes for task in schedule.order] == [0b01, 0b01, 0b10, 0b10]
    assert schedule.tape().threads["affinity"].tolist() == [1, 1, 2, 2]
    assert [task.nodes for task in ftrace.read(lines, 1).order] == [-1] * 4


# -- schedule and references, joined


def test_references_come_when_their_share_of_the_work_is_done():
    """10 000 instructions in 10 µs of work, cut by a sleep after 4: the touch after half of them comes 1 µs later."""
    lines = [b"I  0,1"] * 5000 + [b" S 5008,8"] + [b"I  0,1"] * 5000
    (thread,) = lackey.reduce(lines, 1, 100).threads
    program = [(Op.COMPUTE, 4000), (Op.SLEEP, 9), (Op.COMPUTE, 6000), (Op.EXIT, 0)]
    ops = with_references(program, thread)
    assert [(int(op["op"]), int(op["arg"]), int(op["lines"])) for op in ops] == [
        (Op.READ, 0, 1),  # the first fetch
        (Op.COMPUTE, 4000 - 85, 0),
        (Op.SLEEP, 9, 0),
        (Op.COMPUTE, 1000, 0),
        (Op.WRITE, 5, 1),
        (Op.READ, 0, 1),
        (Op.COMPUTE, 5000 - 2 * 85, 0),
        (Op.EXIT, 0, 0),
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([Op.COMPUTE, Op.COMPUTE, Op.SLEEP]), st.integers(0, 30_000)), max_size=8),
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
)
def test_a_join_loses_nothing(program, pages):
    (thread,) = lackey.reduce([b"I  %x,1" % (page << 12) for page in pages], 1, 10**9).threads
    ops = with_references(program, thread)
    touched = ops[np.isin(ops["op"], (Op.READ, Op.WRITE))]
    assert touched["arg"].tolist() == [r.page for r in thread.kept.values()]
    others = ops[~np.isin(ops["op"], (Op.READ, Op.WRITE, Op.COMPUTE))]
    assert others["arg"].tolist() == [arg for op, arg in program if op == Op.SLEEP]
    work = sum(arg for op, arg in program if op == Op.COMPUTE)
    made = ops["arg"][ops["op"] == Op.COMPUTE].sum() + 85 * touched["lines"].sum(dtype=int)
    assert work <= made <= work + 85 * touched["lines"].sum(dtype=int)


def test_runs_that_differ_are_refused():
    schedule = ftrace.read(FTRACE, 100)  # two threads of the first process
    with pytest.raises(TapeError, match=r"had 2 threads when .* and 1 under"):
        join(schedule, lackey.reduce(LACKEY, 1, 100))


# -- on this machine


needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
needs_tracefs = pytest.mark.skipif(
    not os.access("/sys/kernel/tracing/instances", os.W_OK), reason="tracefs cannot be written: it takes root"
)


@needs_valgrind
def test_a_program_of_this_machine():
    tape = record_memory(["sh", "-c", "for i in 1 2 3; do :; done"], About("loop"), references=2000)
    assert tape.card["end"] == "cut after 2000 kept references" and len(tape.pages) > 20
    assert len(args(tape, Op.READ)) + len(args(tape, Op.WRITE)) == 2000


@needs_valgrind
def test_a_wrapper_of_this_machine():
    """`sh -c 'exec ...'` becomes the program; `sh -c '...; ...'` starts it."""
    becomes = record_memory(["sh", "-c", "exec env true"], About("x"), references=10**6)
    assert (becomes.card["images"], becomes.card["children_unseen"]) == (3, 0)
    starts = record_memory(["sh", "-c", "env true; :"], About("x"), references=10**6)
    assert (starts.card["images"], starts.card["children_unseen"]) == (1, 1)
    assert len(becomes.pages) > 1.5 * len(starts.pages)


@needs_tracefs
def test_a_schedule_of_this_machine():
    tape = record_cpu(["sh", "-c", "echo a | cat; sleep .02"], About("pipe"))
    assert len(tape.threads) >= 3 and (tape.ops["op"] == Op.EXIT).sum() == len(tape.threads)
    assert tape.card["processes"] == len(tape.owners) >= 3
    assert (args(tape, Op.SLEEP) >= 15 * MS).any()  # the timer
    with pytest.raises(TapeError, match=r"failed with status 3"):
        record_cpu(["sh", "-c", "exit 3"], About("x"))
    assert not [path for path in Path("/sys/kernel/tracing/instances").iterdir() if path.name.startswith("sos_gym")]


@needs_tracefs
@pytest.mark.skipif(not {0, 1} <= os.sched_getaffinity(0), reason="needs two cores, to call them two nodes")
def test_affinity_on_this_machine(monkeypatch):
    monkeypatch.setattr(affinity, "node_of_cpu", lambda: {0: 0, 1: 1})
    tape = record_cpu(["sh", "-c", "taskset -c 1 sleep .7; sleep .1"], About("pinned"))
    of = dict(zip(tape.thread_names, tape.threads["affinity"].tolist(), strict=True))
    assert tape.threads["affinity"].tolist()[:2] == [-1, 0b10], of


@needs_valgrind
@needs_tracefs
def test_both_of_this_machine():
    tape = record_system(["sh", "-c", "for i in 1 2 3; do :; done"], About("loop"))
    assert tape.card["side"] == "joint" and (tape.ops["op"] == Op.READ).sum() > 500
    with pytest.raises(TapeError, match="references is 100, which the run reaches"):
        record_system(["true"], About("x"), references=100)
    with pytest.raises(TapeError, match="events is 1, which the run exceeds"):
        record_system(["sleep", "1"], About("x"), events=1)


# -- a recorded schedule, replayed under the rule of the machine that it was recorded on


def verbs_of(tape: Tape, rule: str, **keywords) -> list[tuple[str, int, int, int]]:
    """(verb, thread, why, now) of every want, hold and release on the cores."""
    made = build_settings({"nodes": 1, "frames": None, **FREE_OF_COST, **keywords})
    simulation = Simulation(tape, made, [policy_named(rule).host(), scribe()], driver=0)
    simulation.advance()
    told = events_of(simulation, Resource.CPU, host=1)
    return [(verb, t, why, now) for verb, t, _, why, now in told if verb in ("want", "hold", "release")]


def as_ftrace(events, signalled: set[int]) -> list[str]:
    """What the kernel would print of a run on one core. Threads in `signalled` are woken by whoever runs."""
    runs, left, lines = 0, None, []

    def line(now, pid, flags, text):
        lines.append(f" t-{pid} [000] {flags} {now // 10**9}.{now % 10**9:09}: {text}")

    def switch(now, comer):
        nonlocal left
        pid, state = left or (0, "R")
        told = f"prev_comm=t prev_pid={pid} prev_prio=120 prev_state={state}"
        line(now, pid, "d..2.", f"sched_switch: {told} ==> next_comm=t next_pid={comer} next_prio=120")
        left = None

    states = {Why.PREEMPT: "R", Why.BLOCK: "S", Why.EXIT: "X"}
    for now, group in itertools.groupby(events, key=lambda event: event[3]):
        at_once = list(group)
        for verb, thread, _, _ in at_once:  # the kernel tells of a wakeup as it is made, before it switches
            if verb == "want":
                flags = "d..2." if thread in signalled else "d.h2."
                line(now, runs, flags, f"sched_waking: comm=t pid={100 + thread} prio=120 target_cpu=000")
        for verb, thread, why, _ in at_once:
            if verb == "release":
                left, runs = (100 + thread, states[why]), 0
            elif verb == "hold":
                runs = 100 + thread
                switch(now, runs)
        if left:
            switch(now, 0)
    return lines


@pytest.mark.parametrize(("rule", "tick_ns"), [("round_robin", MS), ("fcfs", None), ("round_robin", 300_000)])
def test_a_replay_has_the_order_of_the_recording(rule, tick_ns):
    """Three threads that sleep, two that feed one each through a pipe: the recorded run comes back event by event."""
    rng = np.random.default_rng(3)
    programs = []
    for _ in range(3):
        work, rest = (rng.integers(1, 4 * MS, 12).tolist() for _ in range(2))
        programs.append(
            [op for pair in zip(work, rest, strict=True) for op in ((Op.COMPUTE, pair[0]), (Op.SLEEP, pair[1]))]
        )
    for channel in range(2):
        work, rest = (rng.integers(1, 2 * MS, 12).tolist() for _ in range(2))
        feed = [
            ((Op.COMPUTE, w), (Op.SIGNAL, channel), (Op.COMPUTE, 5), (Op.SLEEP, r))
            for w, r in zip(work, rest, strict=True)
        ]
        programs.append([op for ops in feed for op in ops])
    for channel in range(2):
        work = rng.integers(1, MS, 12).tolist()
        programs.append([op for w in work for op in ((Op.WAIT, channel), (Op.COMPUTE, w))])
    arrivals = [0, *rng.integers(1, MS, 6).tolist()]
    tape = Tape.build(programs, arrival_ns=arrivals)
    recorded = verbs_of(tape, rule, cores=1, tick_ns=tick_ns)
    schedule = ftrace.read(as_ftrace(recorded, {5, 6}), None)
    replayed = verbs_of(schedule.tape(), rule, cores=1, tick_ns=tick_ns)
    thread_of = {i: task.pid - 100 for i, task in enumerate(schedule.order)}
    ran = [(verb, thread, now) for verb, thread, _, now in recorded if verb != "want"]
    again = [(verb, thread_of[thread], now) for verb, thread, _, now in replayed if verb != "want"]
    assert len(ran) > 150 and again == ran
