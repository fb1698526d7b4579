"""The page references of a program, from valgrind's lackey."""

import contextlib
import shlex
from collections.abc import Sequence

from sos_gym.workload.recorders.about import About, CountProgress, path_of
from sos_gym.workload.recorders.ending import signals_noted
from sos_gym.workload.recorders.valgrind import OPTIONS, Running
from sos_gym.workload.tables import TapeError
from sos_gym.workload.tape import Tape
from sos_gym.workload.traces import lackey

SOURCE = f"valgrind {' '.join(OPTIONS)}"
REMEDY = "apt install valgrind (dnf, pacman, apk likewise), or see valgrind.org"


def record_memory(
    command: Sequence[str],
    about: About,
    references: int = 100_000,
    window_pages: int = 16,
    instruction_ns: int = 1,
    skip: int = 0,
    tool: str = "valgrind",
    progress: CountProgress | None = None,
) -> Tape:
    """The page references of one program, up to `references` kept ones; each of its threads is a thread of the tape.

    Args:
        command: The program and its arguments; what it becomes (exec) is seen, what it starts beside itself is not.
        about: Name and words of the card.
        references: >= 1; the program is ended once so many are kept.
        window_pages: >= 1; see `lackey`: LRU and MIN stay exact from so many frames on. 1 joins runs only.
        instruction_ns: Work of the tape per instruction.
        skip: >= 0; instructions and accesses of the start that are left out, as many as both together.
        tool: valgrind, or a path to it.
        progress: Called with the number of references kept so far.

    Raises:
        TapeError: valgrind is missing, or the program cannot be run under it.
    """
    trace = trace_memory(command, references, window_pages, tool, progress, skip)
    card = about.card(
        "memory",
        command,
        SOURCE,
        kept="instruction fetches and data, by thread, 4096-byte pages",
        dropped=dropped(window_pages),
        time=f"COMPUTE of {instruction_ns} ns per instruction, in grains of 1 µs; when threads wait is not recorded",
        end=f"cut after {references} kept references" if trace.kept >= references else "the whole run",
        skipped=f"the first {skip} instructions and accesses" if skip else "nothing",
        **counts(trace),
    )
    return lackey.tape(trace, instruction_ns, card=card)


def trace_memory(
    command: Sequence[str], references: int, window_pages: int, tool: str, progress: CountProgress | None, skip: int = 0
) -> lackey.Trace:
    """Run the program and reduce what lackey says of it."""
    if references < 1:
        raise TapeError(f"references is {references}; allowed: 1 or more; give what an episode needs, such as 100000")
    if window_pages < 1:
        raise TapeError(f"window_pages is {window_pages}; allowed: 1 or more; 1 joins runs on one page only")
    if skip < 0:
        raise TapeError(f"skip is {skip}; allowed: 0 or more; it counts instructions and accesses of the start")
    with signals_noted(), contextlib.closing(Running(path_of(tool, REMEDY), command)) as program:
        trace = lackey.reduce(program.lines(), window_pages, references, skip, progress)
    trace.children = len(program.children)
    if not trace.kept:
        raise TapeError(f"{shlex.join(command)} gave no references; allowed: a program that valgrind can run")
    return trace


def dropped(window_pages: int) -> str:
    """What a reduced trace leaves out, for its card."""
    return (
        f"runs on one page are one reference; of three references of a thread to a page the middle one, if fewer than "
        f"{window_pages} other pages come between the outer two (SAD: LRU and MIN misses of a thread alone stay exact "
        f"from {window_pages} frames on); lines = distinct 64-byte lines of what was joined; an access across two "
        "lines counts for both; kernel work, system call buffers and child processes are not seen"
    )


def counts(trace: lackey.Trace) -> dict[str, object]:
    """What is measured."""
    return {
        "file_pages": "pages whose first access is an instruction fetch; mapped data files count as anonymous",
        "accesses": sum(thread.accesses for thread in trace.threads),
        "runs": sum(thread.references for thread in trace.threads),
        "instructions": sum(thread.instructions for thread in trace.threads),
        "references": trace.kept,
        "footprint_pages": len(trace.pages),
        "threads": len(trace.threads),
        "images": trace.images,
        "children_unseen": trace.children,
        "window_pages": trace.window_pages,
    }
