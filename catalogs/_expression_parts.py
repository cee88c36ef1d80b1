"""What the operations of a condition give, and how such parts are joined."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import numpy as np

from catalogs import _arithmetic as arithmetic
from catalogs._arithmetic import Numbers
from catalogs.exact import ColumnKind, ExactValues, Wanted

Values = Mapping[Wanted, ExactValues]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Part:
    """What an operation gives: numbers, texts, where a condition holds and where it fails.

    A logical column is a condition and a number, so that it can stand alone or be compared.
    """

    numbers: Callable[[Values], Numbers] | None = None
    is_whole: bool = False
    texts: Callable[[Values], ExactValues] | None = None
    holds: Callable[[Values], np.ndarray] | None = None
    fails: Callable[[Values], np.ndarray] | None = None
    constant: Any = None


def required(function: _Function | None) -> _Function:
    """Return what a part gives, where a check before has made sure that it gives it.

    Raises
    ------
    TypeError
        If the check was forgotten.
    """
    if function is None:
        raise TypeError("the part does not give this")
    return function


def constant_part(value: int | float) -> Part:
    """Return a number that is the same in all rows."""
    number = arithmetic.constant(value)
    return Part(numbers=lambda values: number, is_whole=number.is_whole, constant=number)


def truth(value: bool) -> Part:
    """Return True or False."""
    number = arithmetic.constant(int(value))
    return logical(lambda values: number)


def logical(numbers: Callable[[Values], Numbers]) -> Part:
    """Return a condition of numbers that are 0 or 1."""
    zero = arithmetic.constant(0)
    return Part(
        numbers=numbers,
        is_whole=True,
        holds=lambda values: arithmetic.compare(np.not_equal, numbers(values), zero),
        fails=lambda values: arithmetic.compare(np.equal, numbers(values), zero),
    )


def opposite(part: Part) -> Part:
    """Return the condition that holds where another fails."""
    return Part(holds=part.fails, fails=part.holds)


def joined(parts: list[Part], both: bool) -> Part:
    """Join conditions.

    Parameters
    ----------
    parts : list of Part
    both : bool
        By ``and``; else by ``or``.

    Returns
    -------
    Part
        A condition.
    """

    def combined(join, steps):
        def compute(values):
            return reduce(join, (step(values) for step in steps))

        return compute

    holds, fails = [part.holds for part in parts], [part.fails for part in parts]
    every, some = np.logical_and, np.logical_or
    return Part(
        holds=combined(every if both else some, holds),
        fails=combined(some if both else every, fails),
    )


def is_missing(part: Part) -> Part:
    """Return whether a value is missing, or a condition neither true nor false."""

    def missing(values):
        if part.numbers is not None:
            return part.numbers(values).where_missing()
        if part.texts is not None:
            text = part.texts(values)
            return np.zeros(text.data.shape, np.bool_) if text.missing is None else text.missing
        return ~(required(part.holds)(values) | required(part.fails)(values))

    return Part(holds=missing, fails=lambda values: ~missing(values))


def tested(name: str, numbers: Callable[[Values], Numbers]) -> Part:
    """Return a test of numbers; a missing value is not finite, and NaN.

    Parameters
    ----------
    name : str
        ``isfinite`` or ``isnan``.
    numbers : callable

    Returns
    -------
    Part
        A condition, true or false in every row.
    """

    def holds(values):
        number = numbers(values)
        if name == "isnan":
            return number.where_missing()
        finite = np.isfinite(number.data) if not number.is_whole else np.True_
        return finite & ~number.where_missing()

    return Part(holds=holds, fails=lambda values: ~holds(values))


def text_equal(one, other, same: bool, values: Values) -> np.ndarray:
    """Return where two texts are the same, or differ; never where one is missing.

    Parameters
    ----------
    one, other : callable
        Give the texts of values.
    same : bool
    values : mapping

    Returns
    -------
    array of bool
    """
    left, right = one(values), other(values)
    datas = [left.data, right.data]
    if any(data.dtype == object for data in datas):
        datas = [data.astype(object) for data in datas]
    result = np.asarray(np.equal(*datas), np.bool_)
    result = result if same else ~result
    for text in (left, right):
        if text.missing is not None:
            result = result & ~text.missing
    return result


def one_of_texts(texts: Callable[[Values], ExactValues], wanted: set[str]) -> Part:
    """Return whether texts are among some.

    Parameters
    ----------
    texts : callable
    wanted : set of str

    Returns
    -------
    Part
        A condition; neither true nor false where a text is missing.
    """

    def among(values, same):
        text = texts(values)
        matches = np.array([value in wanted for value in text.data.reshape(-1).tolist()], np.bool_)
        matches = matches.reshape(text.data.shape) == same
        return matches if text.missing is None else matches & ~text.missing

    return Part(holds=lambda v: among(v, True), fails=lambda v: among(v, False))


def one_of_numbers(numbers: Callable[[Values], Numbers], wanted: np.ndarray) -> Part:
    """Return whether whole numbers are among some.

    Parameters
    ----------
    numbers : callable
    wanted : array of int64

    Returns
    -------
    Part
        A condition; neither true nor false where a number is missing.
    """

    def among(values, same):
        number = numbers(values)
        data = number.data
        if data.dtype == object:
            items = set(wanted.tolist())
            matches = np.array([value in items for value in data.reshape(-1).tolist()], np.bool_)
            matches = matches.reshape(data.shape) == same
        else:
            matches = np.isin(data, wanted) == same
        return matches if number.missing is None else matches & ~number.missing

    return Part(holds=lambda v: among(v, True), fails=lambda v: among(v, False))


def several(kind: ColumnKind) -> str:
    """Say how many values a row of a vector column holds."""
    return (
        f"{kind.size} values a row"
        if kind.size is not None and kind.size >= 0
        else "several values a row"
    )


def in_floats(function: Callable, *numbers: Numbers) -> Numbers:
    """Return what a function gives of numbers as float64.

    Parameters
    ----------
    function : callable
    *numbers : Numbers

    Returns
    -------
    Numbers
        float64, NaN where the function gives it.
    """
    return Numbers(np.asarray(function(*(number.floats() for number in numbers)), np.float64))
