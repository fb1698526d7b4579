"""The tapes that ship with the package, recorded again: python -m measurements.tapes [NAME ...] [--all]

What each runs stands in TAPES; its programs are in measurements/programs, its texts are this repository's. Needs what
`sos-gym record` needs, and the programs. Another machine, version or day gives another tape: the shipped ones are these
files, checked by SHA256SUMS. `sort`, `sqlite` and `make` were recorded before this script was; their cards have their
commands. Files that have moved since have their old paths on the cards (MOVED). `measurements.recordings` draws them.
"""

import argparse
import contextlib
import hashlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sos_gym.workload import recordings
from sos_gym.workload.recorders import About, record_cpu, record_memory, record_system

ROOT = Path(__file__).parents[1]
MOVED = {"benchmarks/programs": "measurements/programs", "tests/test_tape.py": "tests/workload/test_tape.py"}
SHELL_VERSION = "dpkg-query --show --showformat='dash ${{Version}}' dash"  # Debian's sh; it has no --version
PYTHON = Path(sys.executable).resolve()  # without this project's packages


@dataclass(frozen=True)
class Recorded:
    """How a tape is made; commands are run in the root of the repository by a shell's rules, {tmp} is a new folder."""

    side: str
    command: str
    summary: str
    version: str  # command whose first line names program and version
    before: str = ""  # runs first: compiles, starts
    beside: str = ""  # runs at the same time: clients
    references: int = 100_000
    window_pages: int = 16
    skip: int = 0  # instructions and accesses of the start

    @property
    def shown(self) -> str:
        """The command on the card: folders and interpreters by what they are, not where."""
        return self.command.format(tmp="BUILD", python="python3", venv="python3", cc1="cc1")


TAPES = {
    "compile": Recorded(
        "memory",
        "{cc1} -quiet -O1 benchmarks/jobs.c -o /dev/null",
        "A C compiler (cc1 -O1) on benchmarks/jobs.c with its system headers.",
        "gcc --version",
    ),
    "python": Recorded(
        "memory",
        "{python} -I -S measurements/programs/words.py LICENSE docs/importing.md",
        "CPython that counts words and their followers in dictionaries.",
        "{python} --version",
    ),
    "grep": Recorded(
        "memory",
        "grep -rnE 'evict|admit(s|ted)?|[0-9]+ pages' sos_gym docs",
        "A search for a regular expression over the sources of this package.",
        "grep --version",
        window_pages=8,
    ),
    "gzip": Recorded(
        "memory", "gzip -9 -c docs/policies.md", "A compression of a text with a sliding window.", "gzip --version"
    ),
    "perl": Recorded(
        "memory",
        "perl -ne 's/(\\w+)/$n{{lc $1}}++; reverse $1/ge; push @l, $_; "
        "END {{ print sort {{ length $a <=> length $b }} @l }}' LICENSE docs/importing.md",
        "Perl that counts and reverses words and sorts the lines.",
        "perl -e 'print \"perl $^V\\n\"'",
    ),
    "awk": Recorded(
        "memory",
        'mawk \'{{ for (i = 1; i <= NF; i++) {{ n[$i]++; at[$i] = at[$i] " " NR }} }} '
        "END {{ for (w in n) if (n[w] > 1) print n[w], w, at[w] }}' LICENSE docs/importing.md",
        "Awk that makes an index of the words of two texts: how often, and on which lines.",
        "mawk -W version 2>&1",
    ),
    "bc": Recorded(
        "memory",
        "bc -l measurements/programs/digits.bc",
        "A calculator of any precision: digits of pi and e, and a sieve of primes.",
        "bc --version",
    ),
    "bzip2": Recorded(
        "memory",
        "bzip2 -1 -c {tmp}/text",
        "A compression that sorts all rotations of a block.",
        "bzip2 --version 2>&1 < /dev/null",
        before="find docs -name '*.md' | sort | xargs cat > {tmp}/text",
        skip=4_000_000,
    ),
    "diff": Recorded(
        "memory",
        "diff --minimal CHANGELOG.md docs/policies.md",
        "The shortest difference of two texts that share little.",
        "diff --version",
    ),
    "git": Recorded(
        "memory",
        "git --no-pager log --stat --no-renames -n 40",
        "Git that unpacks its history and counts the changed lines of each file.",
        "git --version",
    ),
    "vim": Recorded(
        "memory",
        "vim -u NONE -i NONE -n -es -c '%s/[aeiou]/<&>/g' -c sort -c 'g/e/m0' -c 'undo' -c q! docs/policies.md",
        "An editor that replaces, sorts and moves lines of a text, and undoes it.",
        "vim --version",
        skip=4_000_000,
    ),
    "node": Recorded(
        "memory",
        "node --jitless --single-threaded measurements/programs/words.js LICENSE docs/importing.md",
        "JavaScript that counts words and sorts them: an interpreter and its garbage collector.",
        "echo Node.js $(node --version)",
        skip=150_000_000,
    ),
    "matrix": Recorded(
        "memory",
        "{tmp}/matrix",
        "Dense linear algebra in C: LU with pivoting, an inverse, a product; 104 x 104.",
        "gcc --version",
        before="gcc -O2 measurements/programs/matrix.c -o {tmp}/matrix -lm",
    ),
    "stencil": Recorded(
        "memory",
        "{tmp}/stencil",
        "Heat in a plate, step by step: two grids of 256 pages, read and written in turn.",
        "gcc --version",
        before="gcc -O3 measurements/programs/stencil.c -o {tmp}/stencil",
        references=30_000,
    ),
    "fourier": Recorded(
        "memory",
        "{tmp}/fourier",
        "A convolution by three fast Fourier transforms: bit reversal, then strides that double.",
        "gcc --version",
        before="gcc -O2 measurements/programs/fourier.c -o {tmp}/fourier -lm",
    ),
    "rank": Recorded(
        "memory",
        "{tmp}/rank",
        "PageRank of a sparse, skewed graph: rows in order, ranks at random.",
        "gcc --version",
        before="gcc -O2 measurements/programs/rank.c -o {tmp}/rank",
        window_pages=32,
        skip=4_000_000,
    ),
    "join": Recorded(
        "memory",
        "{tmp}/join",
        "A hash join: a table is built, then looked up by a stream of orders, mostly for few customers.",
        "gcc --version",
        before="gcc -O2 measurements/programs/join.c -o {tmp}/join",
        references=85_000,
        skip=1_200_000,
    ),
    "tree": Recorded(
        "memory",
        "{tmp}/tree",
        "A search tree that grows while it is looked up, mostly for few keys, and is read in order at times.",
        "gcc --version",
        before="gcc -O2 measurements/programs/tree.c -o {tmp}/tree",
        window_pages=32,
        skip=3_000_000,
    ),
    "merge": Recorded(
        "memory",
        "{tmp}/merge",
        "An external merge in small: 24 sorted streams through a heap into one, three times.",
        "gcc --version",
        before="gcc -O2 measurements/programs/merge.c -o {tmp}/merge",
        references=85_000,
    ),
    "folding": Recorded(
        "memory",
        "{tmp}/folding",
        "A dynamic program over all stretches of a strand of RNA: a row and a column for each.",
        "gcc --version",
        before="gcc -O2 measurements/programs/folding.c -o {tmp}/folding",
        skip=40_000_000,
    ),
    "redis": Recorded(
        "memory",
        "redis-server --port 7379 --save '' --appendonly no --io-threads 1 --dir {tmp}",
        "A key-value server under a client that sets and gets 3000 random keys of 100 bytes, three to one.",
        "redis-server --version",
        beside="sleep 3; while :; do redis-benchmark -q -p 7379 -c 4 -n 1200 -r 3000 -d 100 -t set,get; done",
        skip=30_000_000,
    ),
    "pipeline": Recorded(
        "cpu",
        "sh measurements/programs/pipeline.sh docs/policies.md docs/importing.md CHANGELOG.md",
        "A pipeline of seven shell tools over some texts, six times.",
        SHELL_VERSION,
    ),
    "web": Recorded(
        "cpu",
        "{python} measurements/programs/web.py",
        "A threaded web server and six clients with think time.",
        "{python} --version",
    ),
    "database": Recorded(
        "cpu",
        "sh measurements/programs/database.sh {tmp}/accounts.db",
        "Two writers and four readers of one SQLite file, a process each time: its lock, its log, fsync.",
        "echo SQLite $(sqlite3 --version)",
    ),
    "search": Recorded(
        "cpu",
        "sh measurements/programs/search.sh sos_gym docs tests",
        "A search over a tree of files, four at a time.",
        "grep --version",
    ),
    "tests": Recorded(
        "cpu",
        "{venv} -m pytest -q -n 2 -p no:cacheprovider tests/workload/test_tape.py",
        "A test run: pytest with two workers on tests/test_tape.py.",
        "{venv} -m pytest --version",
    ),
    "mixed": Recorded(
        "cpu",
        "sh measurements/programs/mixed.sh {tmp}/text",
        "Two compressions in the background, a loop in front that wakes, works a little and sleeps.",
        SHELL_VERSION,
        before="find tests -name '*.py' | sort | xargs cat > {tmp}/text",
    ),
    "archive": Recorded(
        "cpu",
        "sh measurements/programs/archive.sh docs tests",
        "Archives through a compression, a cipher and a hash, four times.",
        "bzip2 --version 2>&1 < /dev/null | head -1",
    ),
    "hunt": Recorded(
        "cpu",
        "perl measurements/programs/hunt.pl sos_gym docs tests",
        "Perl that counts words of a tree of files by children, three at a time, and adds up what they send.",
        "perl -e 'print \"perl $^V\\n\"'",
    ),
    "workers": Recorded(
        "cpu",
        "{python} measurements/programs/workers.py",
        "A parent that deals tasks of unlike size to four processes, and folds what they send back.",
        "{python} --version",
    ),
    "history": Recorded(
        "cpu",
        "sh measurements/programs/history.sh {tmp}",
        "Git that makes a history, tells and hashes its changes, and packs it by two threads.",
        "git --version",
    ),
    "barrier": Recorded(
        "system",
        "{tmp}/threads",
        "Two threads with tables of their own and a shared one that meet at a barrier after every round.",
        "gcc --version",
        before="gcc -O2 -pthread measurements/programs/threads.c -o {tmp}/threads",
    ),
    "stages": Recorded(
        "system",
        "{tmp}/stages 0",
        "Blocks that pass through five threads in a row, over queues of four.",
        "gcc --version",
        before="gcc -O2 -pthread measurements/programs/stages.c -o {tmp}/stages",
        references=200_000,
        window_pages=32,
    ),
    "pool": Recorded(
        "system",
        "{tmp}/stages 3",
        "A reader that feeds three threads, and one that collects what they did.",
        "gcc --version",
        before="gcc -O2 -pthread measurements/programs/stages.c -o {tmp}/stages",
        references=200_000,
        window_pages=32,
    ),
    "zstd": Recorded(
        "system",
        "zstd -q -f -T2 -B65536 -1 docs/policies.md -o {tmp}/out.zst",
        "A compression by a pool of threads: one reads and writes, two compress.",
        "zstd --version",
        references=400_000,
    ),
    "pigz": Recorded(
        "system",
        "pigz -p 2 -b 128 -1 -c {tmp}/text",
        "A parallel gzip: one thread reads, two compress, one writes.",
        "pigz --version 2>&1",
        before="find sos_gym -name '*.py' | sort | xargs cat > {tmp}/text",
        references=800_000,
        window_pages=48,
    ),
    "xz": Recorded(
        "system",
        "xz -k -c -0 -T2 --block-size=8192 docs/policies.md",
        "A compression by two threads, block by block, and a third that reads and writes.",
        "xz --version",
        references=400_000,
        window_pages=48,
    ),
}


def record(name: str) -> None:
    """Record one tape into the package."""
    how = TAPES[name]
    with tempfile.TemporaryDirectory() as folder:
        cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], stdout=subprocess.PIPE, text=True).stdout.strip()

        def filled(text: str) -> str:
            return text.format(tmp=folder, python=PYTHON, venv=sys.executable, cc1=cc1)

        if how.before:
            subprocess.run(filled(how.before), shell=True, check=True, cwd=ROOT)
        said = subprocess.run(filled(how.version), shell=True, stdout=subprocess.PIPE, text=True, check=True).stdout
        about = About(name, how.summary, said.splitlines()[0].strip(), command=how.shown)
        command = shlex.split(filled(how.command))
        with _beside(how.beside), _progress(name) as told:
            if how.side == "memory":
                tape = record_memory(command, about, how.references, how.window_pages, skip=how.skip, progress=told)
            elif how.side == "cpu":
                tape = record_cpu(command, about, progress=told)
            else:
                tape = record_system(command, about, how.references, how.window_pages, progress=told)
    path = tape.save(recordings.FOLDER / f"{name}.npz")
    print(path.name, path.stat().st_size, "bytes", tape)


@contextlib.contextmanager
def _beside(command: str) -> Iterator[None]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    client = subprocess.Popen(["sh", "-c", command or ":"], start_new_session=True, **quiet)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(client.pid, signal.SIGKILL)  # what it started, too
        client.wait()


@contextlib.contextmanager
def _progress(name: str):
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        yield lambda count: progress.update(task, description=f"{name}: {count:,}")


def write_sums() -> None:
    """SHA256SUMS beside the tapes, as sha256sum writes it."""
    sums = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(recordings.FOLDER.glob("*.npz"))
    ]
    (recordings.FOLDER / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m measurements.tapes", description=sys.modules["__main__"].__doc__.splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TAPES)}; default: none")
    parser.add_argument("--all", action="store_true", help="record all of them")
    given = parser.parse_args()
    if unknown := set(given.names) - set(TAPES):
        parser.error(f"no tape is called {', '.join(sorted(unknown))}; there are {', '.join(TAPES)}")
    for name in TAPES if given.all else given.names:
        start = time.perf_counter()
        record(name)
        print(f"  took {time.perf_counter() - start:.0f} s")
    write_sums()


if __name__ == "__main__":
    main()
