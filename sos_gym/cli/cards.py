"""sos-gym workloads, sos-gym policies: what there is, and the card of one."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sos_gym.cli.names import KINDS_OF_SPECS, policy_asked
from sos_gym.cli.printing import AsCsv, AsJson, Form, card_table, form_of, grid, print_records, show, terminal
from sos_gym.settings.ranges import SettingError, did_you_mean
from sos_gym.workload import workloads as workload_cards

if TYPE_CHECKING:
    from sos_gym.loading.found import Found
    from sos_gym.policy.contract import Policy
    from sos_gym.policy.pairing import Pair
    from sos_gym.settings.ranges import Parameter
    from sos_gym.workload import Card

SAID = (
    "name",
    "aliases",
    "summary",
    "privileged",
    "idles",
    "fast_only",
    "decision_ns",
    "not_to_be_confused",
    "on_cores",
    "on_frames",
    "reads",
    "sight",
    "ties",
)


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
    name: Annotated[str | None, typer.Argument(help=f"Show the card of one: a name, {KINDS_OF_SPECS}")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the policies, or show the card of one."""
    from sos_gym.policy import policies as policy_cards
    from sos_gym.shipped import SHIPPED

    form = form_of(as_json, as_csv)
    if name is not None:
        _show_policy(policy_asked(name), form)
    elif form is not Form.TABLES:
        learned = [_record_of(policy_asked(name)) for name in SHIPPED]
        print_records(form, [*map(_policy_record, policy_cards().values()), *learned])
    else:
        table = grid("policy", "also known as", "what")
        for policy in policy_cards().values():
            table.add_row(_marked(policy), ", ".join(policy.aliases), policy.summary)
        for claim in SHIPPED.values():
            table.add_row(claim.name, "", claim.summary)
        show(terminal(), table)
        terminal().print("† knows the future")


def _show_policy(found: "Found", form: Form) -> None:
    """Of a pair a record that joins the two, or its own card and those of the two."""
    from sos_gym.policy.pairing import Pair

    if form is not Form.TABLES:
        print_records(form, [_record_of(found)])
    elif isinstance(found.policy, Pair):
        pair = _pair_record(found)
        shown = ("what", "summary"), ("ties", "ties")
        _show_all(iter([card_table(_marked(found.policy), {head: pair[name] for head, name in shown})]))
        _show_all(_policy_tables(found.policy.cores))
        _show_all(_policy_tables(found.policy.frames))
    elif found.is_callable:
        _show_all(iter([card_table(found.spec, _callable_facts(found))]))
    else:
        _show_all(_policy_tables(found.policy))


def _marked(policy: "Policy | Pair") -> str:
    return policy.name + (" †" if policy.privileged else "")


def _record_of(found: "Found") -> dict[str, Any]:
    """With the same names for every kind."""
    from sos_gym.policy.pairing import Pair

    if isinstance(found.policy, Pair):
        return _pair_record(found)
    if not found.is_callable:
        return _policy_record(found.policy)
    facts = _callable_facts(found)
    empty = dict.fromkeys((*SAID, "source"), "")
    own = {
        "name": found.spec,
        "aliases": (),
        "summary": facts["what"],
        "privileged": False,
        "idles": False,
        "fast_only": False,
        "decision_ns": None,
        "reads": facts["reads"],
    }
    return {**empty, **own, "source": facts["source"], "parameters": {}}


def _pair_record(found: "Found") -> dict[str, Any]:
    """Each side from its own; parameters as cores.NAME and frames.NAME."""
    pair = found.policy
    sides = {"cores": _policy_record(pair.cores), "frames": _policy_record(pair.frames)}
    joined = {name: "; ".join(f"{side}: {one[name]}" for side, one in sides.items()) for name in ("reads", "source")}
    told = "each decides on its side alone, and both are told what happens on either"
    return {
        "name": found.spec,
        "aliases": (),
        "summary": f"{pair.cores.spec} on the cores and {pair.frames.spec} on the frames; {told}",
        "privileged": pair.privileged,
        "idles": pair.idles,
        "fast_only": pair.frames.fast_only,
        "decision_ns": pair.decision_ns,
        "not_to_be_confused": "",
        "on_cores": sides["cores"]["on_cores"],
        "on_frames": sides["frames"]["on_frames"],
        "reads": joined["reads"],
        "sight": "; ".join(f"{side}: {one['sight']}" for side, one in sides.items()),
        "ties": "; ".join(f"{side}: {one['ties']}" for side, one in sides.items()),
        "source": joined["source"],
        "parameters": {f"{side}.{name}": of for side, one in sides.items() for name, of in one["parameters"].items()},
    }


def _callable_facts(found: "Found") -> dict[str, str]:
    """Of what is no policy of the engine: a learned claim, a model, or a callable."""
    policy = found.policy
    wishes = [f"{name} {value}" for name, value in found.settings.items() if name != "advisors"]
    wishes += [f"advised by {', '.join(map(_name_of, found.settings.get('advisors', ())))}"] * (
        "advisors" in found.settings
    )
    return {
        "what": policy.about if hasattr(policy, "about") else "a callable (observation, info) -> row",
        "reads": "; ".join(["the observation", *wishes]),
        "source": found.spec,
    }


def _name_of(advisor: Any) -> str:
    return advisor if isinstance(advisor, str) else advisor.spec


def _policy_record(policy: "Policy") -> dict[str, Any]:
    facts = {name: getattr(policy, name) for name in SAID} | {"source": _source_of(policy)}
    return facts | {"parameters": _parameter_records(policy.parameters)}


def _source_of(policy: "Policy") -> str:
    """Of a claim in a file its name there; the hash in the module's name is nothing to read."""
    return re.sub(r"^(\w+)_[0-9a-f]{12}\.", r"\1.", policy.source)


def _cost_of(policy: "Policy") -> str:
    """The constant that leaderboards charge; nothing for who has none."""
    return "" if policy.decision_ns is None else f"{policy.decision_ns:,} ns, which leaderboards charge in one column"


def _policy_tables(policy: "Policy") -> Iterator[Table]:
    facts = {
        "what": policy.summary,
        "also known as": ", ".join(policy.aliases),
        "not to be confused with": policy.not_to_be_confused,
        "on cores": policy.on_cores,
        "leaves cores idle on purpose": "yes: it runs with may_idle=True" if policy.idles else "",
        "on frames": policy.on_frames,
        "on tiers": "the fast one is a cache of the others" if policy.fast_only else "",
        "a decision costs": _cost_of(policy),
        "reads": policy.reads,
        "by accessed bits": policy.sight,
        "ties": policy.ties,
        "source": _source_of(policy),
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
