"""Damaged FITS files: checks before a library reads them, and the errors that it raises."""

import math
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from astropy.io.fits import VerifyError

UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    VerifyError,
    struct.error,
    zlib.error,
)
"""What astropy raises on files that are damaged, or wrong in ways that it did not think of."""


class NoFitsError(ValueError):
    """A file that is no FITS file at all, whatever its name says; the message says why."""


_BLOCK = 2880
_CARD = 80
_MOST = 999
_COUNTS = ("NAXIS", "TFIELDS", "ZNAXIS")
_SIZES = re.compile(
    rb"(BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|ZNAXIS) *= +([+-]?\d+) *(?:/.*)?", re.DOTALL
)


def check_headers(file: Path | BinaryIO):
    """Refuse a file whose headers count more axes or columns than FITS allows.

    astropy looks for each one that ``NAXIS``, ``ZNAXIS`` and ``TFIELDS`` count, for ever if need
    be. What else is wrong with a file is left to the library that reads it.

    Parameters
    ----------
    file : path or file opened for reading bytes
        Not compressed as a whole, as by gzip. An opened file is left at its beginning.

    Raises
    ------
    NoFitsError
        If the file does not begin as FITS files do.
    ValueError
        If it has more than 999 of them somewhere (FITS standard 4.0, sections 4.4.1 and 7.3.1).
    """
    if isinstance(file, Path):
        with open(file, "rb") as opened:
            check_headers(opened)
        return
    file.seek(0)
    if file.read(6) != b"SIMPLE":
        raise NoFitsError("it does not begin as a FITS file")
    start = 0
    while sizes := _sizes(file, start):
        for keyword in _COUNTS:
            if not 0 <= sizes.get(keyword, 0) <= _MOST:
                raise ValueError(f"{keyword} is {sizes[keyword]}")
        start = file.tell() + _data_bytes(sizes)
    file.seek(0)


def _sizes(file, start: int) -> dict[str, int]:
    """Read what the header at `start` says of sizes; nothing where none begins or it has no end."""
    sizes: dict[str, int] = {}
    file.seek(start)
    while len(block := file.read(_BLOCK)) == _BLOCK:
        cards = [block[at : at + _CARD] for at in range(0, _BLOCK, _CARD)]
        if not sizes and not cards[0].startswith((b"SIMPLE", b"XTENSION")):
            return {}
        for card in cards:
            if match := _SIZES.fullmatch(card):
                sizes.setdefault(match[1].decode(), int(match[2]))
            elif card.rstrip() == b"END":
                return sizes
    return {}


def _data_bytes(sizes: dict[str, int]) -> int:
    """Bytes of the blocks of data behind a header; none if that makes no sense."""
    lengths = [sizes.get(f"NAXIS{n}", 0) for n in range(1, sizes.get("NAXIS", 0) + 1)]
    values = sizes.get("PCOUNT", 0) + math.prod(lengths) if lengths else 0
    size = abs(sizes.get("BITPIX", 8)) // 8 * sizes.get("GCOUNT", 1) * values
    return max(0, -(-size // _BLOCK) * _BLOCK)
