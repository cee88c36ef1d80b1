"""How many rows of a catalog are in memory at a time."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from catalogs.columns import AddedColumn

BLOCK_ROWS = 65_536
"""Rows that are read or written at a time, in all formats: some megabytes of a wide table."""


def collected(
    columns: Sequence["AddedColumn"],
    values: Callable[[int, int], Sequence[np.ndarray]],
    start: int,
    stop: int,
) -> list[np.ndarray]:
    """Return the values of added columns in the rows [start, stop), asked for block by block.

    Parameters
    ----------
    columns, values
        As of `catalogs.Catalog.write_annotated`.
    start, stop : int

    Returns
    -------
    list of array, shape (stop - start,)
        Of the columns' types.
    """
    pieces: list[list[np.ndarray]] = [[np.empty(0, column.dtype)] for column in columns]
    for first in range(start, stop, BLOCK_ROWS):
        block = values(first, min(first + BLOCK_ROWS, stop))
        for column, piece, value in zip(columns, pieces, block, strict=True):
            piece.append(np.asarray(value, column.dtype))
    return [np.concatenate(piece) for piece in pieces]
