"""sos-gym train: which script is run, with what, and how it ends."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from sos_gym.cli import train
from sos_gym.cli.app import app

TINY = {
    **{"algorithm": "ppo", "name": "tiny", "env": "sos/CPU-v0", "baselines": ["turns"], "workers": 1},
    **{"workload": "hyperexponential(bursts=10)", "look_episodes": 1, "val_episodes": 2},
    **{"decisions": 128, "check": 64, "environments": 4, "n_steps": 16, "batch_size": 32, "n_epochs": 1, "width": 4},
}
ELSEWHERE = {"pydantic", "cmaes"}  # typer needs the one as well, and search alone the other


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
    Path("other.yaml").write_text("algorithm: pppo")


def trained(*words):
    return CliRunner().invoke(app, ["train", *words], env={"COLUMNS": "120"})


def test_it_trains_and_goes_on(tiny):
    done = trained("--config", "tiny.yaml", "--seed", "3", "-o", "check=32", "-o", "gae_lambda=0.5")
    assert done.exit_code == 0, done.output
    home = Path("runs/tiny-3")
    given = yaml.safe_load((home / "config.yaml").read_text())
    assert (given["seed"], given["check"], given["gae_lambda"], given["width"]) == (3, 32, 0.5, 4)
    assert "tiny" in done.stdout and "turns" in done.stdout  # the comparison
    rows = [json.loads(row)["done"] for row in (home / "curve.jsonl").read_text().splitlines()]
    assert rows == [0, 64, 128]
    again = trained("--config", "tiny.yaml", "--seed", "3", "-o", "check=32", "-o", "gae_lambda=0.5", "--resume")
    assert again.exit_code == 0 and len((home / "curve.jsonl").read_text().splitlines()) == 3
    assert sys.argv[0] != str(train.agents() / "ppo.py") and str(train.agents()) not in sys.path[:1]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--config", "ppo-memry"], "did you mean 'ppo-memory'?"),
        (["--config", "none.yaml"], "none.yaml: No such file"),
        (
            ["--config", "other.yaml"],
            "algorithm='pppo' is not allowed: it must be one of dagger, distill, dqn, group, ppo, search;",
        ),
        (["--config", "tiny.yaml", "-o", "algorithm=dqn"], "algorithm='dqn' is not allowed: it must be 'ppo'"),
        (
            ["--config", "tiny.yaml", "-o", "chek=1"],
            "chek=1 is not allowed: it must be a known key; did you mean 'check'?",
        ),
        (["--config", "tiny.yaml", "-o", "check=0"], "check=0 is not allowed: it must be greater than or equal to 1"),
        (["--config", "tiny.yaml", "-o", "check"], "key=value"),
        (["--config", "tiny.yaml", "-o", "env=sos/Memry-v0"], "sos/Memory-v0"),
    ],
)
def test_what_is_wrong_is_one_line(tiny, words, said):
    done = trained(*words)
    assert done.exit_code == 2
    assert re.fullmatch(r"sos-gym: [^\n]*\n", done.stderr) and said in done.stderr


def test_a_run_is_not_overwritten(tiny):
    assert trained("--config", "tiny.yaml", "-o", "decisions=1").exit_code == 0
    done = trained("--config", "tiny.yaml", "-o", "decisions=1")
    assert done.exit_code == 2 and "pass --resume to go on with it" in done.stderr


@pytest.mark.parametrize("missing", sorted({*train.NEEDED} - ELSEWHERE))
def test_without_the_extra_it_says_what_to_install(tiny, monkeypatch, missing):
    scripts = (
        "configuration",
        "training",
        "report",
        "stable_baselines",
        "ppo",
        "set_policy",
        "claim_network",
        "minimizers",
    )
    for name in [name for name in sys.modules if name in scripts or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    done = trained("--config", "search-cpu" if missing == "cmaes" else "tiny.yaml")
    assert (done.exit_code, done.stderr) == (2, f"sos-gym: training needs {missing}: pip install 'sos-gym[learn]'\n")


def test_scripts_are_those_that_can_be_run():
    assert train.script_of("ppo") == train.agents() / "ppo.py"
    with pytest.raises(train.SettingError, match="one of dagger, distill, dqn, group, ppo, search"):
        train.script_of("report")
