"""What else a catalog holds: every plain column as it is, exactly, and where our columns are from.

`Catalog.read_columns` gives numbers as float64, which is what positions and selections need. For
people to look at, identifiers of 64 bits and texts must stay what they are.
"""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote

import numpy as np

from catalogs import Catalog
from catalogs._exact import BLOCK, READERS, ColumnDetail
from catalogs._fits_header import _PROVENANCE
from catalogs.errors import InputError

__all__ = ["ColumnDetail", "describe_columns", "read_provenance", "read_values"]


def describe_columns(catalog: Catalog) -> list[ColumnDetail]:
    """List the columns with one value a row, in their order; those of one name are left out."""
    describe, _ = READERS.get(catalog.format, (_describe_numbers, None))
    details = describe(catalog)
    names = list(catalog.column_names)
    return [detail for detail in details if names.count(detail.name) == 1]


def read_values(catalog: Catalog, detail: ColumnDetail, rows: np.ndarray) -> np.ndarray:
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
    if exact:
        found = READERS[catalog.format][1](catalog, detail, rows[order])
    else:
        found = _numbers(catalog, detail.name, rows[order])
    values = np.empty(len(rows), object if exact else np.float64)
    values[order] = found
    return values


def read_provenance(catalog: Catalog) -> Mapping[str, str]:
    """Return what the catalog says of our columns.

    Returns
    -------
    mapping of str to str
        ``weights``, ``weights_sha256``, ``source``, ``software``, ``threshold``, ``date``,
        ``select``: those that it says.
    """
    if hasattr(catalog, "provenance"):
        found = catalog.provenance()
    elif catalog.format == "fits":
        from astropy.io import fits

        header = fits.Header.fromstring(catalog._header().to_bytes().decode("ascii", "replace"))
        said = {name: header.get(keyword) for name, (keyword, _) in _PROVENANCE.items()}
        found = {name: unquote(str(value)) for name, value in said.items() if value is not None}
    elif catalog.format == "parquet":
        metadata = catalog._parts[0].schema.metadata or {}
        said = {name: metadata.get(f"lsbg.{name}".encode()) for name in _PROVENANCE}
        found = {name: value.decode("utf-8", "replace") for name, value in said.items() if value}
    else:
        found = {}
    return MappingProxyType(found)


def _numbers(catalog: Catalog, name: str, rows: np.ndarray) -> np.ndarray:
    """Read ascending rows through the catalog's own reader, which wants blocks in order."""
    pieces = [np.empty(0)]
    for start in range(0, catalog.row_count, BLOCK):
        stop = min(start + BLOCK, catalog.row_count)
        first, last = np.searchsorted(rows, (start, stop))
        if first < last or catalog.format != "fits":
            pieces.append(catalog.read_column(name, start, stop)[rows[first:last] - start])
    return np.concatenate(pieces)


def _describe_numbers(catalog: Catalog) -> list[ColumnDetail]:
    """Ask a format that is not known here which of its columns are numbers."""
    found = []
    for name in catalog.column_names:
        try:
            catalog.read_column(name, 0, min(1, catalog.row_count))
        except InputError:
            continue
        found.append(ColumnDetail(name, "number"))
    return found
