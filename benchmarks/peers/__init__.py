"""Other people's programs, in an environment of their own: .peers, beside .venv.

    python -m benchmarks.peers    makes it and installs requirements.txt one by one; what fails is noted with its reason

`Peers("caches")` starts `caches.py` of this folder there. It is asked in lines of JSON and times its work alone: no
imports, no reading of files. Nothing here may import sos_gym.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".peers"
PYTHON = HOME / "bin/python"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
REFUSED = HOME / "refused.json"  # requirement -> reason


class PeerError(RuntimeError):
    """A peer that is not there, or that failed."""


# -- in our environment


def install() -> None:
    """Make .peers; a peer that cannot be installed does not keep the others out."""
    venv.create(HOME, with_pip=True)
    refused = {}
    for requirement in REQUIREMENTS.read_text().split():
        print(f"installing {requirement} into {HOME.name}", flush=True)
        command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            errors = [line for line in done.stdout.splitlines() if "error" in line.lower()]
            refused[requirement] = (errors or ["pip failed"])[-1].removeprefix("ERROR: ")
            print(f"  {refused[requirement]}", flush=True)
    REFUSED.write_text(json.dumps(refused))


@functools.cache
def versions() -> dict[str, str]:
    """What is installed in .peers, of what was asked for."""
    if not PYTHON.exists():
        return {}
    done = subprocess.run([PYTHON, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True)
    installed = {package["name"].lower(): package["version"] for package in json.loads(done.stdout)}
    asked = [line.split(">")[0].split("=")[0] for line in REQUIREMENTS.read_text().split()]
    return {name: installed[name] for name in asked if name in installed and name != "numpy"}


@functools.cache
def folder() -> Path:
    """Where both sides find the work; gone when the process ends."""
    kept = tempfile.TemporaryDirectory(prefix="benchmarks-")
    folder.kept = kept  # type: ignore[attr-defined]
    return Path(kept.name)


class Peers:
    """A program of this folder, running in .peers."""

    def __init__(self, module: str):
        if not PYTHON.exists():
            raise PeerError("no .peers: run `make .peers/.installed`")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        self.process = subprocess.Popen([PYTHON, "-m", f"{__name__}.{module}"], **pipes)  # type: ignore[call-overload]

    def ask(self, peer: str, **question: Any) -> tuple[float, Any]:
        """Seconds, and the answer.

        Raises:
            PeerError: it is not installed, or failed; the text says why.
        """
        self.process.stdin.write(json.dumps({"peer": peer, **question}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(f"{peer} ended its process")
        found = json.loads(line)
        if "error" in found:
            raise PeerError(_reason(found["error"]))
        return found["seconds"], found["answer"]


def _reason(error: str) -> str:
    """Why it is missing is more than that it is."""
    refused = json.loads(REFUSED.read_text()) if REFUSED.exists() else {}
    if error.startswith("ModuleNotFoundError") and refused:
        return "not installable: " + "; ".join(f"{name}: {why}" for name, why in refused.items())
    return error


# -- in .peers


def serve(peers: dict[str, Callable[..., tuple[float, Any]]]) -> None:
    """Answer questions until there are no more; what a peer prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            seconds, answer = peers[question.pop("peer")](**question)
            found = {"seconds": seconds, "answer": answer}
        except Exception as error:  # the other side decides what it means
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), file=answers, flush=True)
