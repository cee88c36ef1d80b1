"""Columns of FITS ASCII tables: numbers and texts at fixed places of each row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from catalogs._fits_header import ASCII_FORMATS
from catalogs.columns import AddedColumn
from catalogs.exact import ExactValues, integers, texts
from catalogs.positions import ColumnInfo
from catalogs.text.values import ValueTextError, as_exact, as_floats

_FORM = re.compile(r"([AIFED])(\d+)(?:\.(\d+))?")
_KINDS = {"A": "text", "I": "integer", "F": "number", "E": "number", "D": "number"}


@dataclass(frozen=True)
class AsciiColumn:
    """A column as the header describes it; `offset` in bytes of a row.

    Attributes
    ----------
    form : str
        TFORM: ``A8``, ``I6``, ``F10.5``, ``E15.7``, ``D25.17``.
    null : str or None
        TNULL: what stands for "no value".
    """

    name: str
    form: str
    offset: int
    unit: str | None
    scale: float
    zero: float
    null: str | None
    ucd: str | None = None

    def __post_init__(self):
        """Refuse forms that the FITS standard does not have."""
        if not _FORM.fullmatch(self.form):
            raise ValueError(f"TFORM {self.form!r} is not one of the FITS standard")

    @property
    def width(self) -> int:
        """Return the bytes of the column."""
        return int(self.form[1:].partition(".")[0])

    @property
    def kind(self) -> str:
        """Return ``text``, ``integer`` or ``number``."""
        kind = _KINDS[self.form[0]]
        return "number" if kind == "integer" and (self.scale, self.zero) != (1, 0) else kind

    @property
    def dtype(self) -> str | None:
        """Return ``f8`` if the column holds numbers, else None."""
        return None if self.kind == "text" else "f8"

    @property
    def is_logical(self) -> bool:
        return False

    def info(self) -> ColumnInfo:
        return ColumnInfo(self.kind != "text", self.kind == "text", self.unit, self.ucd)

    def _texts(self, rows: np.ndarray) -> pa.Array:
        raw = np.ascontiguousarray(rows[:, self.offset : self.offset + self.width])
        fields = [text.strip() for text in raw.view(f"S{self.width}")[:, 0].tolist()]
        null = None if self.null is None else self.null.encode()
        return pa.array([b"" if text == null else text for text in fields], pa.large_binary())

    def to_float(self, rows: np.ndarray) -> np.ndarray:
        """Return float64, NaN where null, from the bytes of rows; a blank field is null.

        Raises
        ------
        ValueTextError
            If a value is no number.
        """
        try:
            values = as_floats(self._texts(rows))
        except ValueTextError as error:
            message = f"{self.name} has {str(error)!r}, which is no number"
            raise ValueTextError(error.row, message) from error
        return values * self.scale + self.zero

    def exact(self, rows: np.ndarray, kind: str) -> list:
        """Return integers or texts of rows.

        Parameters
        ----------
        rows : array of uint8, shape (rows, bytes a row)
        kind : str
            ``integer`` or ``text``.

        Returns
        -------
        list of int or str
            None where null.

        Raises
        ------
        ValueTextError
            If a value is no whole number.
        """
        try:
            return as_exact(self._texts(rows), kind)
        except ValueTextError as error:
            message = f"{self.name} has {str(error)!r}, which is no whole number"
            raise ValueTextError(error.row, message) from error

    def exact_values(self, rows: np.ndarray) -> ExactValues:
        """Return values as they are."""
        if self.kind == "number":
            return ExactValues(self.to_float(rows))
        make = texts if self.kind == "text" else integers
        return make(self.exact(rows, self.kind))


def added_bytes(columns: Sequence[AddedColumn], *, is_ascii: bool) -> int:
    """Return the bytes that new columns take in each row.

    Parameters
    ----------
    columns : sequence of AddedColumn
    is_ascii : bool
        Whether the table is in ASCII, where a blank stands before each column.

    Returns
    -------
    int
    """
    if is_ascii:
        return sum(ASCII_FORMATS[column.dtype][1] + 1 for column in columns)
    return sum(np.dtype(column.dtype).itemsize for column in columns)


def ascii_cells(column: AddedColumn, values: np.ndarray) -> np.ndarray:
    """Return values as the bytes of an ASCII table.

    Parameters
    ----------
    column : AddedColumn
        Of a type in `ASCII_FORMATS`.
    values : array, shape (rows,)
        Where NaN, the field is blank: cfitsio takes no text such as ``NAN``.

    Returns
    -------
    array of uint8, shape (rows, bytes of the column)
        With a blank, at least, before each value.
    """
    form, width = ASCII_FORMATS[column.dtype]
    pattern = f"%{width + 1}.8E" if form[0] == "E" else f"%{width + 1}d"
    texts = ("" if value != value else pattern % value for value in np.asarray(values).tolist())
    new = [text.rjust(width + 1).encode() for text in texts]
    cells = np.array(new, f"S{width + 1}").reshape(-1, 1)
    return cells.view(np.uint8).reshape(len(new), width + 1)
