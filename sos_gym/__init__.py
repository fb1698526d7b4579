"""Schedulers and memory managers as one Gymnasium family.

`gym.make("sos/Memory-v0")`, `sos/CPU-v0`, `sos/System-v0`, `sos/Tier-v0` are registered on import. What needs compiled
kernels is imported when it is first used, so that `import sos_gym` stays quick.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from sos_gym.settings.presets import PRESETS
from sos_gym.settings.ranges import SettingError
from sos_gym.view.columns import COLUMNS, CONTEXT
from sos_gym.workload import Tape, TapeError, workload, workloads

if TYPE_CHECKING:
    from sos_gym.bounds import best_known
    from sos_gym.engine.mistakes import PolicyError
    from sos_gym.engine.simulation import StuckError
    from sos_gym.envs.env import ActionError, SosEnv
    from sos_gym.evaluation import evaluate
    from sos_gym.learned import LearnedClaim
    from sos_gym.policy import claim, pair, policies, register
    from sos_gym.policy.contract import Policy
    from sos_gym.policy.plain import PlainPolicy
    from sos_gym.workload.traces import import_tape

__all__ = [
    "COLUMNS",
    "CONTEXT",
    "ActionError",
    "LearnedClaim",
    "PlainPolicy",
    "Policy",
    "PolicyError",
    "SettingError",
    "SosEnv",
    "StuckError",
    "Tape",
    "TapeError",
    "best_known",
    "claim",
    "evaluate",
    "import_tape",
    "pair",
    "policies",
    "register",
    "workload",
    "workloads",
]

try:
    __version__ = version("sos-gym")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0"

_LAZY = {
    "ActionError": "envs.env",
    "LearnedClaim": "learned",
    "SosEnv": "envs.env",
    "StuckError": "engine.simulation",
    "PlainPolicy": "policy.plain",
    "Policy": "policy.contract",
    "PolicyError": "engine.mistakes",
    "best_known": "bounds",
    "claim": "policy",
    "evaluate": "evaluation",
    "import_tape": "workload.traces",
    "pair": "policy",
    "policies": "policy",
    "register": "policy",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sos_gym' has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


for _preset in PRESETS:
    gym.register(
        _preset,
        entry_point="sos_gym.envs.env:SosEnv",
        vector_entry_point="sos_gym.envs.vector:SosVectorEnv",
        kwargs={"preset": _preset},
    )
