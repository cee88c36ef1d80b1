"""Some rows of a catalog, written as a catalog of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from catalogs.contract import Catalog


def write_chosen(catalog: Catalog, output: Path, keep: np.ndarray):
    """Write a catalog again, in its own format, with some of its rows.

    Parameters
    ----------
    catalog : Catalog
    output : Path
        Appears under this name only when it is whole.
    keep : array of bool, shape (rows,)

    Raises
    ------
    InputError
        If the format cannot.
    """
    _row_writer(catalog)(output, keep)


def check_chosen(catalog: Catalog):
    """Refuse at once a catalog of which `write_chosen` cannot write some of the rows."""
    _row_writer(catalog)


def _row_writer(catalog: Catalog) -> Callable[[Path, np.ndarray], object]:
    """Return what writes some rows of a catalog; formats of plug-ins may lack it."""
    writer = getattr(catalog, "write_rows", None)
    if writer is None:
        raise InputError(
            f"{catalog.path}: some rows of {catalog.format} cannot be written as a catalog of "
            "their own; choose them with another tool, or annotate a copy as FITS or Parquet"
        )
    return writer
