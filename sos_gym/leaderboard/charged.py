"""Decisions charged: every episode once more, with `decision_ns` as the card of its policy says.

By default decisions are free, so that a rule is judged by what it chooses. Here the time that it takes to choose is the
stall of somebody (docs/engine.md, N19). The constants were measured once, on one machine, so that rows replay anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sos_gym.evaluation import evaluate
from sos_gym.leaderboard.rows import Row
from sos_gym.leaderboard.standing import STALL, Standing, standings
from sos_gym.settings.ranges import SettingError
from sos_gym.workload import Tape

KEPT = (STALL, "stall_ns", "deciding_ns")  # of the metrics


def charged(asked: Row, decide: Any, tape: str | Tape, own: Mapping[str, Any]) -> dict[str, int] | None:
    """The constant, and the stall under it; None: the policy has none, or one that fills its slices or scans.

    `asked`: a row without what comes out, or a whole one, which says what it was charged.
    """
    cost = (asked.get("charged") or {}).get("decision_ns", getattr(decide, "decision_ns", None))
    if cost is None:
        return None
    settings = {**asked["settings"], **own, "decision_ns": cost}
    try:
        run = evaluate(asked["env"], decide, tape, asked["seed"], split=asked["split"], **settings)[0]
    except SettingError:
        return None
    return {"decision_ns": cost, **{name: run[name] for name in KEPT}}


def charged_standings(rows: Sequence[Row]) -> list[Standing]:
    """As `standings`, of the stall with decisions charged; of the policies all of whose rows have it.

    Each ratio is to the best online heuristic that is charged too.
    """
    without = {row["policy"] for row in rows if not row.get("charged")}
    paid = [row | {"metrics": row["metrics"] | row["charged"]} for row in rows if row["policy"] not in without]
    return standings(paid)


def constants(rows: Sequence[Row]) -> dict[str, int]:
    """Policy -> ns that each of its decisions was charged."""
    return {row["policy"]: row["charged"]["decision_ns"] for row in rows if row.get("charged")}
