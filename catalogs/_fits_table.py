"""The tables of a FITS file: where they lie, and their columns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs._fits_ascii import AsciiColumn
from catalogs._fits_header import column_bytes
from catalogs.errors import InputError
from catalogs.positions import ColumnInfo

_NUMBERS = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}


WHOLE = ("B", "I", "J", "K")
"""Types of whole numbers, by their letter in TFORM."""


@dataclass(frozen=True)
class BinaryColumn:
    """A column as the header describes it; `offset` and `width` in bytes of a row."""

    name: str
    form: str
    offset: int
    width: int
    unit: str | None
    scale: float
    zero: float
    null: int | None
    dimensions: str | None = None
    ucd: str | None = None

    @property
    def dtype(self) -> str | None:
        """Numpy's type if the column is one real number a row, else None."""
        return _NUMBERS.get(self.form.strip().removeprefix("1")[:1])

    @property
    def is_logical(self) -> bool:
        return self.form.strip() in ("L", "1L")

    def to_float(self, rows: np.ndarray) -> np.ndarray:
        """Return float64, NaN where null, from the bytes of rows, shape (rows, bytes a row)."""
        raw = rows[:, self.offset : self.offset + self.width]
        if self.is_logical:
            return np.select([raw[:, 0] == ord("T"), raw[:, 0] == ord("F")], [1.0, 0.0], np.nan)
        return self.scaled(np.ascontiguousarray(raw).view(self.dtype or "V")[:, 0])

    def scaled(self, stored: np.ndarray) -> np.ndarray:
        """Return float64, NaN where null, of numbers as they are stored."""
        values = stored.astype(np.float64)
        if (self.scale, self.zero) != (1, 0):
            values = values * self.scale + self.zero
        return values if self.null is None else np.where(stored == self.null, np.nan, values)

    def info(self) -> ColumnInfo:
        is_text = self.form.strip().lstrip("0123456789")[0] == "A"
        return ColumnInfo(self.dtype is not None, is_text, self.unit, self.ucd)


class FitsTable:
    """Where one binary table lies in the file, and its columns."""

    def __init__(self, number: int, hdu):
        header, place = hdu.header, hdu.fileinfo()
        self.number, self.name = number, hdu.name
        self.label = f"extension {number} {hdu.name}".rstrip()
        self.header_start = place["hdrLoc"]
        self.data_start = place["datLoc"]
        self.end = place["datLoc"] + place["datSpan"]
        self.row_bytes, self.rows = header["NAXIS1"], header["NAXIS2"]
        self.heap_start = self.data_start + self.row_bytes * self.rows
        self.heap_end = self.heap_start + header.get("PCOUNT", 0)
        self.heap_offset = header.get("THEAP")
        self.is_ascii = header["XTENSION"] == "TABLE"
        self.columns = _ascii_columns(header) if self.is_ascii else _columns(header)
        if min(self.rows, self.heap_end - self.heap_start) < 0:
            raise ValueError(f"{self.label}: NAXIS2 or PCOUNT is negative")
        if self.is_ascii:
            if any(not 0 <= c.offset <= self.row_bytes - c.width for c in self.columns):
                raise ValueError(f"{self.label}: TBCOL is not in the row")
        elif sum(column.width for column in self.columns) != self.row_bytes:
            raise ValueError(f"{self.label}: NAXIS1 is not the sum of the columns")

    def infos(self) -> dict[str, ColumnInfo]:
        return {column.name: column.info() for column in self.columns}


def check_row_by_row(table: FitsTable, path: Path):
    """Refuse a table that holds each column as one vector in a single row.

    Parameters
    ----------
    table : FitsTable
    path : Path
        For the error.

    Raises
    ------
    InputError
        With the command that converts it.
    """
    if table.rows != 1 or table.is_ascii or len(table.columns) < 2:
        return
    shapes = (c.dimensions for c in table.columns if isinstance(c, BinaryColumn))
    lengths = {(shape or "").strip("() ").rpartition(",")[2].strip() for shape in shapes}
    if len(lengths) == 1 and lengths.pop().isdigit():
        raise InputError(
            f"{path}: FITS of columns (colfits), which is not read; convert it: stilts tpipe "
            f"in={path.name} out={path.stem}_rows.fits ofmt=fits-plus"
        )


def _ascii_columns(header) -> list["BinaryColumn | AsciiColumn"]:
    """Return the columns of an ASCII table (FITS standard 4.0, section 7.2)."""
    return [
        AsciiColumn(
            name=str(header.get(f"TTYPE{n}", f"col{n}")),
            form=str(header[f"TFORM{n}"]).strip(),
            offset=int(header[f"TBCOL{n}"]) - 1,
            unit=str(header.get(f"TUNIT{n}", "")).strip() or None,
            scale=float(header.get(f"TSCAL{n}", 1)),
            zero=float(header.get(f"TZERO{n}", 0)),
            null=str(header.get(f"TNULL{n}", "")).strip() or None,
            ucd=header.get(f"TUCD{n}"),
        )
        for n in range(1, header["TFIELDS"] + 1)
    ]


def _columns(header) -> list[BinaryColumn | AsciiColumn]:
    columns: list[BinaryColumn | AsciiColumn] = []
    offset = 0
    for n in range(1, header["TFIELDS"] + 1):
        form = header[f"TFORM{n}"]
        column = BinaryColumn(
            name=str(header.get(f"TTYPE{n}", f"col{n}")),
            form=form,
            offset=offset,
            width=column_bytes(form),
            unit=str(header.get(f"TUNIT{n}", "")).strip() or None,
            scale=float(header.get(f"TSCAL{n}", 1)),
            zero=_number(header.get(f"TZERO{n}", 0)),
            null=header.get(f"TNULL{n}"),
            dimensions=header.get(f"TDIM{n}"),
            ucd=header.get(f"TUCD{n}"),
        )
        offset += column.width
        columns.append(column)
    return columns


def _number(value) -> int | float:
    """Return an integer as it is: as a float, one of 64 bits would be rounded."""
    return value if type(value) is int else float(value)
