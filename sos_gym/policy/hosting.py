"""From a policy's card to what the engine hosts: its kernels compiled, checked if it is from outside."""

import inspect
from collections.abc import Callable, Set
from functools import cache
from typing import Any

from numba import types
from numba.core.dispatcher import Dispatcher

from sos_gym.engine.hosts import Host
from sos_gym.engine.mistakes import PolicyError
from sos_gym.engine.records import CLAIM_SIGNATURE, PARTS, PICK_SIGNATURE, VERB_SIGNATURE
from sos_gym.kernel import address_of
from sos_gym.kernel.checked import checked
from sos_gym.kernel.refusals import reason_of
from sos_gym.policy.kept import rooms_of, type_of
from sos_gym.resource import Resource
from sos_gym.settings.ranges import SettingError

SIGNATURES = dict.fromkeys(PARTS, VERB_SIGNATURE)
SIGNATURES |= {"pick": PICK_SIGNATURE, "victim": PICK_SIGNATURE, "claim": CLAIM_SIGNATURE, "rank": CLAIM_SIGNATURE}
PARAMETERS = dict.fromkeys(PARTS, "(my, e)")
PARAMETERS |= dict.fromkeys(("pick", "victim"), "(my, decision)") | dict.fromkeys(("claim", "rank"), "(my, entity)")


def host_of(policy: Any) -> Host:
    """A `contract.Policy` as the engine takes it; compiles its kernels when the disk cache has none.

    Raises:
        PolicyError: a kernel cannot be compiled; the text says why.
    """
    rooms = rooms_of(policy)
    my = type_of(rooms)
    return Host(
        name=policy.name,
        parts=(_parts(policy, Resource.MEMORY, my), _parts(policy, Resource.CPU, my)),
        rooms=rooms,
        queues=policy.queues,
        links=policy.links,
        needs_list=policy.needs_list,
        needs_future=policy.needs_future,
        needs_forecast=policy.needs_forecast,
        looks=policy.looks,
        fast_only=policy.fast_only,
        guarded=policy.checked,
        policy=policy,
    )


def refuse_misfits(policy: Any) -> None:
    """Refuse parts that are no kernels, or take other parameters, and a policy that cannot choose.

    Raises:
        SettingError: names the part.
    """
    for part in PARTS:
        for resource in Resource:
            kernel = _given(policy, part, resource)
            if kernel is not None:
                _refuse_misfit(f"{part} of policy {policy.name!r}", kernel, PARAMETERS[part])
    refuse_unable(policy.name, {part for part in PARTS if getattr(policy, part) is not None})


def refuse_unable(name: str, parts: Set[str]) -> None:
    """Refuse a policy that cannot choose, by the parts that it gives.

    Raises:
        SettingError: it has neither a claim nor a pick.
    """
    if not parts & {"claim", "pick"}:
        allowed = "a policy with a claim, or with a pick of its own"
        raise SettingError("policy", name, allowed, "give it one of the two: without, it cannot choose")


def _refuse_misfit(place: str, kernel: Any, parameters: str) -> None:
    if not isinstance(kernel, Dispatcher):
        remedy = "put @kernel of sos_gym.policy.words above it; uncompiled Python is a sos_gym.PlainPolicy"
        raise SettingError(place, kernel, f"a compiled kernel {parameters}", remedy)
    own = inspect.signature(kernel.py_func)
    if len(own.parameters) != 2:
        raise SettingError(place, str(own), f"a kernel of two parameters, {parameters}", "give it these")


def _given(policy: Any, part: str, resource: Resource) -> Callable | None:
    given = getattr(policy, part)
    return given.on(resource) if hasattr(given, "on") else given


def _parts(policy: Any, resource: Resource, my: Any) -> tuple[int, ...]:
    """Addresses in the order of PARTS."""
    instead = {"pick": policy.default_pick, "rank": _given(policy, "claim", resource)}
    return tuple(_compiled(policy, part, _given(policy, part, resource) or instead.get(part), my) for part in PARTS)


def _compiled(policy: Any, part: str, kernel: Any, my: Any) -> int:
    """The address of a part, 0 for none; of a checked policy's own kernels the twin's."""
    if kernel is None:
        return 0
    signature = SIGNATURES[part]
    signature = signature.return_type(my, *signature.args[1:])
    try:
        if policy.checked and kernel is not policy.default_pick:  # which is ours, and behind a guard
            kernel = _checked(policy, part, kernel, signature)
        return address_of(kernel, signature)
    except PolicyError:
        raise
    except Exception as error:  # Numba's own, or what its parts raise on code that they did not expect
        place = f"{kernel.py_func.__name__}{inspect.signature(kernel.py_func)}"
        raise PolicyError(f"policy {policy.name!r}, {part}: {place} does not compile: {reason_of(error)}") from error


def _checked(policy: Any, part: str, kernel: Any, signature: Any) -> Any:
    """Its twin, which returns what the signature says without loss.

    Raises:
        PolicyError: it returns something else: a pick no integer, a claim not two numbers.
    """
    twin = checked(kernel)
    twin.compile(signature.args)
    compiled: Any = twin.overloads[signature.args]
    returned = compiled.signature.return_type
    if returned == signature.return_type:
        return twin
    if not _fits(returned, signature.return_type):
        raise PolicyError(
            f"policy {policy.name!r}, {part}: it returns {returned}, where {_WANTED[signature.return_type]} must be; "
            "see the contract in sos_gym/policy/contract.py"
        )
    return _converting(kernel)


@cache
def _converting(kernel: Any) -> Any:
    """Another twin: what is compiled for its natural return type cannot be for the signature's."""
    return checked.__wrapped__(kernel)


_WANTED = {
    types.void: "nothing",
    types.int64: "an entity's number, or -1 - a vacant slot, as an integer",
    CLAIM_SIGNATURE.return_type: "two numbers, (claim, tie breaker),",
}


def _fits(returned: Any, wanted: Any) -> bool:
    """Whether a value of one type becomes one of the other without loss."""
    if wanted == types.int64:
        return isinstance(returned, (types.Integer, types.IntEnumMember))
    if wanted == types.void or not isinstance(returned, types.BaseTuple):
        return False
    numbers = [isinstance(one, (types.Integer, types.Float, types.Boolean)) for one in list(returned)]  # type: ignore[call-overload]
    return len(numbers) == 2 and all(numbers)
