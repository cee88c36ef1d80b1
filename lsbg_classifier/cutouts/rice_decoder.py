"""Decoding of integers that are packed by RICE, as FITS images are. Compiled code.

The code is that of the FITS standard 4.0, section 10.4.1: the first number as it is; then, block by
block, the number of low bits of each difference to the number before, and the differences, each as
a count of zero bits, a one and the low bits. Differences are folded to be positive: 0, -1, 1, -2.
"""

from typing import NamedTuple

import numpy as np

from lsbg_classifier.compiled import compiled, leading_zeros, load_word

PADDING = 16
"""Bytes after a packed row that may be read, and that are zero."""

_0, _1, _3, _7, _8 = (np.uint64(number) for number in (0, 1, 3, 7, 8))
_ENOUGH, _FULL, _LAST, _WORD = (np.uint64(number) for number in (32, 56, 63, 64))
"""Numbers of bits: before a word is filled up, after it, and of the whole word."""


class Coding(NamedTuple):
    """How numbers of one size are packed.

    Attributes
    ----------
    block : int
        Numbers that share one count of low bits.
    count_bits : int
        Bits of that count.
    plain : int
        The count that says that the differences are stored as they are.
    bits : int
        Of a number.
    """

    block: int
    count_bits: int
    plain: int
    bits: int


_SIZES = {1: (3, 6, 8), 2: (4, 14, 16), 4: (5, 25, 32)}


def coding_of(size: int, block: int) -> Coding:
    """Return how numbers of 1, 2 or 4 bytes are packed in blocks.

    Parameters
    ----------
    size : int
        Bytes of a number.
    block : int
        Numbers in a block.

    Returns
    -------
    Coding
    """
    return Coding(block, *_SIZES[size])


@compiled
def decode_row(packed, length, coding, numbers):
    """Decode the first numbers of a row.

    Parameters
    ----------
    packed : array of uint8, shape (at least length + PADDING,)
        The bytes of the row, and zeros.
    length : int
        Bytes of the row.
    coding : Coding
    numbers : array of int
        Gets the numbers.

    Returns
    -------
    bool
        False if the row ends before its numbers.
    """
    length, bits = np.uint64(length), np.uint64(coding.bits)
    count_bits, plain = np.uint64(coding.count_bits), np.uint64(coding.plain)
    number = load_word(packed, _0) >> (_WORD - bits)
    # `word` begins with the next `have` bits of the row; byte `at` is the first that is not in it.
    word, have, at = _0, _0, bits >> _3
    if _is_constant(packed, length, coding, len(numbers)):
        numbers[:] = number
        return True
    for start in range(0, len(numbers), coding.block):
        block = numbers[start : start + coding.block]
        word, have, at = _fill_up(packed, length, word, have, at)
        low_bits = word >> (_WORD - count_bits)
        word, have = word << count_bits, have - count_bits
        if low_bits == 0:
            block[:] = number
        elif low_bits == plain + _1:
            for n in range(len(block)):
                word, have, at = _fill_up(packed, length, word, have, at)
                number += _unfolded(word >> (_WORD - bits))
                word, have = word << bits, have - bits
                block[n] = number
        else:
            low_bits -= _1
            mask, step, down = (_1 << low_bits) - _1, low_bits + _1, _LAST - low_bits
            for n in range(len(block)):
                if have < _ENOUGH:
                    word, have, at = _fill_up(packed, length, word, have, at)
                zeros, total = leading_zeros(word), _0
                if zeros + step > have:
                    while zeros >= have:  # a long run of zeros
                        total += have
                        if at > length + _8:
                            return False
                        word, have, at = _fill_up(packed, length, _0, _0, at)
                        zeros = leading_zeros(word)
                    word, have, total = word << zeros, have - zeros, total + zeros
                    word, have, at = _fill_up(packed, length, word, have, at)
                    zeros = _0
                word <<= zeros
                number += _unfolded(((total + zeros) << low_bits) | ((word >> down) & mask))
                word, have = word << step, have - step - zeros
                block[n] = number
        if (at << _3) > (length << _3) + have:
            return False
    return True


@compiled
def _is_constant(packed, length, coding, count):
    """Tell whether a row says nothing but that so many numbers are like the first: zero bits."""
    blocks = (count + coding.block - 1) // coding.block
    if length * 8 < coding.bits + blocks * coding.count_bits:
        return False
    at, end = coding.bits // 8, np.int64(length)
    while at < end and load_word(packed, at) == _0:
        at += 8
    return at >= end


@compiled
def _fill_up(packed, length, word, have, at):
    """Add the next bytes of a row to a word that begins with `have` bits: it gets at least 56."""
    word |= load_word(packed, min(at, length)) >> have
    return word, have | _FULL, at + ((_LAST - have) >> _3)


@compiled
def _unfolded(folded):
    """Return the difference that was folded, modulo 2^64."""
    return (folded >> _1) ^ (_0 - (folded & _1))
