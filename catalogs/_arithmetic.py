"""Arithmetic and comparisons in which whole numbers stay exact, whatever their size.

Whole numbers are int64 as long as every result fits, which is known from the smallest and largest
of what goes in; else they are Python's own, as objects. Fractional ones are float64.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MOST_BITS = 1000
"""Length of a whole number; float64 holds those that are shorter, if not exactly."""

_LIMITS = np.iinfo(np.int64)
_EXACT_IN_FLOAT = 1 << 53


class TooLargeError(ArithmeticError):
    """A whole number has more than `MOST_BITS` bits."""


@dataclass(frozen=True)
class Numbers:
    """Numbers and where they are missing.

    Attributes
    ----------
    data : array of float64, int64 or object (int), shape (rows,) or none
    missing : array of bool, or None
        Where there is no value; of float64, NaN says it too.
    """

    data: np.ndarray
    missing: np.ndarray | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether these are whole numbers by their kind."""
        return self.data.dtype.kind != "f"

    def bounds(self) -> tuple[int, int]:
        """Return the smallest and largest of whole numbers; 0 where there are none."""
        if not self.data.size:
            return 0, 0
        return int(self.data.min()), int(self.data.max())

    def floats(self) -> np.ndarray:
        """Return float64, NaN where missing."""
        values = self.data if self.data.dtype == np.float64 else self.data.astype(np.float64)
        return values if self.missing is None else np.where(self.missing, np.nan, values)

    def where_missing(self) -> np.ndarray:
        """Return where there is no value: bool."""
        missing = np.isnan(self.data) if not self.is_whole else np.zeros(self.data.shape, np.bool_)
        return missing if self.missing is None else missing | self.missing


def constant(value: int | float) -> Numbers:
    """Return one number for all rows."""
    if isinstance(value, float):
        return Numbers(np.asarray(value, np.float64))
    return Numbers(_shrunk(np.asarray(value, object)))


def add(one: Numbers, other: Numbers) -> Numbers:
    """Return the sum.

    Parameters
    ----------
    one, other : Numbers
        Of one shape, or one of them a single value.

    Returns
    -------
    Numbers
        Missing where either is; see `Numbers`.
    """
    (a, b), (c, d) = _both_bounds(one, other)
    return _computed(np.add, one, other, (a + c, b + d))


def subtract(one: Numbers, other: Numbers) -> Numbers:
    """Return the difference.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        Missing where either is.
    """
    (a, b), (c, d) = _both_bounds(one, other)
    return _computed(np.subtract, one, other, (a - d, b - c))


def multiply(one: Numbers, other: Numbers) -> Numbers:
    """Return the product.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        Missing where either is.
    """
    (a, b), (c, d) = _both_bounds(one, other)
    return _computed(np.multiply, one, other, (a * c, a * d, b * c, b * d))


def divide(one: Numbers, other: Numbers) -> Numbers:
    """Return the quotient, always float64.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        float64; division by zero gives infinity or NaN.
    """
    return Numbers(np.asarray(np.divide(one.floats(), other.floats())))


def floor_divide(one: Numbers, other: Numbers) -> Numbers:
    """Return the quotient rounded down; missing where whole numbers are divided by 0.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        Missing where either is, or where whole numbers are divided by 0.
    """
    return _divided(np.floor_divide, one, other)


def remainder(one: Numbers, other: Numbers) -> Numbers:
    """Return what is left, with the divisor's sign; missing where whole ones are divided by 0.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        With the sign of the divisor.
    """
    return _divided(np.remainder, one, other)


def power(one: Numbers, other: Numbers) -> Numbers:
    """Return the power: whole if both are and no exponent is negative, else float64.

    Parameters
    ----------
    one, other : Numbers
        Base and exponent, as for `add`.

    Returns
    -------
    Numbers
        Missing where either is.

    Raises
    ------
    TooLargeError
        If a whole one has too many bits.
    """
    whole = one.is_whole and other.is_whole
    if not whole or other.bounds()[0] < 0:
        return Numbers(np.asarray(np.power(one.floats(), other.floats())))
    largest = max(map(abs, one.bounds()))
    size = other.bounds()[1] * largest.bit_length() if largest > 1 else 1
    if size > MOST_BITS:
        raise TooLargeError
    return _computed(np.power, one, other, (-(1 << size), 1 << size))


def negative(of: Numbers) -> Numbers:
    """Return the number with the other sign."""
    if not of.is_whole:
        return Numbers(np.negative(of.data), of.missing)
    return subtract(constant(0), of)


def absolute(of: Numbers) -> Numbers:
    """Return the number without its sign."""
    wide = of.is_whole and of.bounds()[0] == _LIMITS.min
    data = np.abs(of.data.astype(object) if wide else of.data)
    return Numbers(
        np.asarray(data, object) if of.data.dtype == object or wide else data, of.missing
    )


def bitwise(operation: Callable) -> Callable[[Numbers, Numbers], Numbers]:
    """Return an operation on the bits of two whole numbers, negative ones in two's complement."""

    def combined(one: Numbers, other: Numbers) -> Numbers:
        return _computed(operation, one, other, (*one.bounds(), *other.bounds()))

    return combined


def invert(of: Numbers) -> Numbers:
    """Return the whole number with all its bits changed: -x - 1."""
    return Numbers(_shrunk(np.asarray(np.invert(of.data), of.data.dtype)), of.missing)


def shift_left(one: Numbers, other: Numbers) -> Numbers:
    """Return the whole number times a power of two; missing where the shift is negative.

    Parameters
    ----------
    one, other : Numbers
        Whole numbers, and by how many bits they are shifted; as for `add`.

    Returns
    -------
    Numbers
        Whole numbers.

    Raises
    ------
    TooLargeError
        If it has too many bits.
    """
    shift = _not_negative(other)
    count = shift.bounds()[1]
    if count > MOST_BITS:
        raise TooLargeError
    low, high = one.bounds()
    return _computed(np.left_shift, one, shift, (low << count, high << count, low, high))


def shift_right(one: Numbers, other: Numbers) -> Numbers:
    """Return the whole number divided by a power of two; missing where the shift is negative.

    Parameters
    ----------
    one, other : Numbers
        Whole numbers, and by how many bits they are shifted; as for `add`.

    Returns
    -------
    Numbers
        Whole numbers, rounded down.
    """
    shift = _not_negative(other)
    enough = Numbers(np.asarray(np.minimum(shift.data, MOST_BITS), shift.data.dtype), shift.missing)
    if one.data.dtype != object:
        enough = Numbers(np.minimum(enough.data, 63).astype(np.int64), shift.missing)
    return _computed(np.right_shift, one, enough, one.bounds())


def smallest(one: Numbers, other: Numbers) -> Numbers:
    """Return the smaller of two; missing where one is.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        Missing where either is.
    """
    return _computed(np.minimum, one, other, ())


def largest(one: Numbers, other: Numbers) -> Numbers:
    """Return the larger of two; missing where one is.

    Parameters
    ----------
    one, other : Numbers
        As for `add`.

    Returns
    -------
    Numbers
        Missing where either is.
    """
    return _computed(np.maximum, one, other, ())


def compare(operation: Callable, one: Numbers, other: Numbers) -> np.ndarray:
    """Compare numbers; the result is false wherever a value is missing.

    Whole numbers are compared exactly, also with fractional ones.

    Parameters
    ----------
    operation : callable
        Of two arrays, such as `numpy.less`, false for NaN.
    one, other : Numbers

    Returns
    -------
    array of bool
        Of the common shape.
    """
    left, right = one.data, other.data
    if one.is_whole != other.is_whole:
        whole = one if one.is_whole else other
        exact = max(map(abs, whole.bounds())) <= _EXACT_IN_FLOAT or _is_one_float(whole.data)
        kind = np.float64 if exact else object  # Python compares int with float exactly
        left, right = left.astype(kind), right.astype(kind)
    result = np.asarray(operation(left, right), np.bool_)
    missing = _missing(one, other)
    return result if missing is None else result & ~missing


def _is_one_float(whole: np.ndarray) -> bool:
    """Tell whether this is a single whole number that float64 holds exactly."""
    return whole.ndim == 0 and int(float(whole[()])) == whole[()]


def _both_bounds(one: Numbers, other: Numbers):
    if one.is_whole and other.is_whole:
        return one.bounds(), other.bounds()
    return (0, 0), (0, 0)


def _computed(operation, one: Numbers, other: Numbers, bounds) -> Numbers:
    """Compute in float64, in int64 if `bounds` of the result fit, or in Python's integers."""
    if not (one.is_whole and other.is_whole):
        return Numbers(np.asarray(operation(one.floats(), other.floats())))
    low, high = min(bounds, default=0), max(bounds, default=0)
    if max(low.bit_length(), high.bit_length()) > MOST_BITS:
        raise TooLargeError
    narrow = one.data.dtype != object and other.data.dtype != object
    missing = _missing(one, other)
    if narrow and _LIMITS.min <= low and high <= _LIMITS.max:
        return Numbers(np.asarray(operation(one.data, other.data)), missing)
    result = operation(one.data.astype(object), other.data.astype(object))
    return Numbers(_shrunk(np.asarray(result, object)), missing)


def _divided(operation, one: Numbers, other: Numbers) -> Numbers:
    if not (one.is_whole and other.is_whole):
        return Numbers(np.asarray(operation(one.floats(), other.floats())))
    by_zero = np.asarray(other.data == 0, np.bool_)
    missing = _missing(one, other)
    divisor = Numbers(_like(np.where(by_zero, 1, other.data), other))
    low, high = one.bounds()
    result = _computed(operation, one, divisor, (low, high, -low, -high, *divisor.bounds()))
    return Numbers(result.data, by_zero if missing is None else missing | by_zero)


def _not_negative(shift: Numbers) -> Numbers:
    bad = np.asarray(shift.data < 0, np.bool_)
    data = _like(np.where(bad, 0, shift.data), shift)
    return Numbers(data, bad if shift.missing is None else bad | shift.missing)


def _like(data, of: Numbers) -> np.ndarray:
    return np.asarray(data, of.data.dtype)


def _missing(one: Numbers, other: Numbers) -> np.ndarray | None:
    if one.missing is None or other.missing is None:
        return one.missing if other.missing is None else other.missing
    return one.missing | other.missing


def _shrunk(data: np.ndarray) -> np.ndarray:
    """Return int64 if it holds all of these."""
    if data.dtype == object and data.size:
        if _LIMITS.min <= data.min() and data.max() <= _LIMITS.max:
            return data.astype(np.int64)
        return data
    return data.astype(np.int64)
