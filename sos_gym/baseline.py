"""The untrained baseline: in every decision a row that the mask allows, drawn uniformly.

What an agent has to beat before it has learnt anything. `lottery` draws among all contenders; here the rows are drawn
from, which are chosen to be worth a look, so that the two differ where there are more contenders than rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sos_gym.engine.simulation import Simulation
from sos_gym.kernel import kernel
from sos_gym.streams import stream
from sos_gym.view.candidates import PADDING
from sos_gym.view.columns import COLUMNS, CONTEXT
from sos_gym.view.step import BEGIN, CHANCE, STEP, step_address, step_at, tables_of

RANDOM_ROW = "random_row"
DECISIONS = 1 << 12  # that are made in one go; between two the process hears of an interruption


@kernel
def _play(row, address, sims, discount_ns, shown, candidates, context, mask, advised, steps):
    """Take `row` and random ones that follow, up to the end or DECISIONS of them; whether there are more."""
    seen = tables_of(shown, candidates, context, mask, advised)
    for _ in range(DECISIONS):
        step_at(address)(sims[0], row, discount_ns, seen[0], seen[1], seen[2], seen[3], seen[4], steps[0])
        if not steps[0].open:
            return False
        row = CHANCE
    return True


class RandomRow:
    """The baseline as what plays whole episodes, like `LearnedClaim`, or is asked step by step, with other draws."""

    __name__ = spec = RANDOM_ROW
    not_to_be_confused = ""

    def __call__(self, observation: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> int:
        legal, decision = np.flatnonzero(observation["action_mask"]), info["decision"]
        return int(legal[stream(decision["now_ns"], f"{RANDOM_ROW} {decision['number']}").integers(len(legal))])

    def play(self, simulation: Simulation) -> None:
        """Decide to the end of an episode that was laid out for observations.

        Raises:
            StuckError: the tape can go no further.
        """
        rows = simulation.settings.rows
        shown, mask = np.full(rows, PADDING, np.int32), np.zeros(rows, np.int8)
        candidates, context = np.empty((rows, len(COLUMNS)), np.float32), np.empty(len(CONTEXT), np.float32)
        written = shown, candidates, context, mask, np.zeros(0, np.int32), np.zeros(1, STEP)
        row, more = BEGIN, True
        while more:
            more = _play(row, step_address(), simulation.record, float(simulation.settings.discount_ns), *written)
            row = CHANCE
        simulation.raise_if_stuck()
