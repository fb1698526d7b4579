"""Learners of every kind that are killed end as if they had not been, to the last bit."""

import numpy as np
import pytest
import torch
from killing import killed, trained

SMALL = {"name": "tiny", "baselines": ["turns"], "look_episodes": 1, "val_episodes": 2, "workers": 1}
ONE = SMALL | {"env": "sos/CPU-v0", "workload": "hyperexponential(bursts=10)", "width": 4, "depth": 1}
ONE_OF_MANY = SMALL | {"envs": ["sos/CPU-v0"], "workloads": ["hyperexponential(bursts=10)"], "width": 4, "depth": 1}
STAGES = [
    {"generations": 12, "population": 5, "elite": 2, "method": "cma"},
    {"generations": 12, "hidden": 2, "population": 5, "elite": 2},
]
BY_MODEL = SMALL | {"env": "sos/CPU-v0", "workload": "hyperexponential(bursts=10)", "environments": 4, "width": 4}
GIVEN = {
    "ppo": BY_MODEL
    | {"decisions": 1_920, "check": 64, "n_steps": 16, "batch_size": 32, "n_epochs": 1}
    | {"discount": "service"},
    "dqn": BY_MODEL
    | {"decisions": 1_920, "check": 64, "piece": 64, "learning_starts": 100, "buffer_size": 400}
    | {"discount": "service", "batch_size": 16},
    "search": SMALL
    | {"envs": ["sos/CPU-v0"], "workloads": ["hyperexponential(bursts=10)"], "stages": STAGES, "check": 1},
    "group": ONE | {"decisions": 8_000, "check": 500, "update_decisions": 500, "tape_group": 2, "batch_size": 128},
    "dagger": ONE | {"rounds": 12, "episodes": 1, "epochs": 1},
    "distill": ONE_OF_MANY
    | {"rounds": 12, "episodes": 1, "epochs": 1, "lessons": 200, "choosing_episodes": 1}
    | {"first": "teachers/cpu-all.npz", "teachers": ["teachers/cpu-bimodal.npz", "shortest"]},
}


def numbers(state) -> list:
    """All that is in it, arrays as bytes."""
    leaves = torch.utils._pytree.tree_leaves(state)
    arrays = [leaf.numpy() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    return [leaf.tobytes() if isinstance(leaf, np.ndarray) else leaf for leaf in arrays if not callable(leaf)]


@pytest.mark.parametrize("algorithm", GIVEN)
def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path, algorithm):
    given = GIVEN[algorithm] | {"algorithm": algorithm}
    whole, curve = trained(given, tmp_path / "whole")
    killed(given, tmp_path / "killed", rows=5)
    found, again = trained(given, tmp_path / "killed", resume=True)
    assert again == curve
    assert np.array_equal(found["best"].claim.weights, whole["best"].claim.weights)
    if algorithm == "search":
        assert np.array_equal(found["learner"]["minimizer"].mean, whole["learner"]["minimizer"].mean)
    elif "networks" in found["learner"]:
        assert numbers(found["learner"]["networks"]) == numbers(whole["learner"]["networks"])
    else:
        learner, other = found["learner"], whole["learner"]
        assert numbers([learner["network"], learner["optimizer"]]) == numbers([other["network"], other["optimizer"]])
