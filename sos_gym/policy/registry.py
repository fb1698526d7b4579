"""Policies by name and alias, and the decorator that adds one in a line.

A policy of the package is found where its card stands: any module in the rooms beside this file.
"""

import contextlib
import copyreg
import dataclasses
import importlib
import inspect
import math
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numba

from sos_gym.policy.contract import Policy
from sos_gym.policy.costs import DECISION_NS
from sos_gym.policy.pairing import Pair
from sos_gym.policy.plain import PlainPolicy, card_of, is_plain
from sos_gym.settings.ranges import Parameter, SettingError, did_you_mean, number_in
from sos_gym.settings.written import parts_of

P = TypeVar("P")


def discovered(paths: Sequence[str], prefix: str) -> Iterator[Policy]:
    """Every policy that a module in these folders, or below, defines."""
    for module in pkgutil.walk_packages(paths, prefix):
        yield from (value for value in vars(importlib.import_module(module.name)).values() if isinstance(value, Policy))


def _own(policy: Policy) -> Policy:
    """A policy of the package is trusted, and its card says what a decision was measured to cost."""
    object.__setattr__(policy, "checked", False)  # the card itself: a module that imports it means this one
    object.__setattr__(policy, "decision_ns", DECISION_NS.get(policy.name))
    return policy


_FOUND = {policy.name: _own(policy) for policy in discovered([str(Path(__file__).parent)], f"{__package__}.")}
_POLICIES: dict[str, Policy] = {name: policy for name, policy in _FOUND.items() if not policy.needs_forecast}
_APART: dict[str, Policy] = {name: policy for name, policy in _FOUND.items() if policy.needs_forecast}  # see `policies`


def _reduced(policy: Policy) -> tuple:
    """A policy of the package is pickled by name; kernels of others travel with them, and are compiled again."""
    if is_of_the_package(policy):
        return _found_again, (policy.name, dict(policy.values))
    return object.__reduce_ex__(policy, 2)  # type: ignore[return-value]


def is_of_the_package(policy: Policy) -> bool:
    """Whether it is one of the package's own, of whatever parameters."""
    found = _FOUND.get(policy.name)
    fields = [field.name for field in dataclasses.fields(policy) if field.name != "values"]
    return found is not None and all(getattr(policy, name) is getattr(found, name, None) for name in fields)


def _found_again(name: str, values: dict[str, int | float]) -> Policy:
    return _FOUND[name].with_values(values)


for _kind in {type(policy) for policy in _FOUND.values()}:
    copyreg.pickle(_kind, _reduced)


def policies() -> dict[str, Policy]:
    """All policies by their canonical name; each is its own card.

    Those that know a workload's generator are found by name alone: they do not run on every tape.
    """
    return dict(sorted(_POLICIES.items()))


def _names() -> dict[str, str]:
    """Every name and alias, lower case, to the canonical name."""
    return {alias.lower(): policy.name for policy in _POLICIES.values() for alias in (policy.name, *policy.aliases)}


def policy_of(given: Any) -> Policy | Pair:
    """The policy that is meant: a name, see `policy_named`, a policy or pair, or what `claim` decorated.

    Raises:
        SettingError: it is nothing of the kind; or an unknown name, with did-you-mean.
    """
    given = getattr(given, "sos_policy", given)
    if isinstance(given, PlainPolicy):
        raise SettingError("policy", given, "the class, not an object of it", f"pass {type(given).__name__}")
    if is_plain(given):
        return card_of(given)
    if isinstance(given, (Policy, Pair)):
        return given
    if isinstance(given, str):
        return policy_named(given)
    raise SettingError(
        "policy",
        given,
        "a name, a Policy, a Pair or a PlainPolicy class",
        "see `sos-gym policies` and sos_gym.register",
    )


def is_policy(given: Any) -> bool:
    """Whether `policy_of` takes it, if a name is known."""
    return isinstance(getattr(given, "sos_policy", given), (str, Policy, Pair, PlainPolicy)) or is_plain(given)


def pair(cores: Any, frames: Any) -> Pair:
    """One policy for the cores and another for the frames; the same as the name "CORES + FRAMES".

    Raises:
        SettingError: one is no policy, or a pair itself.
    """
    found = policy_of(cores), policy_of(frames)
    for place, one in zip(("cores", "frames"), found, strict=True):
        if isinstance(one, Pair):
            raise SettingError(place, one.spec, "one policy, no pair", "name two policies")
    return Pair(*found)  # type: ignore[arg-type]


def policy_named(name: str) -> Policy | Pair:
    """The policy of a name or alias, with parameters if they follow, "s3fifo(small=0.2)"; of two names, their pair.

    "eevdf + sieve": the first is for the cores, the second for the frames.

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    names = _names()
    if isinstance(name, str) and (halves := re.split(r"\+(?![^(]*\))", name))[1:]:
        if len(halves) != 2:
            raise SettingError("policy", name, "one name, or two with a + between", "the first is for the cores")
        return pair(*halves)
    plain, parameters = parts_of("policy", name, "s3fifo(small=0.2)")
    if plain.lower() in _APART:
        return _APART[plain.lower()].with_values(parameters)
    if plain.lower() not in names:
        remedy = did_you_mean(plain, names) or "see `sos-gym policies`"
        raise SettingError("policy", name, "a registered policy or alias", remedy)
    return _POLICIES[names[plain.lower()]].with_values(parameters)


# -- from outside


def register(policy: P, checked: bool | None = None) -> P:
    """Let a policy from outside the package be found by its name and aliases, wherever a policy is named.

    Args:
        policy: a `Policy`, see sos_gym/policy/contract.py, or a `PlainPolicy` class, which this may decorate.
        checked: False: trust its kernels, which is faster; a mistake may then end the process. None: as its card says.

    Raises:
        SettingError: a name is taken by another policy. One that is defined again takes its own place.
    """
    card = policy_of(policy)
    if not isinstance(card, Policy):
        raise SettingError("policy", card.spec, "one policy, no pair", "register the two; their pair has a name then")
    names = _names()
    for name in (card.name, *card.aliases):
        _refuse_odd(name)
        taken = _POLICIES.get(names.get(name.lower(), ""), _APART.get(name.lower()))
        if taken is not None and (taken.name in _FOUND or _origin(taken) != _origin(card)):
            raise SettingError("name", name, "a name that is not taken", "choose another one")
    _POLICIES[card.name] = card if checked is None else dataclasses.replace(card, checked=checked)
    return policy


def _refuse_odd(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][\w .-]*", name) or name != name.strip():
        allowed = "a word of letters, digits, _, - and ."
        raise SettingError("name", name, allowed, "+ joins two policies, and parentheses hold parameters")


@contextlib.contextmanager
def registered_apart(taken: Iterable[str]) -> Iterator[dict[str, Policy]]:
    """What is registered meanwhile stands in the dict afterwards, by name.

    The names `taken` are free meanwhile, and again of who had them before. After an error nothing is registered.
    """
    before, registered = dict(_POLICIES), {}  # type: ignore[var-annotated]
    for name in taken:
        _POLICIES.pop(name, None)
    try:
        yield registered
    except BaseException:
        _POLICIES.clear()
        raise
    else:
        registered.update({name: one for name, one in _POLICIES.items() if before.get(name) is not one})
    finally:
        _POLICIES.update(before)


def _origin(policy: Policy) -> str:
    """Where it is written."""
    return policy.origin or _where(next(part.py_func for part in vars(policy).values() if hasattr(part, "py_func")))


def claim(
    name: str,
    summary: str = "",
    needs_future: bool = False,
    parameters: Mapping[str, Parameter | int | float] | None = None,
    checked: bool = True,
) -> Callable[[Callable], Callable]:
    """Register a policy that is one claim: a function of `(entity, now)` that returns a number.

    The entity is a record of `resource.ENTITY`. ADMIT takes the strongest claim, EVICT the weakest. Compiled on
    first use.

    Args:
        name: what it is found by.
        summary: a sentence for tables; "": the first line of its docstring.
        needs_future: it reads `entity.future`, and is marked as privileged.
        parameters: the function is then one of `(entity, now, parameters)` and reads parameters.NAME; a number is the
            default of a parameter that may be any number.
        checked: see `register`.

    Raises:
        SettingError: the name is taken, or the function takes other parameters.
    """

    def decorate(function: Callable) -> Callable:
        given = {key: _as_parameter(value) for key, value in (parameters or {}).items()}
        wanted = ["entity", "now", "parameters"] if given else ["entity", "now"]
        if list(inspect.signature(function).parameters) != wanted:
            allowed = f"a function of ({', '.join(wanted)})"
            raise SettingError("claim", function.__name__, allowed, "name its arguments so")
        inner = numba.njit(function)  # no disk cache: a function typed at the prompt has no file

        def alone(my, entity):  # type: ignore[no-untyped-def]
            return inner(entity, my.now), 0.0

        def with_parameters(my, entity):  # type: ignore[no-untyped-def]
            return inner(entity, my.now, my.parameters), 0.0

        full = with_parameters if given else alone
        full.__name__ = function.__name__  # for errors
        card = Policy(
            name=name,
            summary=summary or (inspect.getdoc(function) or "a claim").partition("\n")[0],
            on_cores="as it says",
            on_frames="as it says",
            reads="entity, now",
            source=_where(function),
            origin=_where(function),
            claim=numba.njit(full),
            parameters=given,
            needs_future=needs_future,
            checked=checked,
        )
        register(card)
        function.sos_policy = card  # type: ignore[attr-defined]
        return function

    return decorate


def _as_parameter(value: Parameter | int | float) -> Parameter:
    if isinstance(value, Parameter):
        return value
    return Parameter(
        float(number_in("parameter", value, -math.inf, whole=False)), "", -math.inf, math.inf, "more of it"
    )


def _where(function: Callable) -> str:
    return f"{function.__module__}.{function.__qualname__}"
