"""Policies by name and alias, and the decorator that adds one in a line.

A policy of the package is found where its card stands: any module in the rooms beside this file.
"""

import copyreg
import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numba

from sos_gym.policy.contract import Policy
from sos_gym.settings.ranges import SettingError, did_you_mean
from sos_gym.settings.written import parts_of


def discovered(paths: Sequence[str], prefix: str) -> Iterator[Policy]:
    """Every policy that a module in these folders, or below, defines."""
    for module in pkgutil.walk_packages(paths, prefix):
        yield from (value for value in vars(importlib.import_module(module.name)).values() if isinstance(value, Policy))


_FOUND = {policy.name: policy for policy in discovered([str(Path(__file__).parent)], f"{__package__}.")}
_POLICIES: dict[str, Policy] = {name: policy for name, policy in _FOUND.items() if not policy.needs_forecast}
_APART: dict[str, Policy] = {name: policy for name, policy in _FOUND.items() if policy.needs_forecast}  # see `policies`


def _reduced(policy: Policy) -> tuple:
    """A policy of the package is pickled by name; kernels of others travel with them, and are compiled again."""
    found = _FOUND.get(policy.name)
    fields = [field.name for field in dataclasses.fields(policy) if field.name != "values"]
    if found is not None and all(getattr(policy, name) is getattr(found, name) for name in fields):
        return _found_again, (policy.name, dict(policy.values))
    return object.__reduce_ex__(policy, 2)  # type: ignore[return-value]


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
    return {alias: policy.name for policy in _POLICIES.values() for alias in (policy.name, *policy.aliases)}


def policy_named(name: str) -> Policy:
    """The policy of a name or alias, with parameters if they follow: "s3fifo(small=0.2)".

    Raises:
        SettingError: unknown; with did-you-mean.
    """
    names = _names()
    plain, parameters = parts_of("policy", name, "s3fifo(small=0.2)")
    if plain.lower() in _APART:
        return _APART[plain.lower()].with_values(parameters)
    if plain.lower() not in names:
        remedy = did_you_mean(plain, names) or "see `sos-gym policies`"
        raise SettingError("policy", name, "a registered policy or alias", remedy)
    return _POLICIES[names[plain.lower()]].with_values(parameters)


def claim(name: str, summary: str, needs_future: bool = False) -> Callable[[Callable], Callable]:
    """Register a policy that is one claim: a function of `(entity, now)` that returns a number.

    The entity is a record of `resource.ENTITY`. ADMIT takes the strongest claim, EVICT the weakest. Compiled on
    first use.

    Raises:
        SettingError: the name is taken, or the function does not take `(entity, now)`.
    """

    def register(function: Callable) -> Callable:
        if name in _names() and getattr(_POLICIES.get(name), "source", "") != _where(function):
            raise SettingError("name", name, "a name that is not taken", "choose another one")
        if list(inspect.signature(function).parameters) != ["entity", "now"]:
            raise SettingError("claim", function.__name__, "a function of (entity, now)", "name its arguments so")
        inner = numba.njit(function)  # no disk cache: a function typed at the prompt has no file

        @numba.njit
        def full(my, entity):  # type: ignore[no-untyped-def]
            return float(inner(entity, my.now)), 0.0

        _POLICIES[name] = Policy(
            name=name,
            summary=summary,
            on_cores="as it says",
            on_frames="as it says",
            reads="entity, now",
            source=_where(function),
            claim=full,
            needs_future=needs_future,
        )
        return function

    return register


def _where(function: Callable) -> str:
    return f"{function.__module__}.{function.__qualname__}"
