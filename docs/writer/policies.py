"""The page of policies: what each card says, and nothing that must be run."""

from sos_gym.markdown import number, table
from sos_gym.policy import policies
from sos_gym.policy.costs import MACHINE
from sos_gym.policy.kept import footprint

MEASURED = "policies-measured.md"


def page() -> str:
    """docs/policies.md."""
    return (
        "\n\n".join(
            (
                "# Policies",
                "Each is written once, over a few verbs, and runs on cores and on frames. Written by `make docs` from "
                "the cards; `sos-gym policies NAME` shows one. † knows the future. "
                f"How they do on the standard workloads: [{MEASURED}]({MEASURED}).",
                _names(),
                "## What it is on either resource",
                _resources(),
                "## What it reads",
                _rules(),
                "## What it needs to see of the uses of pages",
                "And what it becomes where accessed bits show them (`sight='scanned'`): [sight.md](sight.md).",
                _sights(),
                "## What a decision costs",
                "ns of its own code per raised decision, all verbs and picks, measured by "
                f"`python -m measurements.decision_costs` on {MACHINE}; leaderboards charge it in one column. Bytes "
                "are what it keeps for each page, and for each frame.",
                _costs(),
                "## Parameters",
                "Written behind the name, wherever a policy is named: `s3fifo(small=0.2)`.",
                _parameters(),
            )
        )
        + "\n"
    )


def _names() -> str:
    rows = [
        (f"`{card.name}`" + " †" * card.privileged, ", ".join(card.aliases), card.summary)
        for card in policies().values()
    ]
    return table(("policy", "also known as", "rule"), rows)


def _resources() -> str:
    rows = [(f"`{card.name}`", card.on_cores, card.on_frames) for card in policies().values()]
    return table(("policy", "on cores", "on frames"), rows)


def _rules() -> str:
    rows = [(f"`{card.name}`", card.reads, card.ties, card.source) for card in policies().values()]
    return table(("policy", "reads", "ties", "source"), rows)


def _sights() -> str:
    return table(("policy", "by accessed bits"), [(f"`{card.name}`", card.sight) for card in policies().values()])


def _costs() -> str:
    rows = []
    for card in policies().values():
        cost, kept = card.decision_ns, footprint(card)
        told = "–" if cost is None else number(cost), number(kept.page), number(kept.frame)
        rows.append((f"`{card.name}`", *told))
    return table(("policy", "ns per decision", "bytes per page", "bytes per frame"), rows, "lrrr")


def _parameters() -> str:
    rows = [
        (f"`{card.name}`", f"`{name}`", number(of.default), of.unit, span(of.low, of.high), of.effect)
        for card in policies().values()
        for name, of in card.parameters.items()
    ]
    return table(("policy", "parameter", "default", "unit", "range", "more of it"), rows)


def span(low: float, high: float) -> str:
    """span(1, 60000) is 1 to 60 000."""
    return f"{number(low)} to {number(high)}"
