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
from sos_gym.view.playing import DECISIONS, OVER, play
from sos_gym.view.step import CHANCE, step_at, tables_of

RANDOM_ROW = "random_row"


@kernel
def _choices(row, address, sims, discounts, shown, candidates, context, mask, advised, steps):
    """Take `row` and random ones that follow, up to the end or DECISIONS of them; CHANCE, or OVER."""
    seen = tables_of(shown, candidates, context, mask, advised)
    for _ in range(DECISIONS):
        step_at(address)(sims[0], row, discounts, seen[0], seen[1], seen[2], seen[3], seen[4], steps[0])
        if not steps[0].open:
            return OVER
        row = CHANCE
    return row


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
        play(simulation, _choices)
