"""Whole episodes in which rows are chosen: by a network, or by chance."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sos_gym.engine.simulation import Simulation
from sos_gym.view.candidates import PADDING
from sos_gym.view.columns import COLUMNS, CONTEXT
from sos_gym.view.step import BEGIN, STEP, discounts_of, step_address

DECISIONS = 1 << 12  # that a kernel makes in one go: between two the process hears of an interruption
OVER = -3  # in place of a row


def play(simulation: Simulation, choices: Callable, *given: Any) -> None:
    """Run an episode that was laid out for observations to its end; arguments and errors as of `stretches`."""
    for _ in stretches(simulation, choices, written_for(simulation), *given):
        pass


def stretches(simulation: Simulation, choices: Callable, written: tuple[np.ndarray, ...], *given: Any) -> Iterator[int]:
    """Run an episode that was laid out for observations; at each stop, after at most DECISIONS, the row to go on with.

    `choices` is a kernel that takes a row, and those that follow, up to DECISIONS of them; its arguments are the row,
    `step_address()`, SIM (1,), DISCOUNTS, `written` as `written_for` gives it, and what is `given`. It returns the
    row to go on with, or OVER.

    Raises:
        StuckError: the tape can go no further.
    """
    row, discounts = BEGIN, discounts_of(simulation.settings)
    while row != OVER:
        row = choices(row, step_address(), simulation.record, discounts, *written, *given)
        yield row
    simulation.raise_if_stuck()


def written_for(simulation: Simulation) -> tuple[np.ndarray, ...]:
    """What a step writes: arrays as `tables_of` takes them, and STEP (1,)."""
    rows = simulation.settings.rows
    shown, mask = np.full(rows, PADDING, np.int32), np.zeros(rows, np.int8)
    candidates, context = np.empty((rows, len(COLUMNS)), np.float32), np.empty(len(CONTEXT), np.float32)
    return shown, candidates, context, mask, np.zeros(len(simulation.advisors), np.int32), np.zeros(1, STEP)
