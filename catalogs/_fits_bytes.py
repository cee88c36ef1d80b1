"""Bytes of FITS files: copied as they are, and summed up again where a table has changed."""

from typing import BinaryIO

from catalogs._fits_checksum import add_to_sum, encode
from catalogs._fits_header import BLOCK, Cards

_PIECE = 1 << 20


def copy_bytes(source: BinaryIO, target: BinaryIO, start: int, stop: int | None = None):
    """Copy bytes of one file to the end of another, in pieces of a megabyte.

    Parameters
    ----------
    source, target : binary file
    start, stop : int
        The bytes [start, stop) of the source; None: to its end.
    """
    source.seek(start)
    while part := source.read(_PIECE if stop is None else min(stop - start, _PIECE)):
        target.write(part)
        start += len(part)


def update_checksums(file: BinaryIO, cards: Cards, start: int, data_start: int):
    """Correct DATASUM and CHECKSUM of the last table of a file, where it has them.

    Parameters
    ----------
    file : binary file
        Open for reading and writing; it ends with the data of the table.
    cards : Cards
        Header of the table; written again.
    start, data_start : int
        Where its header and its data begin.
    """
    if not (cards.has("DATASUM") or cards.has("CHECKSUM")):
        return
    file.seek(data_start)
    data_sum = 0
    while part := file.read(BLOCK * 512):
        data_sum = add_to_sum(data_sum, part)
    cards.set("DATASUM", str(data_sum))
    cards.set("CHECKSUM", "0" * 16)
    cards.set("CHECKSUM", encode(add_to_sum(data_sum, cards.to_bytes())))
    file.seek(start)
    file.write(cards.to_bytes())
