"""Rows of a compressed image, decoded one after the other into memory. Compiled code.

How fluxes became integers, and how dithering is undone, is that of the FITS standard 4.0, section
10.2 and appendix I. Machine code that an earlier run has stored is compiled again only if this file
has changed: whoever changes `rice_decoder` must save this file too.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from lsbg_classifier.compiled import compiled
from lsbg_classifier.cutouts.rice_decoder import PADDING, decode_row

_ZERO, _RANDOMS = -2_147_483_646, 10_000
"""The code of an exact zero under SUBTRACTIVE_DITHER_2, and the length of the table of random
numbers; FITS standard 4.0, section 10.2.2 and appendix I."""

_POSITIVE = 1e-9
"""Relative to the numbers it is computed from, what is surely positive in spite of rounding."""


class Quantization(NamedTuple):
    """How the fluxes of rows became integers, for compiled code.

    Attributes
    ----------
    scales, zeros : array of float, shape (rows,)
        A flux of a row is an integer times its scale, plus its zero.
    dither : int
        The method of dithering: 0 for none, else 1 or 2.
    blank : int
        The integer that stands for "no data".
    seed : int
        Where the first row begins in the table of random numbers, from 1.
    randoms : array of float, shape (10000,)
        That table.
    """

    scales: np.ndarray
    zeros: np.ndarray
    dither: int
    blank: int
    seed: int
    randoms: np.ndarray


class PackedRows(NamedTuple):
    """The bytes of some rows, for compiled code.

    Attributes
    ----------
    content : array of uint8
        From the first byte of a row to the last.
    places : array of int, shape (rows, 2)
        Length of each row, and where in `content` it begins.
    first : int
        Number of the first row.
    """

    content: np.ndarray
    places: np.ndarray
    first: int


@cache
def random_numbers() -> np.ndarray:
    """Return the random numbers of the FITS standard 4.0, appendix I."""
    modulus = 2_147_483_647
    values, seed = np.empty(_RANDOMS), 1
    for n in range(_RANDOMS):
        seed = 16_807 * seed % modulus
        values[n] = seed / modulus
    return values


@compiled
def _row(packed, number, row):
    """Copy the bytes of a row to where zeros follow; return how many they are."""
    length, start = packed.places[number]
    row[:length] = packed.content[start : start + length]
    row[length : length + PADDING] = 0
    return length


@compiled
def _memory(packed):
    """Return memory for the bytes of the longest row."""
    longest = 0
    for number in range(len(packed.places)):
        longest = max(longest, packed.places[number, 0])
    return np.empty(longest + PADDING, np.uint8)


@compiled
def decode_numbers(packed, coding, numbers, first, lines, only_signs):
    """Decode rows of integers.

    Parameters
    ----------
    packed : PackedRows
        Rows without bytes are left as they are.
    coding : Coding
    numbers : array of int
        Memory for the pixels of a row up to the last that is wanted.
    first : int
        The first pixel that is wanted.
    lines : array, shape (rows, pixels)
        Gets the pixels from the first one on.
    only_signs : bool
        Whether the lines get 1 for what is positive, else 0.

    Returns
    -------
    int
        Which row is damaged, -1 for none.
    """
    row = _memory(packed)
    for number in range(len(lines)):
        length = _row(packed, number, row)
        if length > 0:
            if not decode_row(row, length, coding, numbers):
                return number
            line = lines[number]
            if only_signs:
                for n in range(len(line)):
                    line[n] = numbers[first + n] > 0
            else:
                for n in range(len(line)):
                    line[n] = numbers[first + n]
    return -1


@compiled
def decode_fluxes(packed, coding, numbers, quantization, first, lines):
    """Decode rows of fluxes: integers, of which the quantization is undone.

    Parameters
    ----------
    packed, coding, numbers, first, lines
        As for `decode_numbers`.
    quantization : Quantization

    Returns
    -------
    int
        Which row is damaged, -1 for none.
    """
    row = _memory(packed)
    for number in range(len(lines)):
        length = _row(packed, number, row)
        if length > 0:
            if not decode_row(row, length, coding, numbers):
                return number
            _to_fluxes(numbers, quantization, packed.first + number, first, lines[number])
    return -1


@compiled
def decode_flux_signs(packed, coding, numbers, quantization, first, lines):
    """Decode which fluxes are positive.

    Of a weight all are, but for exact zeros and blank pixels, whatever the dithering: then that
    need not be undone.

    Parameters
    ----------
    packed, coding, numbers, quantization, first, lines
        As for `decode_fluxes`; the lines get 1 for positive, else 0.

    Returns
    -------
    int
        Which row is damaged, -1 for none.
    """
    row, fluxes = _memory(packed), np.empty(lines.shape[1], np.float32)
    blank, none = quantization.blank, np.int64(1) << 40
    exact_zero = np.int64(_ZERO) if quantization.dither == 2 else np.int64(blank)
    for number in range(len(lines)):
        length = _row(packed, number, row)
        if length == 0:
            continue
        if not decode_row(row, length, coding, numbers):
            return number
        line, coded, lowest = lines[number], numbers[first:], none
        for n in range(len(line)):
            is_flux = (coded[n] != blank) & (coded[n] != exact_zero)
            lowest = min(lowest, np.int64(coded[n]) if is_flux else none)
            line[n] = is_flux
        at = packed.first + number
        scale, zero = quantization.scales[at], quantization.zeros[at]
        if not (scale > 0 and (lowest - 1) * scale + zero > _POSITIVE * (abs(zero) + scale)):
            _to_fluxes(numbers, quantization, at, first, fluxes)
            for n in range(len(line)):
                line[n] = fluxes[n] > 0
    return -1


@compiled
def _to_fluxes(numbers, quantization, number, first, line):
    """Undo quantization and dithering of a row; write the pixels from `first` on into `line`.

    Each row takes its random numbers from a place of its own in the table (FITS standard 4.0,
    section 10.2.2): the number at `place`, times 500, tells the index of the first one that is
    used. At the end of the table the next place tells where to go on. So the row is undone in
    runs, each as long as the table lasts; of a run, only the pixels from `first` on are written.
    """
    scale, zero = quantization.scales[number], quantization.zeros[number]
    dither, blank, randoms = quantization.dither, quantization.blank, quantization.randoms
    place = (quantization.seed - 1 + number) % _RANDOMS
    index, n, stop = int(randoms[place] * 500), 0, first + len(line)
    exact_zero = np.int64(_ZERO) if dither == 2 else np.int64(blank)
    while n < stop:
        count = min(_RANDOMS - index, stop - n)  # pixels of this run
        skipped = min(max(0, first - n), count)  # those of them before `first`
        coded = numbers[n + skipped : n + count]
        shifts = randoms[index + skipped : index + count]
        fluxes = line[n + skipped - first : n + count - first]
        for k in range(len(fluxes)):
            shift = 0.5 - shifts[k] if dither else 0.0
            flux = np.float32((coded[k] + shift) * scale + zero)
            flux = np.float32(0) if coded[k] == exact_zero else flux
            fluxes[k] = np.float32(np.nan) if coded[k] == blank else flux
        n += count
        place = (place + 1) % _RANDOMS
        index = int(randoms[place] * 500)
