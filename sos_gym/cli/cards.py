"""sos-gym workloads, sos-gym policies: what there is, and the card of one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.table import Table

from sos_gym.cli.printing import card_table, grid
from sos_gym.settings.ranges import SettingError, did_you_mean
from sos_gym.workload import workloads as workload_cards

if TYPE_CHECKING:
    from sos_gym.policy.contract import Policy
    from sos_gym.settings.ranges import Parameter
    from sos_gym.workload import Card


def workloads(name: Annotated[str | None, typer.Argument(help="Show its card.")] = None) -> None:
    """List the workloads, or show the card of one."""
    cards = workload_cards()
    if name is not None:
        if name not in cards:
            remedy = did_you_mean(name, cards) or "choose"
            raise SettingError("workload", name, "one of " + ", ".join(cards), remedy)
        Console().print(_workload_card(cards[name]))
        return
    table = grid("workload", "side", "kind", "what")
    for card in cards.values():
        table.add_row(card.name, card.side, "recorded" if card.recorded else "drawn", card.summary)
    Console().print(table)


def _workload_card(card: "Card") -> Group:
    facts = {"what": card.summary, "side": card.side, "source": card.source}
    return _with_parameters(card_table(card.name, facts), card.parameters)


def _with_parameters(facts: Table, parameters: Mapping[str, "Parameter"]) -> Group:
    """A card, and a table of what can be changed."""
    if not parameters:
        return Group(facts)
    table = grid("parameter", "default", "unit", "from", "to", "more of it")
    for name, parameter in parameters.items():
        numbers = (f"{value:,}" for value in (parameter.low, parameter.high))
        table.add_row(name, f"{parameter.default:,}", parameter.unit, *numbers, parameter.effect)
    return Group(facts, table)


def policies(name: Annotated[str | None, typer.Argument(help="Show its card; an alias does.")] = None) -> None:
    """List the policies, or show the card of one."""
    from sos_gym.policy import policies as policy_cards
    from sos_gym.policy import policy_named

    if name is not None:
        Console().print(_policy_card(policy_named(name)))
        return
    table = grid("policy", "also known as", "what")
    for policy in policy_cards().values():
        table.add_row(policy.name + (" †" if policy.privileged else ""), ", ".join(policy.aliases), policy.summary)
    Console().print(table, "† knows the future")


def _policy_card(policy: "Policy") -> Group:
    facts = {
        "what": policy.summary,
        "also known as": ", ".join(policy.aliases),
        "not to be confused with": policy.not_to_be_confused,
        "on cores": policy.on_cores,
        "on frames": policy.on_frames,
        "reads": policy.reads,
        "ties": policy.ties,
        "source": policy.source,
    }
    return _with_parameters(card_table(policy.name + (" †" if policy.privileged else ""), facts), policy.parameters)
