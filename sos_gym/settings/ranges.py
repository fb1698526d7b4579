"""Declare a number on one line: default, unit, range, meaning. And say what was meant by a word that is unknown."""

import copyreg
import dataclasses
import difflib
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class SettingError(ValueError):
    """A setting that makes no sense; the text names it, its value, what is allowed and the remedy."""

    def __init__(self, name: str, value: object, allowed: str, remedy: str):
        super().__init__(f"{name}={value!r} is not allowed: it must be {allowed}; {remedy}")

    def __reduce__(self) -> tuple:
        """From its text: a process that cannot read an error of its worker waits for ever."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class UnknownSetting(SettingError, TypeError):
    """A keyword that nothing has. Gymnasium raises a TypeError for one, whose text some libraries look for."""

    def __init__(self, name: str, value: object = None, remedy: str = ""):
        if remedy:
            super().__init__(name, value, "a known setting", remedy)
            self.args = (f"{self.args[0]} (got an unexpected keyword argument {name!r})",)
        else:  # Gymnasium raises it again, with more text
            self.args = (name,)


def did_you_mean(
    word: object, known: Iterable[str], likeness: float = 0.6, shown: Mapping[str, str] | None = None
) -> str:
    """The nearest known word as a question; "" if none is near.

    `likeness`: 0..1, how near it must be. `shown`: what to call a known word, where that is not the word itself.
    """
    near = difflib.get_close_matches(str(word), list(known), 1, likeness)
    return f"did you mean {(shown or {}).get(near[0], near[0])!r}?" if near else ""


def number_in(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    whole: bool = True,
    exact: bool = False,
    unit: str = "",
    allowed: str = "",
    remedy: str = "",
) -> Any:
    """`value` as an int (a float unless `whole`) if it is a finite number in low..high.

    A whole number may come as a float, 8.0, unless `exact`. The error says what is `allowed`, by default `range_text`,
    and the `remedy`, by default what follows from the fault.

    Raises:
        SettingError: no number, not finite, not whole, or out of range.
    """
    if not _is_number(value, numbers.Integral if exact else numbers.Real):
        fault = "pass a finite number"
    elif whole and int(value) != value:
        fault = "pass a whole number"
    elif not low <= value <= high:
        fault = "choose a value in that range"
    else:
        return int(value) if whole else float(value)
    raise SettingError(name, value, allowed or range_text(low, high, whole, unit), remedy or fault)


def listed(name: str, value: Any, of: str) -> tuple[Any, ...]:
    """What an iterable has, such as a list or a generator; a text, a mapping or something else is none.

    Raises:
        SettingError: it is none; says that it must be a sequence `of` what.
    """
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise SettingError(name, value, f"a sequence of {of}", "pass [...], or leave it out")
    return tuple(value)


def range_text(low: float, high: float, whole: bool = True, unit: str = "") -> str:
    """What a number may be, as errors and help say it: a whole number from 1 to 9 pages."""
    return f"{'a whole number' if whole else 'a number'} from {low} to {high}{f' {unit}' if unit else ''}"


def _is_number(value: Any, kind: type) -> bool:
    """Whether it is one of that kind, finite; a bool is none."""
    number = isinstance(value, kind) and not isinstance(value, bool)
    return number and (isinstance(value, numbers.Integral) or math.isfinite(value))  # no float holds every int


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A number that a workload family or a policy takes; it is an integer if its default is one."""

    default: int | float
    unit: str  # "" = a pure number
    low: int | float
    high: int | float
    effect: str  # of more of it
    ood: tuple[int | float, int | float] | None = None  # where the split "ood" draws it, away from the default

    def accept(self, name: str, value: Any) -> int | float:
        """`value` as this parameter's type.

        Raises:
            SettingError: not a number, or out of range.
        """
        if type(value) is type(self.default) and self.low <= value <= self.high:
            return value  # the most frequent case, at once
        whole, remedy = isinstance(self.default, int), f"the default is {self.default}"
        return number_in(name, value, self.low, self.high, whole=whole, unit=self.unit, remedy=remedy)


def setting(
    default: Any,
    unit: str,
    low: float | None = None,
    high: float | None = None,
    help: str = "",
    choices: Sequence[str] = (),
    cost: bool = False,
    many: bool = False,
    optional: bool = False,
) -> Any:
    """A dataclass field whose value is checked: a number in [low, high], one of `choices`, or free.

    `many` allows a sequence too; `optional` and a default of None allow None; `cost` lets `cost_scale` randomise it.
    """
    whole = not isinstance(default, float)
    allowed = f"{'an integer' if whole else 'a number'} in [{low}, {high}]"

    def accept(name: str, value: Any) -> Any:
        if value is None and (optional or default is None):
            return None
        if choices:
            if value not in choices:
                raise SettingError(name, value, "one of " + ", ".join(choices), "choose one of these")
            return value
        if isinstance(default, bool) and not isinstance(value, bool):
            raise SettingError(name, value, "True or False", "pass a bool")
        if low is None or (many and isinstance(value, Sequence) and not isinstance(value, str)):
            return value
        return number_in(name, value, low, math.inf if high is None else high, whole=whole, allowed=allowed)

    metadata = {"unit": unit, "low": low, "high": high, "help": help, "choices": choices, "cost": cost}
    return dataclasses.field(default=default, metadata={**metadata, "accept": accept})
