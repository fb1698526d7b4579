"""What a decision takes is measured on the decisions themselves."""

import sys

import claim_costs
import numpy as np
from claim_costs import _decided, decision_ns, seen_on
from controls import untrained

from sos_gym.learned import INPUTS, PAIR

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
    claims = claim_costs.named(["learned"], CPU)
    wide, numbers = claims["learned"].sizes.tolist(), len(claims["learned"].weights) + len(PAIR)
    assert wide[0] == len(INPUTS) and f"| `learned` | {' → '.join(map(str, wide))} | {numbers} | " in page.read_text()
    assert np.isfinite(decision_ns(claims, CPU)["learned"])
