"""The operations and functions that conditions may use, each with what computes it."""

from collections.abc import Callable, Mapping

import numpy as np

from catalogs import _arithmetic as arithmetic


def _differ(left, right):
    """Tell where values differ and neither is missing."""
    return np.less(left, right) | np.greater(left, right)


COMPARISONS: Mapping[str, tuple[Callable, Callable]] = {
    "<": (np.less, np.greater_equal),
    "<=": (np.less_equal, np.greater),
    ">": (np.greater, np.less_equal),
    ">=": (np.greater_equal, np.less),
    "==": (np.equal, _differ),
    "!=": (_differ, np.equal),
}
"""Each comparison and its opposite; both are false where a value is missing."""

ARITHMETIC = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "//": arithmetic.floor_divide,
    "%": arithmetic.remainder,
    "**": arithmetic.power,
}
"""Signs between two numbers."""

BITS = {
    "&": arithmetic.bitwise(np.bitwise_and),
    "|": arithmetic.bitwise(np.bitwise_or),
    "^": arithmetic.bitwise(np.bitwise_xor),
    "<<": arithmetic.shift_left,
    ">>": arithmetic.shift_right,
}
"""Signs between the bits of two whole numbers."""

FLOAT_FUNCTIONS = {
    "sqrt": np.sqrt,
    "log": np.log,
    "ln": np.log,
    "log10": np.log10,
    "exp": np.exp,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "radians": np.radians,
    "degrees": np.degrees,
    "floor": np.floor,
    "ceil": np.ceil,
}
"""Functions of one number, computed in float64; angles are radians."""

OF_SEVERAL = {"min": arithmetic.smallest, "max": arithmetic.largest}
"""Functions of two or more numbers."""

NUMBER_TESTS = ("isfinite", "isnan")
"""Conditions on one number."""

NULL_TESTS = ("isnull", "notnull")
"""Conditions on one value of any kind."""

FUNCTIONS = ("abs", *FLOAT_FUNCTIONS, "atan2", *OF_SEVERAL, *NUMBER_TESTS, *NULL_TESTS)
"""The names of all functions."""
