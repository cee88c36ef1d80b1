"""Writes a FITS file with some of the rows of a table."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from catalogs._fits_bytes import copy_bytes, update_checksums
from catalogs._fits_header import BLOCK, Cards
from catalogs.blocks import BLOCK_ROWS
from catalogs.packed import written_packed

_COPIED = 1 << 20
_NROWS = re.compile(rb"""(<(?:\w+:)?TABLE\b[^>]*?\bnrows\s*=\s*)(["'])(\s*\d+\s*)\2""")


def write_rows(file: Path, tables: Sequence, read: Callable, keep: np.ndarray, output: Path):
    """Write the file again with some rows of its tables; all else stays as it is.

    Parameters
    ----------
    file : Path
        The input, unpacked.
    tables : sequence of (table, Cards)
        Where each table lies in the file, and its header.
    read : callable
        Given (table, start, stop), returns the bytes of rows.
    keep : array of bool, shape (rows,)
        Of all tables, one after another.
    output : Path
    """
    with written_packed(output) as partial, open(file, "rb") as source:
        with open(partial, "w+b") as target:
            first, place = 0, tables[0][0].header_start
            count = int(np.count_nonzero(keep[: tables[0][0].rows]))
            _write_before(source, target, tables[0][0], count)
            for table, cards in tables:
                copy_bytes(source, target, place, table.header_start)
                _write_table(source, target, table, cards, read, keep[first : first + table.rows])
                first, place = first + table.rows, table.end
            copy_bytes(source, target, place, file.stat().st_size)


def _write_table(source, target, table, cards: Cards, read: Callable, keep: np.ndarray):
    """Write one table with some of its rows."""
    count = int(np.count_nonzero(keep))
    cards.set("NAXIS2", count)
    if table.heap_offset is not None:
        gap = table.heap_offset - table.row_bytes * table.rows
        cards.set("THEAP", table.row_bytes * count + gap)
    start = target.tell()
    target.write(cards.to_bytes())
    data_start = target.tell()
    for first in range(0, table.rows, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, table.rows)
        target.write(np.ascontiguousarray(read(table, first, last)[keep[first:last]]))
    copy_bytes(source, target, table.heap_start, table.heap_end)
    padding = b" " if table.is_ascii else b"\0"
    target.write(padding * (-(target.tell() - data_start) % BLOCK))
    update_checksums(target, cards, start, data_start)
    target.seek(0, 2)


def _write_before(source, target, table, count: int):
    """Copy the bytes before the table; correct the number of rows in a VOTable among them."""
    before = source.read(table.header_start) if table.header_start < 64 * _COPIED else None
    if before is None:
        copy_bytes(source, target, 0, table.header_start)
        return
    places = list(_NROWS.finditer(before))
    if len(places) >= table.number:
        place = places[table.number - 1]
        number = str(count).encode()
        quoted = (place[2] + number + place[2]).ljust(len(place[3]) + 2)  # of the same length
        before = before[: place.start(2)] + quoted + before[place.end() :]
    target.write(before)
