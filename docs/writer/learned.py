"""The page of learned policies that ship: their model cards."""

from pathlib import Path
from typing import Any

from sos_gym.markdown import number, table
from sos_gym.settings.presets import PRESETS
from sos_gym.shipped import FOLDER, SHIPPED, card_of

UNITS = {"search": "generations and the best drawn at the end", "distill": "rounds"}  # of a training, by algorithm


def page() -> str:
    """docs/learned.md."""
    return "\n\n".join((_top(), _names(), *(_card(claim) for claim in _claims()))) + "\n"


def _top() -> str:
    return (
        "# Learned policies\n\n"
        "Trained policies that ship with the package, a few kB each: numbers without code, which need no torch. They "
        "are found by name wherever policies are: `sos-gym run Memory --policy learned`, `sos_gym.evaluate`, "
        "leaderboards, and `sos_gym.shipped`. Written by `make docs` from the cards that `agents/ship.py` wrote; how "
        "they were trained is in [learning.md](learning.md).\n\n"
        "A training again gives the same weights on the same machine, with the same versions and seed, from the commit "
        "that the card names. What taught a claim is there, in configs/teachers/; its episodes and minutes are not in "
        "the card's."
    )


def _names() -> str:
    rows = [(f"`{one.name}`", one.summary, *(f"`{one.runs[env]}`" for env in PRESETS)) for one in SHIPPED.values()]
    return table(("name", "what it is", *(f"plays on {env}" for env in PRESETS)), rows)


def _claims() -> list[str]:
    """Folders of the claims, each once."""
    return [*dict.fromkeys(claim for one in SHIPPED.values() for claim in one.runs.values())]


def _card(claim: str) -> str:
    card = card_of(claim)
    facts = table(("", ""), _facts(claim, card))
    val = [
        (one["case"], f"`{one['base']}`", *(f"{one[key]:.3f}" for key in ("ratio", "jain", "base_jain")))
        for one in card["val"]
    ]
    heads = ("case, val", "best baseline there", "stall / its stall", "Jain", "its Jain")
    return "\n\n".join((f"## `{claim}`", facts, table(heads, val, "llrrr")))


def _facts(claim: str, card: dict[str, Any]) -> list[tuple[str, str]]:
    config, about = card["config"], card["about"][-1]
    size = (FOLDER / claim / "claim.npz").stat().st_size
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if version)
    machine = about["machine"]
    return [
        ("network", f"{' → '.join(map(str, card['sizes']))}, {number(card['weights'])} weights, {number(size)} bytes"),
        ("trained on", f"{', '.join(config['envs'])}: {', '.join(config['workloads'])} of the train split"),
        ("by", f"`{_command(claim, config)}`, at commit {about['commit'][:10]}"),
        ("played", f"{_amount(card)} in {card['elapsed_s'] / 60:.0f} minutes, {_threads(config, about)}"),
        ("kept", f"best on val: {card['looks']} looks in {card['last']['done']} {UNITS[config['algorithm']]}"),
        *([("taught by", _teachers(config))] if "teachers" in config else []),
        ("machine", f"{machine['processor']}, {machine['platform']}"),
        ("versions", versions),
        ("knows the future", "yes †" if card["privileged"] else "no"),
        ("where it is weak", _weakest(card["val"])),
    ]


def _amount(card: dict[str, Any]) -> str:
    """Of what it learned from."""
    episodes, last = f"{number(card['episodes'])} episodes", card["last"]
    if "decisions" not in last:
        return episodes
    decisions, lessons = (number(round(last[name])) for name in ("decisions", "lessons"))
    return f"{episodes} of {decisions} decisions, {lessons} of them lessons,"


def _command(claim: str, config: dict[str, Any]) -> str:
    """That trains it again; sums of floats hang on the number of threads."""
    workers = f" -o workers={config['workers']}" if config["workers"] else ""
    return f"sos-gym train --config {claim} --seed {config['seed']}{workers}"


def _teachers(config: dict[str, Any]) -> str:
    """Claims by their files' names, policies by theirs."""
    names = [Path(name).stem if name.endswith(".npz") else name for name in config["teachers"]]
    return ", ".join(f"`{name}`" for name in names)


def _weakest(val: list[dict[str, Any]]) -> str:
    worst = max(val, key=lambda one: one["ratio"])
    return (
        f"{worst['case']}: {worst['ratio']:.2f} × the stall of `{worst['base']}`"
        if worst["ratio"] > 1
        else "nowhere on val"
    )


def _threads(config: dict[str, Any], about: dict[str, Any]) -> str:
    """How many it had; the result does not hang on them."""
    threads = config["workers"] or about["machine"]["cpus"]
    return f"{threads} thread{'s' * (threads > 1)}"
