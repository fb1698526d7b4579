"""Training in a process of its own that is killed, to see that a run which goes on ends as if nothing had been."""

import importlib
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import configuration
import yaml
from run_folder import RunFolder

AGENTS = Path(configuration.__file__).parent


def trained(given: dict[str, Any], out: Path, resume: bool = False) -> tuple[Any, str]:
    """Train here; the state in the last checkpoint, and the curve."""
    script = importlib.import_module(given["algorithm"])
    config = configuration.checked(script.Training, given, "here")
    script.train(config, RunFolder(out, config, resume))
    home = out / f"{config.name}-{config.seed}"
    return pickle.loads((home / "checkpoint.pkl").read_bytes())["state"], (home / "curve.jsonl").read_text()


def killed(given: dict[str, Any], out: Path, rows: int) -> None:
    """Train in a process of its own, and kill it (SIGKILL) once the curve has so many rows."""
    out.mkdir(parents=True)
    (out / "given.yaml").write_text(yaml.safe_dump(given))
    script = AGENTS / f"{given['algorithm']}.py"
    command = sys.executable, str(script), "--config", str(out / "given.yaml"), "--out", str(out)
    curve = out / f"{given['name']}-{given.get('seed', 0)}" / "curve.jsonl"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (curve.exists() and len(curve.read_text().splitlines()) >= rows):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
