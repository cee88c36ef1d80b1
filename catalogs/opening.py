"""Open a catalog in whichever format it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from catalogs.errors import InputError
from catalogs.formats import format_named, recognise
from catalogs.urls import is_url

if TYPE_CHECKING:
    from catalogs.contract import Catalog


def open_catalog(
    path: Path | str,
    *,
    format: str | None = None,
    table: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    position_unit: str | None = None,
) -> Catalog:
    """Open a table in any of the formats of `catalogs.formats`.

    Parameters
    ----------
    path : path or URL
        The format is told from the content, not from the name. What a URL names is copied first.
    format : str, optional
        Name of the format, where the content does not say it for sure.
    table : str, optional
        Extension of a FITS file or table of a VOTable, by name or number, or path of a table in
        HDF5; by default the one that has positions.
    ra, dec : str, optional
        Columns of the position, where their names are not known ones.
    position_unit : str, optional
        ``deg``, ``rad``, or ``hourangle`` (right ascension in hours), whatever the table says.

    Returns
    -------
    Catalog

    Raises
    ------
    InputError
        If there is no such file, it is not readable, or has no position or several.

    Examples
    --------
    >>> from lsbg_classifier import open_catalog
    >>> catalog = open_catalog("demo/survey/candidates.fits")
    >>> catalog.format, catalog.position_columns.ra, catalog.position_columns.dec
    ('fits', 'ALPHA_J2000', 'DELTA_J2000')
    >>> catalog.read_positions(0, 3).shape
    (3, 2)
    """
    options = {"table": table, "ra": ra, "dec": dec, "position_unit": position_unit}
    chosen = None if format is None else format_named(format)
    if is_url(path):
        from catalogs.remote_catalog import RemoteCatalog

        return RemoteCatalog(str(path), lambda copy: open_catalog(copy, format=format, **options))
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    return (chosen or recognise(path)).load()(path, **options)
