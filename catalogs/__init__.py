"""Tables on disk: which columns are the position, and how columns join without harm to the rest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from catalogs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from catalogs.columns import AddedColumn, find_lsbg_columns, lsbg_columns
    from catalogs.details import ColumnDetail
    from catalogs.exact import ColumnKind, ExactValues, Wanted
    from catalogs.output import check_output
    from catalogs.positions import PositionColumns
    from catalogs.selection import Selection, find_selection

__all__ = [
    "AddedColumn",
    "Catalog",
    "InputError",
    "PositionColumns",
    "Selection",
    "check_chosen",
    "check_output",
    "find_lsbg_columns",
    "find_selection",
    "lsbg_columns",
    "open_catalog",
    "write_chosen",
]

_HOMES = {
    "AddedColumn": "catalogs.columns",
    "PositionColumns": "catalogs.positions",
    "Selection": "catalogs.selection",
    "check_output": "catalogs.output",
    "find_lsbg_columns": "catalogs.columns",
    "find_selection": "catalogs.selection",
    "lsbg_columns": "catalogs.columns",
}
"""The module of each name that is loaded when it is first used, so that a start is quick."""


def __getattr__(name: str):
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOMES[name]), name)
    return value


class Catalog(Protocol):
    """A table of candidates on disk.

    Attributes
    ----------
    path : Path or str
        A URL, without what is secret in it, is a text.
    format : str
        Its name in `catalogs.formats`.
    row_count : int
    column_names : tuple of str
    position_columns : PositionColumns
    """

    format: str
    row_count: int
    column_names: tuple[str, ...]
    position_columns: PositionColumns

    @property
    def path(self) -> Path | str:
        """Where the table is."""

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers.

        Parameters
        ----------
        name : str
        start, stop : int
            Rows [start, stop), from 0.

        Returns
        -------
        array of float64, shape (stop - start,)
            NaN where null; logical values are 0 and 1.

        Raises
        ------
        InputError
            If the column holds neither numbers nor logical values.
        """

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; fastest when called in the order of the rows.

        Parameters
        ----------
        names : sequence of str
        start, stop : int
            Rows [start, stop), from 0.

        Returns
        -------
        list of array of float64, each of shape (stop - start,)
            As of `read_column`, in the order of the names.

        Raises
        ------
        InputError
            As in `read_column`.
        """

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds.

        Raises
        ------
        InputError
            If there is no such column, or it holds nothing that can be compared.
        """

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return columns, or elements of them, as they are; fastest in the order of the rows.

        Parameters
        ----------
        wanted : sequence of Wanted
            Name, and the number of an element from 0, or None.
        start, stop : int
            Rows [start, stop), from 0.

        Returns
        -------
        list of ExactValues
            In the order of `wanted`; integers keep all their digits.
        """

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return positions; fastest when called in the order of the rows.

        Parameters
        ----------
        start, stop : int
            Rows [start, stop), from 0.

        Returns
        -------
        array of float64, shape (stop - start, 2)
            ICRS right ascension and declination in degrees. NaN where null; values out of range are
            left as they are.
        """

    def fingerprint(self) -> str:
        """Return a sha256 of the content, by which a resumed job knows its input."""

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row, in their order."""

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return a column of integers or texts.

        Parameters
        ----------
        detail : ColumnDetail
            A column of the kind ``integer`` or ``text``.
        rows : array of int64
            Numbers of rows, ascending.

        Returns
        -------
        list of int or str
            None where null.
        """

    def provenance(self) -> dict[str, str]:
        """Return what the catalog says of columns of ours, by the keys of `write_annotated`."""

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse at once what `write_annotated` would refuse; reads nothing.

        Parameters
        ----------
        columns : sequence of AddedColumn
            The new columns.
        overwrite_columns : bool
            Whether old columns of these names may be replaced.

        Raises
        ------
        InputError
            If a column of that name exists, and `overwrite_columns` is false, or the format has no
            room for more columns.
        """

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
    ):
        """Write the catalog again, in its own format, with columns added at the end.

        Parameters
        ----------
        output : Path
            Appears under this name only when it is whole.
        columns : sequence of AddedColumn
        values : callable
            Given (start, stop), returns the new columns' values in those rows; called in order,
            for at most 65,536 rows at a time. NaN stands for "no value".
        provenance : mapping
            What is said once about the new columns: ``weights``, ``weights_sha256``, ``source``,
            ``software``, ``engine``, ``threshold``, ``prior``, ``date``, ``select`` where not all
            rows were looked at, and ``mismatch`` where the images are not those of the weights.
        overwrite_columns : bool
            Drop columns of the same names; otherwise they are an error.

        Raises
        ------
        InputError
            As in `check_annotated`.
        """


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
    from pathlib import Path

    from catalogs.formats import format_named, recognise
    from catalogs.urls import is_url

    options = {"table": table, "ra": ra, "dec": dec, "position_unit": position_unit}
    chosen = None if format is None else format_named(format)
    if is_url(path):
        from catalogs.remote_catalog import RemoteCatalog

        return RemoteCatalog(str(path), lambda copy: open_catalog(copy, format=format, **options))
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    return (chosen or recognise(path)).load()(path, **options)
