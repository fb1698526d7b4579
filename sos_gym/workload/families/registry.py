"""The registry of workloads: cards, parameters with their ranges, seeded draws."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sos_gym.settings.ranges import Parameter, SettingError, did_you_mean
from sos_gym.settings.written import parts_of
from sos_gym.streams import stream
from sos_gym.workload import recordings
from sos_gym.workload.families.draws import systematic, table
from sos_gym.workload.families.known import Known
from sos_gym.workload.tape import Tape, TapeError

SIDES = ("memory", "cpu", "joint", "tier")
SPLITS = ("train", "val", "test", "ood")


@dataclass(frozen=True)
class Card:
    """What a workload is, for people, docs and the leaderboard."""

    name: str
    side: str  # of SIDES
    summary: str
    source: str
    parameters: dict[str, Parameter]
    recorded: bool = False  # a recording has neither parameters nor draws
    diagnostic: bool = False  # made to be read, not to be won: in no mean over families


@dataclass(frozen=True)
class Family:
    """A card and what draws its tapes."""

    card: Card
    draw: Callable[..., Tape]  # (rng, **parameters)
    by_split: bool = False  # draw takes the split too


FAMILIES: dict[str, Family] = {}
OF_ALL = {  # parameters that every family has; by default they change nothing
    "weight_spread": Parameter(1.0, "", 1.0, 10_000.0, "heaviest owner's weight over the lightest one's; less equal"),
    "bound_share": Parameter(0.0, "", 0.0, 1.0, "share of threads bound to node 0 or 1, in turn; less freedom"),
}


def family(
    name: str,
    side: str,
    summary: str,
    source: str,
    by_split: bool = False,
    diagnostic: bool = False,
    **parameters: Parameter,
) -> Callable:
    """Register a function (rng, **parameters) -> Tape as a named family.

    Raises:
        ValueError: another module has a family of that name.
    """

    def register(draw: Callable[..., Tape]) -> Callable[..., Tape]:
        if name in FAMILIES and FAMILIES[name].draw.__module__ != draw.__module__:
            raise ValueError(
                f"the family {name!r} is taken: it is in {FAMILIES[name].draw.__module__}; rename this one"
            )
        card = Card(name, side, summary, source, parameters | OF_ALL, diagnostic=diagnostic)
        FAMILIES[name] = Family(card, draw, by_split)
        return draw

    return register


def workloads() -> dict[str, Card]:
    """Name -> card of every family and every shipped recording."""
    recorded = {
        name: Card(name, card["side"], card["summary"], card["source"], {}, recorded=True)
        for name, card in recordings.cards().items()
    }
    return {name: entry.card for name, entry in FAMILIES.items()} | recorded


def workload(name: str, seed: int = 0, split: str | None = None, known: Known | None = None, **parameters: Any) -> Tape:
    """The tape of a named workload; the same arguments give the same tape everywhere.

    A name may bring parameters: "zipf(alpha=0.5)".

    The stream is SeedSequence([seed, crc32(name)]); a split ("train", "val", "test", "ood") adds crc32(split), so that
    splits never share a draw. "ood" also draws the parameters that are not given, where their card has a range for it.
    A recording is one tape: it takes no parameters and no split, and ignores the seed. `known` is told what the family
    knew before it drew.
    """
    name, parameters = _named(name, parameters)
    if name not in FAMILIES:
        return _recording(name, split, parameters)
    entry = FAMILIES[name]
    _refuse_split(split)
    if split == "ood":
        parameters = _away_from_defaults(entry.card, _rng(seed, name, split, "parameters")) | parameters
    settings = _settings(entry.card, parameters)
    own: dict[str, Any] = {key: value for key, value in settings.items() if key not in OF_ALL}
    rng = _rng(seed, name) if split is None else _rng(seed, name, split)
    if entry.by_split:
        own["split"] = split
    if known is not None:
        own["known"] = known
    tape = entry.draw(rng, **own)
    if settings["weight_spread"] > 1:
        tape = _weighed(tape, settings["weight_spread"], _rng(seed, name, "weight_spread"))
    if settings["bound_share"] > 0:
        tape = _bound(tape, settings["bound_share"], _rng(seed, name, "bound_share"))
    card = {
        "name": name,
        "family": name,
        "side": entry.card.side,
        "parameters": settings,
        "seed": int(seed),
        "split": split,
        "source": entry.card.source,
    }
    return tape.described(({"recording": tape.card} if entry.by_split else {}) | card)


def card_of(name: object) -> Card:
    """The card of a workload by its name, whatever its parameters.

    Raises:
        TapeError: unknown; with did-you-mean.
    """
    plain, _ = _named(name, {})
    known = workloads()
    if plain not in known:
        raise TapeError(f"workload {plain!r} is unknown; {_remedy(plain, known)}")
    return known[plain]


def refuse_workload(given: Any, split: str | None) -> Any:
    """What was given as a workload, if tapes can be drawn from it: a name with its parameters and split, or a tape.

    Raises:
        SettingError: it is neither a name nor a tape.
        TapeError: an unknown name, parameter or split.
    """
    _refuse_split(split)
    if isinstance(given, Tape):
        return given
    if not isinstance(given, str):
        raise SettingError("workload", given, "a name, a Tape or a split", "see `sos-gym workloads`")
    if given in SPLITS:
        raise SettingError("workload", given, "a name or a Tape", f"it is a split: pass split={given!r}")
    card, (name, parameters) = card_of(given), _named(given, {})
    if card.recorded:
        _refuse_of_recording(name, split, parameters)
    else:
        _settings(card, parameters)
    return given


def _named(name: object, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """zipf(alpha=0.5) is ("zipf", {"alpha": 0.5}); `parameters` beside it go first."""
    try:
        plain, written = parts_of("workload", name, "zipf(alpha=0.5)")
    except SettingError as error:
        raise TapeError(str(error)) from error
    return plain, {**written, **parameters}


def _away_from_defaults(card: Card, rng: np.random.Generator) -> dict[str, Any]:
    """A draw of every parameter that has a range of its own for "ood"."""
    drawn: dict[str, Any] = {}
    for name, parameter in card.parameters.items():
        if parameter.ood is not None:
            low, high = parameter.ood
            whole = isinstance(parameter.default, int)
            drawn[name] = int(rng.integers(int(low), int(high) + 1)) if whole else low + (high - low) * rng.random()
    return drawn


def _weighed(tape: Tape, spread: float, rng: np.random.Generator) -> Tape:
    """Owners' weights times factors that are evenly spread on a log scale, the greatest `spread` times the least."""
    factor = rng.permutation(_factors(spread, len(tape.owners)))
    owners, threads = tape.owners.copy(), tape.threads.copy()
    owners["weight"] = np.rint(owners["weight"] * factor).clip(1)
    threads["weight"] = np.rint(threads["weight"] * factor[threads["owner"]]).clip(1)
    return dataclasses.replace(tape, owners=owners, threads=threads)


@table
def _factors(spread: float, owners: int) -> np.ndarray:  # float (owners,), rising
    return spread ** np.linspace(-0.5, 0.5, owners) if owners > 1 else np.ones(1)


def _bound(tape: Tape, share: float, rng: np.random.Generator) -> Tape:
    """Threads bound to node 0, node 1, node 0, and so on, as nearly `share` of them as can be."""
    chosen = systematic(rng, len(tape.threads), share)
    if not chosen.any():
        return tape
    threads = tape.threads.copy()
    threads["affinity"][chosen] = 1 << np.arange(chosen.sum()) % 2
    return dataclasses.replace(tape, threads=threads)


def _recording(name: str, split: str | None, parameters: dict[str, Any]) -> Tape:
    card_of(name)
    _refuse_of_recording(name, split, parameters)
    return recordings.load(name)


def _refuse_of_recording(name: str, split: str | None, parameters: Mapping[str, Any]) -> None:
    if parameters or split is not None:
        given = ", ".join([*parameters, *(["split"] if split is not None else [])])
        raise TapeError(f"workload {name!r} is a recording and takes no {given}; allowed: the name alone")


def _settings(card: Card, given: dict[str, Any]) -> dict[str, int | float]:
    """Every parameter of the family, as given or by default."""
    for name in given:
        if name not in card.parameters:
            raise TapeError(f"workload {card.name!r} has no parameter {name!r}; {_remedy(name, card.parameters)}")
    try:
        return {
            name: parameter.accept(f"{name} of workload {card.name!r}", given.get(name, parameter.default))
            for name, parameter in card.parameters.items()
        }
    except SettingError as error:
        raise TapeError(str(error)) from error


def _refuse_split(split: str | None) -> None:
    if split is not None and split not in SPLITS:
        raise TapeError(f"split is {split!r}; allowed: {', '.join(SPLITS)} or None; {_remedy(split, SPLITS)}")


def _rng(seed: int, *words: str) -> np.random.Generator:
    """The stream of `words`, of a seed that may come from anywhere."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise TapeError(f"seed is {seed!r}; allowed: whole numbers from 0; give one, such as 0")
    return stream(int(seed), *words)


def _remedy(name: object, known: Iterable[str]) -> str:
    return f"{did_you_mean(name, known)} known: {', '.join(known)}".strip()
