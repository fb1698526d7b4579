"""Declare a number on one line: default, unit, range, meaning."""

import dataclasses
import difflib
import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


class SettingError(ValueError):
    """A setting that makes no sense; the text names it, its value, what is allowed and the remedy."""

    def __init__(self, name: str, value: object, allowed: str, remedy: str):
        super().__init__(f"{name}={value!r} is not allowed: it must be {allowed}; {remedy}")


def did_you_mean(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The remedy for a misspelt name: "did you mean 'sieve'?"; nothing where no name is near."""
    near = difflib.get_close_matches(str(word), list(known), 1, cutoff)
    return f"did you mean {near[0]!r}?" if near else ""


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
        kind = type(self.default)
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high or value != kind(value):
            numbers_from = "a whole number" if kind is int else "a number"
            allowed = f"{numbers_from} from {self.low} to {self.high}{f' {self.unit}' if self.unit else ''}"
            raise SettingError(name, value, allowed, f"the default is {self.default}")
        return kind(value)


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
        return _number(name, value, low, high, isinstance(default, float))

    metadata = {"unit": unit, "low": low, "high": high, "help": help, "choices": choices, "cost": cost}
    return dataclasses.field(default=default, metadata={**metadata, "accept": accept})


def _number(name: str, value: Any, low: float, high: float | None, real: bool) -> float | int:
    allowed = f"{'a number' if real else 'an integer'} in [{low}, {high}]"
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise SettingError(name, value, allowed, "pass a finite number")
    number = float(value)
    if not real and number != int(number):
        raise SettingError(name, value, allowed, "pass a whole number")
    if number < low or (high is not None and number > high):
        raise SettingError(name, value, allowed, "choose a value in that range")
    return number if real else int(number)
