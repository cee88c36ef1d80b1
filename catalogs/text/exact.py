"""Values of the cells of text tables as they are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from catalogs.exact import (
    ColumnKind,
    ExactValues,
    Wanted,
    integers,
    joined,
    logical,
    no_rows,
    texts,
)
from catalogs.text.values import as_exact, joined_kind, short_integers

if TYPE_CHECKING:
    from catalogs.text.catalog import TextCatalog


def kind_of_cells(catalog: "TextCatalog", name: str) -> tuple[ColumnKind, int]:
    """Return what a column holds, by all its values, and its first cell in a row.

    Parameters
    ----------
    catalog : TextCatalog
    name : str

    Returns
    -------
    kind : ColumnKind
        ``number`` if the column has no value at all.
    first : int
        Number of the cell, from 0.
    """
    number = catalog._number_of(name)
    first, stop = catalog._layout.firsts[number : number + 2]
    kind = None
    for cell_kind in catalog._kinds_of(range(first, stop)):
        kind = joined_kind(kind, cell_kind)
    return ColumnKind(kind or "number", catalog._layout.columns[number].size), first


def read_cells(
    catalog: "TextCatalog", wanted: Sequence[Wanted], start: int, stop: int
) -> list[ExactValues]:
    """Return values of columns, or of elements of them, in the rows [start, stop).

    Parameters
    ----------
    catalog : TextCatalog
    wanted : sequence of Wanted
    start, stop : int

    Returns
    -------
    list of ExactValues
        In the order of `wanted`.
    """
    known = [kind_of_cells(catalog, name) for name, _ in wanted]
    pieces = [[no_rows(kind)] for kind, _ in known]
    cells = [first + (element or 0) for (_, first), (_, element) in zip(known, wanted, strict=True)]
    numbers = [
        cell
        for cell, (kind, _) in zip(cells, known, strict=True)
        if kind.kind in ("number", "logical")
    ]
    for number in catalog._blocks_with(start, stop):
        block = catalog._blocks[number]
        rows = slice(max(start - block.first, 0), min(stop - block.first, block.rows))
        catalog._floats(number, numbers)  # all at once, which is faster than one by one
        others = sorted({*cells} - {*numbers})
        parsed = catalog._texts(number, others) if others else []
        cell_texts = dict(zip(others, parsed, strict=True))
        for piece, cell, (kind, _) in zip(pieces, cells, known, strict=True):
            if cell in cell_texts:
                piece.append(_as_they_are(catalog, cell_texts[cell][rows], kind.kind))
            else:
                piece.append(_as_numbers(catalog, number, cell, kind.kind, rows))
    return [joined(piece[1:] or piece) for piece in pieces]


def _as_numbers(catalog, number: int, cell: int, kind: str, rows: slice) -> ExactValues:
    numbers: np.ndarray = catalog._floats(number, [cell])[0][rows]
    return logical(numbers) if kind == "logical" else ExactValues(numbers)


def _as_they_are(catalog, cell_texts: pa.Array, kind: str) -> ExactValues:
    """Return whole numbers or texts."""
    if kind == "integer":
        known = short_integers(cell_texts)
        if known is not None:
            return ExactValues(*known)
    values = as_exact(cell_texts, kind, utf8=catalog.is_utf8)
    return texts(values) if kind == "text" else integers(values)
