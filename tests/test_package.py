"""The package as others meet it: its names, its wheel, a fresh machine."""

import ast
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import gymnasium as gym
import pytest

import sos_gym
from sos_gym.settings.presets import PRESETS

ROOT = Path(__file__).parents[1]
VAGUE_NAMES = {"utils", "util", "common", "core", "helpers", "helper", "misc"}

FIRST_EPISODE = """
import gymnasium as gym, sos_gym

for name in ("sos/Memory-v0", "sos/CPU-v0", "sos/System-v0", "sos/Tier-v0"):
    env = gym.make(name)
    observation, info = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(int(observation["action_mask"].argmax()))
    print(name, info["decision"]["kind"])
"""


def output(*command, **keywords) -> str:
    """Standard output of a command; what it said is part of the failure."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **keywords)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"
    output(*pip, folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


# -- names


def test_exported_names_exist_and_are_the_public_ones():
    assert len(set(sos_gym.__all__)) == len(sos_gym.__all__)
    assert all(getattr(sos_gym, name) is not None for name in sos_gym.__all__)
    designed = {"Tape", "claim", "evaluate", "policies", "workload"}  # what every example begins with
    assert designed <= set(sos_gym.__all__)
    assert set(sos_gym.__all__) <= set(dir(sos_gym))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Tapes'"):
        sos_gym.Tapes  # noqa: B018


def test_import_needs_no_numba():
    said = output(sys.executable, "-c", "import sys, sos_gym; sos_gym.workloads(); print('numba' in sys.modules)")
    assert said.strip() == "False"


@pytest.mark.parametrize("env_id", PRESETS)
def test_specs_survive_json(env_id):
    spec = gym.make(env_id, rows=12, advisors=("lru",), nodes=2).spec
    again = gym.envs.registration.EnvSpec.from_json(json.dumps(json.loads(spec.to_json())))
    assert again.id == env_id
    env = gym.make(again)
    assert env.action_space.n == 12
    assert tuple(env.unwrapped.advisors) == ("lru",)


def test_an_id_can_be_made_without_importing_first():
    command = "import gymnasium as gym; print(gym.make('sos_gym:sos/CPU-v0').spec.id)"
    assert output(sys.executable, "-c", command).strip() == "sos/CPU-v0"


def test_modules_are_named_after_what_they_hold():
    names = {path.stem for path in (ROOT / "sos_gym").rglob("*.py")}
    assert not names & VAGUE_NAMES


def test_modules_say_what_they_are_for():
    for path in (ROOT / "sos_gym").rglob("*.py"):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert said or path.stat().st_size == 0, f"{path} has no docstring"


# -- the wheel


def test_wheel_holds_the_recordings_the_claims_and_the_marker_but_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    claims = [path.relative_to(ROOT) for path in (ROOT / "sos_gym/shipped").glob("*/*")]
    claims = [str(path) for path in claims if path.suffix in (".npz", ".json")]
    assert len(claims) >= 8 and {*claims} <= {*names}
    recorded = {path.name for path in (ROOT / "sos_gym/workload/recorded").glob("*.npz")}
    assert len(recorded) >= 3
    teachers = {path.name for path in (ROOT / "configs/teachers").glob("*.npz")}
    assert {Path(name).name for name in names if name.endswith(".npz")} == recorded | teachers | {"claim.npz"}
    assert "sos_gym/py.typed" in names
    for folder in ("agents", "configs"):  # of `sos-gym train`
        assert {f"sos_gym/{folder}/{path.name}" for path in (ROOT / folder).glob("*.*")} <= {*names}
    assert {f"sos_gym/configs/teachers/{name}" for name in teachers} <= {*names}
    assert not [name for name in names if not name.startswith(("sos_gym/", "sos_gym-"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_wheel_asks_for_the_core_alone(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    needed = [line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")]
    core = {line.split()[1].split(">")[0].split("<")[0] for line in needed if "extra ==" not in line}
    assert core == {"gymnasium", "numba", "numpy", "rich", "typer"}


@pytest.mark.timeout(900)  # downloads the core and compiles every kernel, as a fresh machine does
def test_wheel_runs_in_an_empty_environment(wheel, tmp_path):
    folder = tmp_path / "empty"
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    output(programs / "python", "-m", "pip", "install", "--quiet", wheel)
    fresh = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NUMBA"))}
    fresh |= {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    said = output(programs / "python", "-c", FIRST_EPISODE, cwd=tmp_path, env=fresh)
    assert [line.split()[0] for line in said.splitlines()] == list(PRESETS)
    board = "leaderboard", "--quick", "--policies", "lottery,lru,clairvoyant", "--out", tmp_path / "results"
    assert "stall ratio" in output(programs / "sos-gym", *board, cwd=tmp_path, env=fresh)
    rows = json.loads((tmp_path / "results/leaderboard.json").read_text())["rows"]
    assert {row["env"] for row in rows} == set(PRESETS)
