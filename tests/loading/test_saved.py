"""Saved claims and saved models as policies."""

import importlib
import json
import sys
import zipfile

import numpy as np
import pytest

import sos_gym
from sos_gym.loading.found import found
from sos_gym.loading.model import ALGORITHMS

sb3 = pytest.importorskip("stable_baselines3")
contrib = pytest.importorskip("sb3_contrib")


def stall(policy, **settings):
    return sos_gym.evaluate("sos/Memory-v0", policy, "loop", seed=1, **settings)[0]["stall_ns"]


# -- claims


def test_a_saved_claim(tmp_path):
    claim = sos_gym.LearnedClaim.linear({"payoff": -1.0})
    one = found(str(claim.save(tmp_path / "claim.npz")))
    assert one.spec == one.policy.__name__ == str(tmp_path / "claim.npz")
    assert stall(one.policy) == stall(claim)
    other = found(str(sos_gym.LearnedClaim.linear({"payoff": 1.0}).save(tmp_path / "other.npz")))
    again = found(str(claim.save(tmp_path / "again.npz")))
    assert one.content == again.content != other.content


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"no claim"])
def test_what_is_no_claim_is_refused(content, tmp_path):
    (tmp_path / "claim.npz").write_bytes(content)
    with pytest.raises(sos_gym.SettingError, match=r"LearnedClaim\.save wrote"):
        found(f"{tmp_path}/claim.npz")
    with pytest.raises(sos_gym.SettingError, match="without parameters"):
        found(f"{tmp_path}/claim.npz:NAME")


# -- models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A file of each algorithm, untrained, for 12 rows."""
    from sos_gym.envs.sb3 import SosVecEnv

    folder, env = tmp_path_factory.mktemp("models"), SosVecEnv("sos/Memory-v0", 1, rows=12)
    for name in ALGORITHMS:
        kind = getattr(sb3, name, None) or getattr(contrib, name)
        keywords = {"buffer_size": 10} if "DQN" in name else {}
        kind("MultiInputPolicy", env, seed=1, device="cpu", **keywords).save(folder / f"{name}.zip")
    contrib.RecurrentPPO("MultiInputLstmPolicy", env, device="cpu").save(folder / "RecurrentPPO.zip")
    env.close()
    return folder


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_algorithm_is_read_off_the_file(models, name):
    one = found(f"{models}/{name}.zip")
    assert (one.policy.algorithm, type(one.policy.model).__name__) == (name, name)
    assert dict(one.settings) == {"rows": 12} and one.is_callable


def test_a_model_chooses_its_most_likely_row_among_the_legal_ones(models):
    one = found(f"{models}/MaskablePPO.zip:MaskablePPO")
    model = contrib.MaskablePPO.load(models / "MaskablePPO.zip", device="cpu")

    def own(observation, info):
        return int(model.predict(observation, deterministic=True, action_masks=observation["action_mask"])[0])

    assert stall(one.policy, rows=12, strict=True) == stall(own, rows=12, strict=True)


def test_a_model_of_a_single_environment(tmp_path):
    import gymnasium as gym

    env = gym.make("sos/Memory-v0", rows=12)
    contrib.MaskablePPO("MultiInputPolicy", env, device="cpu", n_steps=8).save(tmp_path / "single.zip")
    one = found(f"{tmp_path}/single.zip")
    assert set(one.policy.keys) == {"candidates", "context", "action_mask"} and stall(one.policy, rows=12) > 0


def test_the_content_is_that_of_the_file(models, tmp_path):
    ppo, a2c = found(f"{models}/PPO.zip"), found(f"{models}/A2C.zip")
    (tmp_path / "copy.zip").write_bytes((models / "PPO.zip").read_bytes())
    assert ppo.content == found(f"{tmp_path}/copy.zip").content != a2c.content
    assert found(f"{models}/PPO.zip:A2C").content not in (ppo.content, a2c.content)


@pytest.mark.parametrize(
    "spec, said",
    [
        ("PPO.zip:Maskable", "did you mean 'MaskablePPO'"),
        ("PPO.zip:SAC", "of PPO, MaskablePPO"),
        ("PPO.zip(k=1)", r"leave \(k=1\) out"),
        ("RecurrentPPO.zip", "wrap another one in a callable"),
        ("nowhere.zip", "a file that exists"),
        ("text.zip", "not a zip file"),
        ("other.zip", "There is no item named 'data'"),
        ("bare.zip", "name its algorithm"),
        ("bare.zip:PPO", "PPO.save wrote"),
        ("cart.zip", r"trained on candidates \(rows, "),
    ],
)
def test_what_is_no_model_for_us_is_refused(spec, said, models):
    (models / "text.zip").write_text("no zip")
    for name, member, text in (("other", "x", ""), ("bare", "data", json.dumps({"seed": 1}))):
        with zipfile.ZipFile(models / f"{name}.zip", "w") as archive:
            archive.writestr(member, text)
    sb3.PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=8, batch_size=8).save(models / "cart.zip")
    with pytest.raises(sos_gym.SettingError, match=said) as caught:
        found(f"{models}/{spec}")
    assert "\n" not in str(caught.value)


def test_a_policy_class_of_ones_own_is_found_beside_the_model(tmp_path, monkeypatch):
    from sos_gym.envs.sb3 import SosVecEnv

    source = (
        "from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy\n"
        "class Own(MaskableMultiInputActorCriticPolicy):\n    pass\n"
    )
    (tmp_path / "policy_of_ones_own.py").write_text(source)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        own = importlib.import_module("policy_of_ones_own").Own
        contrib.MaskablePPO(own, SosVecEnv("sos/Memory-v0", 1), device="cpu").save(tmp_path / "own.zip")
        patch.delitem(sys.modules, "policy_of_ones_own")
    assert type(found(f"{tmp_path}/own.zip").policy.model.policy).__name__ == "Own"
    monkeypatch.delitem(sys.modules, "policy_of_ones_own")
    sys.path.remove(str(tmp_path))
    (tmp_path / "policy_of_ones_own.py").unlink()
    with pytest.raises(sos_gym.SettingError, match="it needs the module 'policy_of_ones_own'"):
        found(f"{tmp_path}/own.zip")


def test_without_the_extra_the_error_says_what_to_install(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(sos_gym.SettingError, match=r"pip install 'sos-gym\[learn\]'"):
        found(f"{models}/PPO.zip")


def test_finding_the_algorithm_runs_no_code(tmp_path, monkeypatch):
    """Only the file's JSON is read; loading it is another step."""
    import pickle

    from sos_gym.loading import model

    monkeypatch.setattr(pickle, "loads", None)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("data", json.dumps({"clip_range": {":serialized:": "gASV"}, "vf_coef": 0.5}))
    assert model._algorithm_of(tmp_path / "x.zip", "x.zip") == "PPO"
    assert np.all([name in (*model.MARKS.values(), "MaskablePPO") for name in ALGORITHMS])
