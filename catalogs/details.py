"""Every plain column of a catalog, with its exact values.

`Catalog.read_columns` gives numbers as float64, which is what positions and selections need. For
people to look at, identifiers of 64 bits and texts must stay what they are.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catalogs.blocks import BLOCK_ROWS

if TYPE_CHECKING:
    from catalogs import Catalog


@dataclass(frozen=True)
class ColumnDetail:
    """A column with one value a row.

    Attributes
    ----------
    name : str
    kind : str
        ``number``, ``integer``, ``logical`` or ``text``.
    unit, description : str
        Empty where the table says none.
    """

    name: str
    kind: str
    unit: str = ""
    description: str = ""


def describe_columns(catalog: "Catalog") -> list[ColumnDetail]:
    """List the columns with one value a row, in their order; those of one name are left out."""
    names = list(catalog.column_names)
    return [detail for detail in catalog.describe_columns() if names.count(detail.name) == 1]


def read_values(catalog: "Catalog", detail: ColumnDetail, rows: np.ndarray) -> np.ndarray:
    """Return the values of some rows.

    Parameters
    ----------
    catalog : Catalog
    detail : ColumnDetail
        One that `describe_columns` lists.
    rows : array of int64, shape (N,)
        Any rows, in any order.

    Returns
    -------
    array, shape (N,)
        float64 with NaN where null, of ``number`` and ``logical``; objects otherwise: int or str,
        None where null.

    Raises
    ------
    InputError
        If the file is damaged there.
    """
    order = np.argsort(rows, kind="stable")
    exact = detail.kind in ("integer", "text")
    values = np.empty(len(rows), object if exact else np.float64)
    if exact:
        values[order] = catalog.exact_values(detail, rows[order])
    else:
        values[order] = _numbers(catalog, detail.name, rows[order])
    return values


def _numbers(catalog: "Catalog", name: str, rows: np.ndarray) -> np.ndarray:
    """Read ascending rows through the catalog's own reader, which wants blocks in order."""
    pieces = [np.empty(0)]
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, catalog.row_count)
        first, last = np.searchsorted(rows, (start, stop))
        if first < last or catalog.format != "fits":
            pieces.append(catalog.read_column(name, start, stop)[rows[first:last] - start])
    return np.concatenate(pieces)
