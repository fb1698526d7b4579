"""What a decision takes is measured on the decisions themselves."""

import sys

import claim_costs
import numpy as np
from claim_costs import _decided, decision_ns, seen_on
from controls import untrained

from sos_gym.learned import INPUTS
from sos_gym.settings.presets import PRESETS

CPU = "sos/CPU-v0"


def test_what_is_timed_are_the_claims_own_decisions():
    seen, claim = seen_on(CPU), untrained((len(INPUTS), 4, 1), 0)
    rows = [
        claim(dict(zip(("candidates", "context", "action_mask"), one, strict=True)), {})
        for one in zip(*seen, strict=True)
    ]
    assert len({*rows}) > 1
    assert _decided(*seen, claim.sizes, claim.weights, claim.pair_costs, 3) == 3 * sum(rows)


def test_each_claim_is_named_once_with_its_size(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["claim_costs.py", "learned", "--env", CPU, "--page", str(page)])
    monkeypatch.setattr(claim_costs, "REPEATS", 1)
    claim_costs.main()
    assert f"| `learned` | {len(INPUTS)} → 16 → 1 | 787 | " in page.read_text()
    taken = decision_ns(claim_costs.named(["learned"], CPU), CPU)
    assert np.isfinite(taken["learned"]) and CPU in PRESETS
