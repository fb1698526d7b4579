"""Policies in plain Python: slow, and open to a debugger.

The engine calls a plain policy by the same guards as a compiled one (engine/guards.py), by way of ctypes, and shows it
the same records. What differs is where a policy keeps its own: in attributes of its object.
"""

import ctypes
import inspect
import operator
import types as python
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, overload

import numpy as np

from sos_gym.engine.guards import Fault
from sos_gym.engine.hosts import Host, mind_of
from sos_gym.engine.records import PARTS, POLICY
from sos_gym.engine.uses import look
from sos_gym.kernel import address_of, kernel
from sos_gym.policy.contract import Policy
from sos_gym.policy.hosting import SIGNATURES, refuse_unable
from sos_gym.resource import ENTITY, Resource
from sos_gym.settings.ranges import Parameter, SettingError

SEEN: tuple[str, ...] = ("now", "number", "why", "use_is_credit", "slots_count", "capacity", "seed")
SEEN += ("first_slot", "first_entity", "entities_count")


class PlainPolicy:
    """A policy in pure Python: a class with the verbs that it cares about, and at least a `claim` or a `pick`.

    `want`, `hold`, `move`, `use`, `cool`, `release`, each (self, my, e); `pick(self, my, decision)` returns a
    contender; `claim(self, my, entity)` a number, or two of which the second breaks ties. They are told and asked what
    compiled policies are, see sos_gym/policy/contract.py, and `my` has the same names, read only; numbers are Python's.

    Of each episode there is one object per resource, made without arguments, then `start()` is called. Both have
    `resource`, `parameters` and `shared`, where the two may leave each other what they like. All that they keep is
    copied with the episode.

    Class attributes: `name` (default: that of the class, in lower case), `summary` (default: the first line of the
    docstring), `aliases`, `parameters` (name -> Parameter), `needs_future`, `idles`, `looks`, `decision_ns`, and what
    else a `Policy` card says.

    Example:
        class Lru(sos_gym.PlainPolicy):
            def claim(self, my, entity):
                return entity.use_seq

        sos_gym.evaluate("sos/Memory-v0", Lru)
    """

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    needs_future: ClassVar[bool] = False
    idles: ClassVar[bool] = False
    looks: ClassVar[bool] = True
    fast_only: ClassVar[bool] = False
    decision_ns: ClassVar[int | None] = None
    on_cores: ClassVar[str] = "as it says"
    on_frames: ClassVar[str] = "as it says"
    reads: ClassVar[str] = "as it says"

    resource: Resource
    parameters: Any = {}  # noqa: RUF012  # of the class: name -> Parameter; of an object: a namespace of their values
    shared: python.SimpleNamespace

    def start(self) -> None:
        """Called before an episode begins; there is nothing to see yet."""


class Mind:
    """A plain policy on one resource of one episode, as the engine has it: what it sees, and what ended it."""

    def __init__(self, player: PlainPolicy):
        self.player = player
        self.view: View | None = None  # `my`
        self.mistake: BaseException | None = None

    @property
    def kind(self) -> type[PlainPolicy]:
        return type(self.player)

    def see(self, record: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        """Show it the POLICY record (1,) and the tables that `my` has."""
        self.view = View(record, arrays, self.player.parameters)

    def __getstate__(self) -> dict[str, Any]:
        """What it keeps alone: a copy is shown its own episode."""
        return {"player": self.player, "view": None, "mistake": None}


def is_plain(given: Any) -> bool:
    return isinstance(given, type) and issubclass(given, PlainPolicy)


@dataclass(frozen=True, repr=False)
class PlainCard(Policy):
    """The card of a plain policy."""

    player: type[PlainPolicy] = PlainPolicy

    def refuse_misfits(self) -> None:
        """Refuse a class that cannot choose, or a verb of other parameters.

        Raises:
            SettingError: names it.
        """
        for part in _parts_of(self.player):
            own = inspect.signature(getattr(self.player, part))
            if len(own.parameters) != 3:
                second = {"claim": "entity", "pick": "decision"}.get(part, "e")
                place = f"{part} of policy {self.name!r}"
                raise SettingError(place, str(own), f"a method (self, my, {second})", "give it these parameters")
        refuse_unable(self.name, _parts_of(self.player))

    def host(self) -> Host:
        """The policy as the engine takes it."""
        parts = tuple(_address(part, _parts_of(self.player), self.default_pick) for part in PARTS)
        asked = ("needs_list", "needs_future", "needs_forecast", "looks", "fast_only")
        needs = {name: getattr(self, name) for name in asked}
        return Host(self.name, (parts, parts), **needs, guarded=True, minds=self.minds, policy=self)

    def minds(self) -> tuple[Mind, Mind]:
        """Those of an episode, one per resource."""
        shared, players = python.SimpleNamespace(), (self.player(), self.player())
        for resource, player in zip(Resource, players, strict=True):
            values = {name: self.values.get(name, given.default) for name, given in self.parameters.items()}
            player.resource, player.parameters, player.shared = resource, python.SimpleNamespace(**values), shared
            player.start()
        return Mind(players[0]), Mind(players[1])


class _Unasked(PlainCard):
    """The card of one that only listens."""

    def refuse_misfits(self) -> None:
        """It need not choose."""

    def host(self) -> Host:
        """It as the engine takes it."""
        return listener(self.player)


def listener(player: type[PlainPolicy]) -> Host:
    """A host that hears what policies hear, and is not asked: give its verbs to a scenario's `listeners`."""
    given = {part for part in PARTS if callable(getattr(player, part, None))}
    parts = tuple(0 if part == "pick" else _address(part, given, lambda: 0) for part in PARTS)
    card = _Unasked(name=player.__name__, summary="", on_cores="", on_frames="", reads="", source="", player=player)
    return Host(player.__name__, (parts, parts), guarded=True, minds=card.minds, listens=True, policy=card)


def card_of(player: type[PlainPolicy]) -> PlainCard:
    """The card that a class says of itself."""
    said = ("aliases", "needs_future", "idles", "looks", "fast_only", "decision_ns", "on_cores", "on_frames", "reads")
    return PlainCard(
        name=player.name or player.__name__.lower(),
        summary=player.summary or (inspect.getdoc(player) or "a plain policy").partition("\n")[0],
        source=f"{player.__module__}.{player.__qualname__}",
        origin=f"{player.__module__}.{player.__qualname__}",
        parameters=_accepted(player),
        player=player,
        **{name: getattr(player, name) for name in said},
    )


def _accepted(player: type[PlainPolicy]) -> Mapping[str, Parameter]:
    for name, given in player.parameters.items():
        if not isinstance(given, Parameter):
            allowed = "a Parameter of sos_gym.policy.words"
            raise SettingError(f"parameters[{name!r}] of {player.__name__}", given, allowed, "declare its range too")
    return player.parameters


def _parts_of(player: type[PlainPolicy]) -> set[str]:
    """The parts that the class gives."""
    return {part for part in PARTS if part not in ("rank", "victim") and callable(getattr(player, part, None))}


def _address(part: str, given: set[str], default_pick: Callable) -> int:
    if part == "rank":
        part = "claim"
    if part in given:
        return ctypes.cast(_CALLED[part], ctypes.c_void_p).value or 0
    return address_of(default_pick, SIGNATURES["pick"]) if part == "pick" else 0


# -- called by machine code: status = f(result, error, my, what), numba.core.callconv.CPUCallConv


def _calling(part: str, argument: type, shown: Callable, returned: Callable) -> Any:
    """A C function that calls the method `part` of the policy that `my` belongs to."""

    def call(result: int, _: int, my: int, given: int) -> int:
        mind = mind_of(ctypes.c_int64.from_address(my + _MIND_AT).value)
        try:
            returned(result, getattr(mind.player, part)(mind.view, shown(mind.view, given)))
        except BaseException as error:  # of any kind: machine code cannot be left by an exception
            mind.mistake = error
            return Fault.PLAIN
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, argument)
    return kind(call)


_MIND_AT = POLICY.fields["mind_at"][1]  # type: ignore[index]


def _nothing(result: int, value: Any) -> None:
    if value is not None:
        raise TypeError(f"a verb returns nothing, not {value!r}")


def _integer(result: int, value: Any) -> None:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"a pick returns a contender, an int, not {value!r}") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"a pick returns a contender, which {number} is not")
    ctypes.c_int64.from_address(result).value = number


def _two_numbers(result: int, value: Any) -> None:
    try:
        first, second = value if isinstance(value, tuple) else (value, 0.0)
        (ctypes.c_double * 2).from_address(result)[:] = [float(first), float(second)]
    except (TypeError, ValueError):
        raise TypeError(f"a claim returns a number, or two, not {value!r}") from None


_CALLED = {
    part: _calling(part, ctypes.c_int64, lambda view, e: e, _nothing)
    for part in PARTS
    if part not in ("pick", "claim", "rank", "victim")
}
_CALLED["pick"] = _calling("pick", ctypes.c_void_p, lambda view, at: view.decision[0], _integer)
_CALLED["claim"] = _calling("claim", ctypes.c_void_p, lambda view, at: view.entity(at), _two_numbers)


# -- what it sees


@kernel
def _look(policies, e):
    return look(policies[0], e)


class Record:
    """A record, read only; its fields are Python's numbers."""

    __slots__ = ("_columns", "_place")

    def __init__(self, columns: Mapping[str, np.ndarray], place: int):
        object.__setattr__(self, "_columns", columns)
        object.__setattr__(self, "_place", place)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._columns[name].item(self._place)
        except KeyError:
            raise AttributeError(f"a record has no field {name!r}; it has {', '.join(self._columns)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} is read only: keep what is your own in attributes of your policy")

    def __reduce__(self) -> tuple:
        raise TypeError("a record of the engine cannot be copied: keep the number of an entity, not its record")

    def __repr__(self) -> str:
        return f"Record({', '.join(f'{name}={getattr(self, name)}' for name in self._columns)})"


class Rows:
    """Records or numbers in a row, read only; an index counts from 0, as in compiled policies."""

    def __init__(self, array: np.ndarray):
        self._array, self.size = array, len(array)
        self._columns = {name: array[name] for name in array.dtype.names or ()}

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(self.size))]
        if not 0 <= operator.index(place) < self.size:
            raise IndexError(f"index {place} must be in 0..{self.size - 1}; -1 may be NONE: test for it first")
        return Record(self._columns, place) if self._columns else self._array.item(place)

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(self.size))

    def __reduce__(self) -> tuple:
        raise TypeError("a table of the engine cannot be copied: keep the numbers that you need of it")


class View:
    """What a policy sees of the engine: `my`."""

    entities: Rows
    owners: Rows
    slots: Rows
    contenders: Rows

    def __init__(self, record: np.ndarray, arrays: Mapping[str, np.ndarray], parameters: Any):
        self._records = record
        self._record, self.parameters = Record({name: record[name] for name in SEEN}, 0), parameters
        self._first_entity = arrays["entities"].ctypes.data
        for name, array in arrays.items():
            setattr(self, name, Rows(array))

    def __getattr__(self, name: str) -> Any:
        if name not in SEEN:
            tables = ", ".join(name for name in vars(self) if name[0] != "_")
            raise AttributeError(f"my has no {name!r}; it has {', '.join(SEEN)}, {tables}")
        return getattr(self._record, name)

    def look(self, e: int) -> bool:
        """`look(my, e)` of sos_gym.policy.words: whether page `e` was used since its accessed bit was last read."""
        return bool(_look(self._records, operator.index(e)))

    def entity(self, at: int) -> Record:
        """The ENTITY record at an address."""
        return self.entities[(at - self._first_entity) // ENTITY.itemsize]

    def __reduce__(self) -> tuple:
        raise TypeError("`my` cannot be copied: keep the numbers that you need of it")
