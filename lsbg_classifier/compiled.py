"""Loops over pixels that numba compiles."""

import logging
import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import event
from numba.extending import intrinsic

_log = logging.getLogger(__name__)

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "arcp", "nsz"},
}
"""No lock of the interpreter; division by zero gives infinity, as in numpy; sums in any order."""


class _FirstPass(event.Listener):
    """Says once a process that loops are compiled, which a second run of the program need not do.

    Code that is loaded from the cache goes through no pass of the compiler.
    """

    def on_start(self, _: Any):
        """Say it when the compiler begins."""
        event.unregister("numba:run_pass", self)
        _log.warning(
            "compiling loops over pixels, once for this installation; that takes up to a minute"
        )

    def on_end(self, _: Any):
        """Do nothing when a pass has ended."""


event.register("numba:run_pass", _FirstPass())


def compiled(function: Callable) -> Callable:
    """Compile a function of arrays and numbers when it is first called.

    It runs without the interpreter's lock. The machine code is kept beside the module or in the
    user's cache; where neither can be written, every process compiles anew.
    """
    try:
        return njit(**_OPTIONS, cache=True)(function)
    except RuntimeError:  # no folder for the cache
        return njit(**_OPTIONS)(function)


@intrinsic
def prefetch(_, array, index):
    """Have the memory of an element of an array fetched while other elements are used.

    It works within compiled code only, and returns nothing there. Where the index is outside of the
    array, nothing happens.

    Parameters
    ----------
    array : array of shape (n,)
    index : int
        Of the element.
    """

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [arguments[1]])
        address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address], kind)
        to_read, to_keep, data_cache = number(0), number(3), number(1)
        builder.call(function, [builder.bitcast(place, address), to_read, to_keep, data_cache])
        return context.get_dummy_value()

    return types.void(array, index), generate


@intrinsic
def load_word(_, array, index):
    """Return eight bytes of an array, the first one as the highest, as one number.

    It works within compiled code only, which does not check that the bytes are there.

    Parameters
    ----------
    array : array of uint8, shape (n,)
    index : int
        Of the first byte; it need not be a multiple of eight.

    Returns
    -------
    uint64
    """

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]])
        word = builder.load(builder.bitcast(address, ir.IntType(64).as_pointer()))
        word.align = 1
        return builder.bswap(word) if sys.byteorder == "little" else word

    return types.uint64(array, index), generate


@intrinsic
def leading_zeros(_, number):
    """Return how many bits of a 64-bit number are zero before the first that is not.

    It works within compiled code only.

    Parameters
    ----------
    number : uint64

    Returns
    -------
    uint64
        64 if all bits are zero.
    """

    def generate(context, builder, signature, arguments):
        return builder.ctlz(arguments[0], ir.IntType(1)(0))

    return types.uint64(types.uint64), generate
