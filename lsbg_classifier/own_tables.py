"""Tables that this project makes itself, as FITS or Parquet, with units and descriptions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.table import Table
from pyarrow import parquet

from catalogs.errors import InputError, one_line
from catalogs.fits_headers import UNREADABLE
from catalogs.output import PARQUET_SUFFIXES, written_whole


def check_table_name(path: Path):
    """Raise `InputError` if the name of a table says neither FITS nor Parquet."""
    if path.suffix.lower() not in (".fits", ".fit", *PARQUET_SUFFIXES):
        raise InputError(f"{path}: name it .fits or .parquet")


def write_table(table: Table, path: Path, name: str, notes: Mapping[str, object]):
    """Write a table as FITS or Parquet, by its ending.

    Parameters
    ----------
    table : astropy.table.Table
    path : Path
        Appears under this name only when it is whole.
    name : str
        Of the extension, in FITS.
    notes : mapping of str to object
        Said once: cards of the FITS header, metadata of the Parquet schema.

    Raises
    ------
    InputError
        If the ending is another.
    """
    check_table_name(path)
    with written_whole(path) as partial:
        if path.suffix.lower() in PARQUET_SUFFIXES:
            _write_parquet(table, partial, notes)
        else:
            _write_fits(table, partial, name, notes)


def _write_fits(table, partial, name, notes):
    hdu = fits.BinTableHDU(Table(table, copy=False), name=name)
    for number, column in enumerate(table.colnames, 1):
        if table[column].unit is not None:
            unit = table[column].unit.to_string("fits")
            hdu.header.set(f"TUNIT{number}", unit, after=f"TFORM{number}")
        if table[column].description:
            text = table[column].description
            hdu.header.set(f"TCOMM{number}", text, after=f"TFORM{number}")
    for key, value in notes.items():
        hdu.header[f"HIERARCH {key.upper()}" if len(key) > 8 else key.upper()] = value
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(partial)


def _write_parquet(table, partial, notes):
    fields, arrays = [], []
    for column in table.colnames:
        values = np.asarray(table[column])
        array = pa.array(values.astype(object) if values.dtype.kind == "U" else values)
        unit = table[column].unit
        metadata = {
            "unit": "" if unit is None else str(unit),
            "description": table[column].description or "",
        }
        fields.append(pa.field(column, array.type, metadata=metadata))
        arrays.append(array)
    schema = pa.schema(fields, metadata={key: str(value) for key, value in notes.items()})
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), partial)


def read_table(path: Path) -> Table:
    """Read a table that `write_table` has written, or one with the same columns.

    Raises
    ------
    InputError
        If it is not there or not readable.
    """
    check_table_name(path)
    try:
        if path.suffix.lower() in PARQUET_SUFFIXES:
            columns = parquet.read_table(path)
            return Table({n: _plain(columns[n]) for n in columns.column_names})
        table = Table.read(path, format="fits", hdu=1, unit_parse_strict="silent")
        table.convert_bytestring_to_unicode()
        return table.filled(np.nan) if table.has_masked_values else table
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{path}: not a readable table ({reason})") from error


def _plain(column) -> np.ndarray:
    values = column.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype == object else values
