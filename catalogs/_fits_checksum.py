"""Checksums of FITS extensions (FITS standard 4.0, appendix J)."""

import numpy as np

_PUNCTUATION = frozenset([*range(0x3A, 0x41), *range(0x5B, 0x61)])


def add_to_sum(total: int, content: bytes) -> int:
    """Add bytes to a 32-bit ones'-complement sum.

    Parameters
    ----------
    total : int
        The sum so far, 0 at first.
    content : bytes
        A multiple of four bytes: big-endian words of 32 bits.

    Returns
    -------
    int
        Below 2**32.
    """
    total += int(np.frombuffer(content, ">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def encode(total: int) -> str:
    """Write the complement of a sum as the 16 characters of CHECKSUM."""
    complement = 0xFFFFFFFF - total
    characters = [0] * 16
    for i in range(4):
        byte = complement >> (24 - 8 * i) & 0xFF
        four = [byte // 4 + 0x30 + byte % 4, *[byte // 4 + 0x30] * 3]
        for j in (0, 2):
            while _PUNCTUATION & {four[j], four[j + 1]}:
                four[j] += 1
                four[j + 1] -= 1
        for j in range(4):
            characters[4 * j + i] = four[j]
    return bytes([characters[15], *characters[:15]]).decode("ascii")
