"""What in an image or its mask stands for "no data here".

The rules, in this order; the first that knows decides:

1. A pixel has no data where it is NaN, infinite or blank (``BLANK``, ``ZBLANK``, or one of the
   values below), where the weight beside it is not positive, and where the mask has a bit that
   means so.
2. An exact zero is data where a weight beside it says so.
3. Else an exact zero has no data if it belongs to a block of 4x4 zeros or to a line of 32 of them:
   coadds and cutouts fill what they do not cover with zeros, while zeros that come from rounding
   are scattered. In images of integers, which rounding fills with many more, the block is one of
   16x16 and the line one of 64.
4. A band whose pixels are all exactly zero has no data, whatever its type.

`pixels` applies them, for every pixel of every cutout.
"""

from dataclasses import dataclass

import numpy as np

from lsbg_classifier.compiled import compiled

_BLOCK, _LINE = 4, 32
"""Sides of a block and length of a line of exact zeros that have no data."""

_INTEGER_BLOCK, _INTEGER_LINE = 16, 64
"""The same in images of integers."""

BLANK_VALUES = (-999.0, -9999.0, -99.0)
"""Values that stand for "no data" in images of floats, beside all that are below `lowest_count`."""

BLANK_INTEGERS = (-9999.0, -32768.0, -32768.0)
"""The same in images of integers."""

LARGEST_COUNT = 1e15
"""Larger counts stand for "no data", such as 1e30."""

_LOWEST_COUNT, _LOWEST_FLUX = -9998.0, -1.0
"""Counts and nanomaggies a pixel that no sky has, together: -9999, -99999, -1e30 and such."""


def lowest_count(nanomaggies: float) -> float:
    """Return the count from which downwards a pixel has no data.

    Parameters
    ----------
    nanomaggies : float
        What one count stands for.
    """
    return min(_LOWEST_COUNT, _LOWEST_FLUX / nanomaggies) if nanomaggies > 0 else _LOWEST_COUNT


@dataclass(frozen=True)
class MaskBits:
    """Bits of a mask.

    Attributes
    ----------
    no_data, bad : int
        Bits that mean "nothing was observed", and "do not trust".
    """

    no_data: int = 0
    bad: int = 0


_ANY = -1

_LARGEST_MASK = 2.0**63

_LEGACY_SATURATED = {"g": 2, "r": 3, "z": 4, "i": 14}
_LEGACY_ALL_MASKED = {"g": 5, "r": 6, "z": 7, "i": 15}
"""Bits of the Legacy Surveys' maskbits by band (legacysurvey.org/dr10/bitmasks)."""


def bits_of_mask(header, layout: str, band: str) -> MaskBits:
    """Return what the bits of a mask mean.

    Bits named in the header (``MP_NO_DATA``, as HSC's and Rubin's are) are known by their names,
    the Legacy Surveys' by their numbers; of other masks, every bit means "do not trust".

    Parameters
    ----------
    header : mapping
        Header of the mask.
    layout : str
        Name of the layout that the file's name follows.
    band : str
        Band of the image that the mask is used for.

    Returns
    -------
    MaskBits
        With 0 for a meaning that no bit of the mask has.
    """
    planes = {key[3:]: header[key] for key in header if key.startswith("MP_")}
    planes = {name: bit for name, bit in planes.items() if type(bit) is int and 0 <= bit < 63}
    if planes:
        bad = sum(1 << planes[name] for name in ("BAD", "SAT") if name in planes)
        return MaskBits(1 << planes["NO_DATA"] if "NO_DATA" in planes else 0, bad)
    if layout == "decals" or "BRICK" in header or "BRICKNAM" in header:
        return MaskBits(
            1 << _LEGACY_ALL_MASKED[band] if band in _LEGACY_ALL_MASKED else 0,
            1 << _LEGACY_SATURATED[band] if band in _LEGACY_SATURATED else 0,
        )
    return MaskBits(0, _ANY)


def whole_bits(mask: np.ndarray) -> np.ndarray:
    """Return a mask as integers, whatever its type: some are stored as floats.

    Parameters
    ----------
    mask : array

    Returns
    -------
    array of int of the same shape
        The mask itself if it holds integers. Fractions are rounded away from zero, and what is no
        finite number has all bits.
    """
    if mask.dtype.kind in "iu":
        return mask
    rounded = np.copysign(np.ceil(abs(mask)), mask)
    return np.where(abs(rounded) < _LARGEST_MASK, rounded, _ANY).astype(np.int64)


def blanks_of(is_integer: bool, blank: float | None) -> np.ndarray:
    """Return the values that stand for "no data" in an image, as compiled code takes them.

    Parameters
    ----------
    is_integer : bool
        Whether the image holds integers.
    blank : float, optional
        One more value, which the image's header names.

    Returns
    -------
    array of float32, shape (4,)
    """
    values = BLANK_INTEGERS if is_integer else BLANK_VALUES
    return np.array([*values, values[0] if blank is None else blank], np.float32)


def without_data(
    counts: np.ndarray, nanomaggies: float, is_integer: bool = False, blank: float | None = None
) -> np.ndarray:
    """Tell which pixels have no data by their values alone: rule 1 without weights and masks.

    Parameters
    ----------
    counts : array
    nanomaggies : float
        What one count stands for.
    is_integer : bool
        Whether the image holds integers.
    blank : float, optional
        One more value that stands for "no data", which the image's header names.

    Returns
    -------
    array of bool, of the same shape
    """
    values = np.asarray(counts, np.float32)
    lacks = ~(abs(values) <= LARGEST_COUNT) | (values <= lowest_count(nanomaggies))
    return lacks | np.isin(values, blanks_of(is_integer, blank))


@compiled
def count_blank_zeros(fluxes, sound_pixels, is_integer):
    """Count the exact zeros of a patch that stand for "no data"; see the rules above.

    Pixels beyond the patch count as zero, so that a block that reaches into the patch by less than
    its side is counted; not in images of integers, where a few zeros in a row are common.

    Parameters
    ----------
    fluxes : array of float32, shape (rows, columns)
    sound_pixels : array of int, shape (rows, columns)
        Zero for pixels that have no data for another reason; these are not counted again.
    is_integer : bool
        Whether it is an image of integers.

    Returns
    -------
    int
    """
    height, width = fluxes.shape
    blank = np.zeros((height, width), np.bool_)
    block, least = (_INTEGER_BLOCK, _INTEGER_LINE) if is_integer else (_BLOCK, _LINE)
    beyond = 0 if is_integer else block - 1
    for row in range(-beyond, height + 1 + beyond - block):
        for column in range(-beyond, width + 1 + beyond - block):
            top, right = min(row + block, height), min(column + block, width)
            if _is_zero(fluxes, max(row, 0), top, max(column, 0), right):
                blank[max(row, 0) : top, max(column, 0) : right] = True
    for row in range(height):
        start = 0
        for column in range(width + 1):
            if column == width or fluxes[row, column] != 0:
                if column - start >= least:
                    blank[row, start:column] = True
                start = column + 1
    for column in range(width):
        start = 0
        for row in range(height + 1):
            if row == height or fluxes[row, column] != 0:
                if row - start >= least:
                    blank[start:row, column] = True
                start = row + 1
    number = 0
    for row in range(height):
        for column in range(width):
            number += blank[row, column] and sound_pixels[row, column] != 0
    return number


@compiled
def _is_zero(fluxes, bottom, top, left, right):
    """Tell whether all pixels of a box are exactly zero."""
    for row in range(bottom, top):
        for column in range(left, right):
            if fluxes[row, column] != 0:
                return False
    return True
