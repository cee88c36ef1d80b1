"""Loops over pixels that numba compiles."""

from collections.abc import Callable

from numba import njit

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "arcp", "nsz"},
}
"""No lock of the interpreter; division by zero gives infinity, as in numpy; sums in any order."""


def compiled(function: Callable) -> Callable:
    """Compile a function of arrays and numbers when it is first called.

    It runs without the interpreter's lock. The machine code is kept beside the module or in the
    user's cache; where neither can be written, every process compiles anew.
    """
    try:
        return njit(**_OPTIONS, cache=True)(function)
    except RuntimeError:  # no folder for the cache
        return njit(**_OPTIONS)(function)
