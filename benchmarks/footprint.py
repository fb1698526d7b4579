"""Memory: bytes of an episode

What one more page, frame, thread (with its owner and one op) or op adds to an episode that runs inside the engine, tape
included; what a policy keeps of its own comes on top, and is given for three. An environment is all that its default
episode takes after `reset(seed=0)`, but for the tape, which environments may share. The last row is the peak of a
process that replays zipf references in a million frames; the tape, saved with `compressed=False`, is mapped; its
resident part counts, and so do the interpreter and the compiled kernels.
"""

import subprocess
import sys
import tempfile

import gymnasium as gym
import numpy as np

from benchmarks.scale import Scale
from sos_gym import Tape
from sos_gym.engine.simulation import Simulation
from sos_gym.markdown import number
from sos_gym.policy import policy_named
from sos_gym.settings.environment import build_settings
from sos_gym.settings.presets import PRESETS

POLICIES = ("lru", "sieve", "arc")
LARGE_FRAMES = 1_000_000
BASE = 1000
TAPES = ("ops", "page_table")  # arrays of a simulation that are its tape's
WRITE = """
import sys
from sos_gym import Tape
from benchmarks.replay import zipf_references
references = zipf_references(int(sys.argv[2]), 10 * int(sys.argv[3]), 1.0)
Tape.from_references(references).save(sys.argv[1], compressed=False)
"""
PEAK = """
import resource, sys
from sos_gym import Tape
from benchmarks.replay import ours
tape = Tape.load(sys.argv[1])
ours(tape, "lru", int(sys.argv[3]))
print(len(tape.pages), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def cases(scale: Scale) -> list[str]:
    return ["page", "frame", "thread", "op", *PRESETS, "peak"]


def measure(case: str, scale: Scale) -> list[dict]:
    if case in PRESETS:
        env = gym.make(case)
        env.reset(seed=0)
        simulation = env.unwrapped.simulation
        return [{"of": case, "bytes": _own(simulation), "tape": _of_tape(simulation.tape)}]
    if case == "peak":
        with tempfile.TemporaryDirectory() as folder:
            given = [f"{folder}/tape.npz", str(10 * scale.references), str(LARGE_FRAMES)]
            subprocess.run([sys.executable, "-c", WRITE, *given], check=True)
            done = subprocess.run([sys.executable, "-c", PEAK, *given], stdout=subprocess.PIPE, text=True, check=True)
        pages, peak = map(int, done.stdout.split())
        said = f"{number(10 * scale.references)} references to {number(pages)} pages, {number(LARGE_FRAMES)} frames"
        return [{"of": f"a process: {said}", "bytes": peak}]
    rows = [{"of": f"one {case}", "bytes": _added(case, ())}]
    for name in POLICIES if case in ("page", "frame") else ():
        own = _added(case, (name,)) - rows[0]["bytes"]
        rows.append({"of": f"one {case}, own books of {name}", "bytes": own})
    return rows


def draw(figure, rows: list[dict]) -> None:
    axes = figure.subplots()
    axes.barh([row["of"] for row in rows], [row["bytes"] for row in rows], color="#4878a8")
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("bytes (log scale)")


def _added(case: str, policies: tuple[str, ...]) -> int:
    """Bytes that one more of `case` takes: between two episodes that differ by BASE of it, and in nothing else."""
    smaller, larger = {
        "page": ((_loop(BASE), BASE), (_loop(2 * BASE), BASE)),
        "frame": ((_loop(BASE), BASE), (_loop(BASE), 2 * BASE)),
        "op": ((_loop(BASE), BASE), (_loop(BASE, 5 * BASE), BASE)),
        "thread": ((_jobs(BASE), BASE), (_jobs(2 * BASE), BASE)),
    }[case]
    return (_size(*larger, policies) - _size(*smaller, policies)) // BASE


def _loop(pages: int, ops: int = 4 * BASE) -> Tape:
    return Tape.from_references(np.arange(ops) % pages)


def _jobs(threads: int) -> Tape:
    return Tape.from_jobs(np.arange(threads), np.ones(threads, int))


def _size(tape: Tape, frames: int, policies: tuple[str, ...]) -> int:
    settings = build_settings({"nodes": 1, "frames": frames, "scan_ns": None})
    simulation = Simulation(tape, settings, [policy_named(name).host() for name in policies])
    return _own(simulation) + _of_tape(tape)


def _own(simulation: Simulation) -> int:
    """Bytes of all that is not the tape's."""
    arrays = (array.nbytes for name, array in simulation.arrays.items() if name not in TAPES)
    return simulation.record.nbytes + sum(arrays)


def _of_tape(tape: Tape) -> int:
    return sum(getattr(tape, name).nbytes for name in ("ops", "threads", "pages", "owners", "channels"))
