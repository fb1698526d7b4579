"""Policies by name and alias, and the decorator that adds one in a line."""

import difflib
import inspect
import re
from collections.abc import Callable

import numba

from sos_gym.policy.across import crossing
from sos_gym.policy.across.guard import GUARD
from sos_gym.policy.books.placement import NEAREST
from sos_gym.policy.contract import Policy
from sos_gym.policy.counts.ageing import AGEING
from sos_gym.policy.counts.cacheus import CACHEUS
from sos_gym.policy.counts.hyperbolic import HYPERBOLIC
from sos_gym.policy.counts.lecar import LECAR
from sos_gym.policy.counts.lhd import LHD
from sos_gym.policy.counts.lruk import LRUK
from sos_gym.policy.counts.tinylfu import TINYLFU
from sos_gym.policy.lists.arc import ARC
from sos_gym.policy.lists.clockpro import CLOCKPRO
from sos_gym.policy.lists.lirs import LIRS
from sos_gym.policy.lists.mru import MRU
from sos_gym.policy.lists.recency import RECENCY
from sos_gym.policy.lists.s3fifo import S3FIFO
from sos_gym.policy.lists.second_chance import SECOND_CHANCE
from sos_gym.policy.lists.sieve import SIEVE
from sos_gym.policy.lists.slru import SLRU
from sos_gym.policy.lists.turns import TURNS
from sos_gym.policy.lists.twoq import TWOQ
from sos_gym.policy.oracles.clairvoyant import CLAIRVOYANT
from sos_gym.policy.oracles.edf import EDF
from sos_gym.policy.oracles.informed import INFORMED
from sos_gym.policy.shares.eevdf import EEVDF
from sos_gym.policy.shares.fair_share import FAIR_SHARE
from sos_gym.policy.shares.owner_share import OWNER_SHARE
from sos_gym.policy.shares.stride import STRIDE
from sos_gym.policy.times import claims
from sos_gym.policy.times.attained import ATTAINED
from sos_gym.policy.times.ladder import LADDER
from sos_gym.policy.times.shortest import SHORTEST
from sos_gym.settings.ranges import SettingError

_BUILT_IN = (
    *(TURNS, RECENCY, *claims.POLICIES, CLAIRVOYANT, FAIR_SHARE, SECOND_CHANCE),
    *(MRU, SIEVE, S3FIFO, SLRU, TWOQ),
    *(ARC, LRUK, LIRS, CLOCKPRO, TINYLFU),
    *(AGEING, HYPERBOLIC, LECAR, CACHEUS, LHD),
    *(LADDER, EEVDF, STRIDE, EDF, SHORTEST, ATTAINED, OWNER_SHARE),
    *(*crossing.POLICIES, GUARD, NEAREST),  # these see across
)
_POLICIES: dict[str, Policy] = {policy.name: policy for policy in _BUILT_IN}
_APART: dict[str, Policy] = {INFORMED.name: INFORMED}  # by name only: it does not run on every tape


def policies() -> dict[str, Policy]:
    """All policies by their canonical name; each is its own card."""
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
    plain, parameters = _parts(name)
    if plain.lower() in _APART:
        return _APART[plain.lower()].with_values(parameters)
    if plain.lower() not in names:
        near = difflib.get_close_matches(plain, names, 1)
        remedy = f"did you mean {near[0]!r}?" if near else "see `sos-gym policies`"
        raise SettingError("policy", name, "a registered policy or alias", remedy)
    return _POLICIES[names[plain.lower()]].with_values(parameters)


def _parts(spec: str) -> tuple[str, dict[str, int | float]]:
    """s3fifo(small=0.2) is ("s3fifo", {"small": 0.2})."""
    written = re.fullmatch(r"\s*([^()]*?)\s*(?:\((.*)\))?\s*", str(spec))
    allowed, remedy = "a name, or name(parameter=number, ...)", "write for example s3fifo(small=0.2)"
    if not isinstance(spec, str) or not written:
        raise SettingError("policy", spec, allowed, remedy)
    parameters: dict[str, int | float] = {}
    for part in filter(None, (part.strip() for part in (written[2] or "").split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        try:
            parameters[name] = int(value) if re.fullmatch(r"[-+]?\d+", value) else float(value)
        except ValueError:
            raise SettingError("policy", spec, allowed, remedy) from None
    return written[1], parameters


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
        def full(my, entity, now, number):  # type: ignore[no-untyped-def]
            return float(inner(entity, now)), 0.0

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
