"""What every format of catalogs can do: the contract that its class keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from catalogs.columns import AddedColumn
    from catalogs.details import ColumnDetail
    from catalogs.exact import ColumnKind, ExactValues, Wanted
    from catalogs.positions import PositionColumns


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
