"""sos-gym workloads, sos-gym policies: what there is, and the card of one."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sos_gym.cli.printing import AsCsv, AsJson, Form, card_table, form_of, grid, print_records, show, terminal
from sos_gym.settings.ranges import SettingError, did_you_mean
from sos_gym.workload import workloads as workload_cards

if TYPE_CHECKING:
    from sos_gym.policy.contract import Policy
    from sos_gym.settings.ranges import Parameter
    from sos_gym.workload import Card


def workloads(
    name: Annotated[str | None, typer.Argument(help="Show its card.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the workloads, or show the card of one."""
    form, cards = form_of(as_json, as_csv), workload_cards()
    if name is not None and name not in cards:
        remedy = did_you_mean(name, cards) or "choose"
        raise SettingError("workload", name, "one of " + ", ".join(cards), remedy)
    if form is not Form.TABLES:
        print_records(form, [_workload_record(card) for card in ([cards[name]] if name else cards.values())])
    elif name is not None:
        _show_all(_workload_tables(cards[name]))
    else:
        table = grid("workload", "side", "kind", "what")
        for card in cards.values():
            table.add_row(card.name, card.side, "recorded" if card.recorded else "drawn", card.summary)
        show(terminal(), table)


def _workload_record(card: "Card") -> dict[str, Any]:
    facts = {name: getattr(card, name) for name in ("name", "side", "recorded", "summary", "source")}
    return facts | {"parameters": _parameter_records(card.parameters)}


def _workload_tables(card: "Card") -> Iterator[Table]:
    yield card_table(card.name, {"what": card.summary, "side": card.side, "source": card.source})
    yield from _parameter_tables(card.parameters)


def policies(
    name: Annotated[str | None, typer.Argument(help="Show its card; an alias does.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the policies, or show the card of one."""
    from sos_gym.policy import policies as policy_cards
    from sos_gym.policy import policy_named

    form = form_of(as_json, as_csv)
    if form is not Form.TABLES:
        chosen = policy_cards().values() if name is None else [policy_named(name)]
        print_records(form, [_policy_record(policy) for policy in chosen])
    elif name is not None:
        _show_all(_policy_tables(policy_named(name)))
    else:
        table = grid("policy", "also known as", "what")
        for policy in policy_cards().values():
            table.add_row(_marked(policy), ", ".join(policy.aliases), policy.summary)
        show(terminal(), table)
        terminal().print("† knows the future")


def _marked(policy: "Policy") -> str:
    return policy.name + (" †" if policy.privileged else "")


def _policy_record(policy: "Policy") -> dict[str, Any]:
    said = ("name", "aliases", "summary", "privileged", "idles", "not_to_be_confused", "on_cores", "on_frames")
    facts = {name: getattr(policy, name) for name in (*said, "reads", "ties", "source")}
    return facts | {"parameters": _parameter_records(policy.parameters)}


def _policy_tables(policy: "Policy") -> Iterator[Table]:
    facts = {
        "what": policy.summary,
        "also known as": ", ".join(policy.aliases),
        "not to be confused with": policy.not_to_be_confused,
        "on cores": policy.on_cores,
        "leaves cores idle on purpose": "yes: it runs with may_idle=True" if policy.idles else "",
        "on frames": policy.on_frames,
        "reads": policy.reads,
        "ties": policy.ties,
        "source": policy.source,
    }
    yield card_table(_marked(policy), facts)
    yield from _parameter_tables(policy.parameters)


# -- parameters of either


def _parameter_records(parameters: Mapping[str, "Parameter"]) -> dict[str, Any]:
    return {name: dataclasses.asdict(parameter) for name, parameter in parameters.items()}


def _parameter_tables(parameters: Mapping[str, "Parameter"]) -> Iterator[Table]:
    """A table of what can be changed, if anything can."""
    if not parameters:
        return
    table = grid("parameter", "default", "unit", "from", "to", "more of it")
    for name, parameter in parameters.items():
        numbers = (f"{value:,}" for value in (parameter.low, parameter.high))
        table.add_row(name, f"{parameter.default:,}", parameter.unit, *numbers, parameter.effect)
    yield table


def _show_all(tables: Iterator[Table]) -> None:
    console = terminal()
    for table in tables:
        show(console, table)
