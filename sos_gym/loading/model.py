"""Models that Stable-Baselines3 and sb3-contrib saved, as callables. They need the extra `learn`."""

import hashlib
import importlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sos_gym.loading.script import Decider, existing, neighbours_found, reason_of
from sos_gym.loading.spec import InFile
from sos_gym.settings.ranges import SettingError, did_you_mean
from sos_gym.view.columns import COLUMNS, CONTEXT

ALGORITHMS = ("PPO", "MaskablePPO", "A2C", "DQN", "QRDQN", "TRPO")  # that choose one of some rows, without a memory
MARKS = {  # what only one algorithm writes into its file; PPO's is in MaskablePPO's too, which is known by its modules
    "n_quantiles": "QRDQN",
    "exploration_fraction": "DQN",
    "cg_damping": "TRPO",
    "clip_range": "PPO",
    "vf_coef": "A2C",
}
LIBRARIES = ("stable_baselines3", "sb3_contrib")
SIZES = {"candidates": len(COLUMNS), "context": len(CONTEXT)}


class ModelDecider(Decider):
    """A model: its row is the most likely one, of those that may be chosen where its algorithm takes a mask."""

    def __init__(self, model: Any, algorithm: str, file: Path, spec: str):
        self.model, self.algorithm, self.root, self.__name__ = model, algorithm, file.parent, spec
        self.keys = tuple(model.observation_space.spaces)
        self.rows = int(model.action_space.n)
        written = [algorithm, *(importlib.import_module(name).__version__ for name in ("torch", *LIBRARIES))]
        self.content = hashlib.sha256(file.read_bytes() + "\0".join(written).encode()).hexdigest()[:16]

    @property
    def about(self) -> str:
        return f"a model of {type(self.model).__module__.partition('.')[0]}, {self.algorithm}: its most likely row"

    def decide(self, observation: Mapping[str, Any], info: Any) -> int:
        seen = {key: observation[key] for key in self.keys}
        masks = {"action_masks": observation["action_mask"]} if self.algorithm == "MaskablePPO" else {}
        return int(self.model.predict(seen, deterministic=True, **masks)[0])


def model_in(asked: InFile) -> ModelDecider:
    """The model in a .zip; loading it runs code that it holds.

    Raises:
        SettingError: no such file, no model, or one for other observations; or Stable-Baselines3 is missing.
    """
    file, written = existing(asked.path), f"{asked.path}{asked.name and ':'}{asked.name}"
    if asked.parameters:
        raise SettingError("policy", written + asked.parameters, "without parameters", f"leave {asked.parameters} out")
    algorithm = asked.name or _algorithm_of(file, asked.path)
    kind = _kind(algorithm, written)
    try:
        with neighbours_found(file.parent):  # a policy class of one's own is imported from there
            model = kind.load(file, device="cpu")
    except Exception as error:  # of unpickling: any
        remedy = reason_of(error, file.parent)
        raise SettingError("policy", written, f"a model that {algorithm}.save wrote", remedy) from error
    _refuse_other_spaces(model, written)
    return ModelDecider(model, algorithm, file, written)


def _algorithm_of(file: Path, path: str) -> str:
    """Read off the file, of which no code is run.

    Raises:
        SettingError: it is no model, or does not tell.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            data = json.loads(archive.read("data"))
        modules = str([value.get("__module__") for value in data.values() if isinstance(value, dict)])
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise SettingError("policy", path, "a model that Stable-Baselines3 saved", f"that file: {error}") from error
    if "recurrent" in modules:
        return "RecurrentPPO"
    found = "MaskablePPO" if "maskable" in modules else next((MARKS[mark] for mark in MARKS if mark in data), "")
    if not found:
        raise SettingError("policy", path, f"of {', '.join(ALGORITHMS)}", f"name its algorithm: {path}:PPO")
    return found


def _kind(algorithm: str, written: str) -> Any:
    """The class of that name."""
    if algorithm not in ALGORITHMS:
        remedy = did_you_mean(algorithm, ALGORITHMS) or "wrap another one in a callable (observation, info) -> row"
        raise SettingError("policy", written, f"of {', '.join(ALGORITHMS)}", remedy)
    try:
        homes = [importlib.import_module(name) for name in LIBRARIES]
    except ModuleNotFoundError as error:
        remedy = "pip install 'sos-gym[learn]'"
        raise SettingError("policy", written, f"used where there is {error.name}", remedy) from error
    return next(getattr(home, algorithm) for home in homes if hasattr(home, algorithm))


def _refuse_other_spaces(model: Any, written: str) -> None:
    spaces = getattr(model.observation_space, "spaces", {})
    rows = getattr(model.action_space, "n", None)
    widths = {key: space.shape[-1] for key, space in spaces.items() if key in SIZES}
    heights = {space.shape[0] for key, space in spaces.items() if key != "context"}
    if not spaces or widths.items() - SIZES.items() or heights - {rows} or set(spaces) - {*SIZES, "action_mask"}:
        allowed = f"trained on candidates (rows, {SIZES['candidates']}) and context ({SIZES['context']},)"
        said = f"{model.observation_space}, {model.action_space}"
        raise SettingError("policy", written, allowed, f"this one: {' '.join(said.split())[:200]}")
