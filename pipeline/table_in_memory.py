"""Tables in memory, read as catalogs are: astropy's, pandas' and Arrow's."""

import numpy as np
from astropy import units as u

from catalogs.positions import ColumnInfo, check_not_radians, find_positions, says_no_unit

_WHERE = "the table"


class TableInMemory:
    """The columns of a table that are numbers, one a row.

    Parameters
    ----------
    table : astropy.table.Table, pandas.DataFrame or pyarrow.Table
    ra, dec, position_unit : str, optional
        As for `catalogs.open_catalog`.

    Attributes
    ----------
    path : str
        What it is called in messages.
    row_count : int
    column_names : tuple of str

    Raises
    ------
    TypeError
        If the table is of another kind.
    InputError
        If it has no position or several.
    """

    path = _WHERE

    def __init__(self, table, *, ra=None, dec=None, position_unit=None):
        self._table, self._reader = table, _reader_of(table)
        self.column_names = tuple(map(str, self._reader.names(table)))
        self.row_count = len(table)
        columns = {name: self._reader.describe(table, name) for name in self.column_names}
        position = find_positions(columns, _WHERE, ra=ra, dec=dec, unit=position_unit)
        self.position_columns = position
        self._may_be_radians = position_unit is None and says_no_unit(position, columns)

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers in rows [start, stop): float64, NaN where there is none.

        Parameters
        ----------
        name : str
        start, stop : int

        Returns
        -------
        array of float64, shape (rows,)
            NaN where there is no value.
        """
        return self._reader.read(self._table[name][start:stop])

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees of rows [start, stop), float64 of shape (rows, 2).

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        array of float64, shape (rows, 2)
            Right ascension and declination in degrees; NaN where missing.
        """
        position = self.position_columns
        both = (self.read_column(name, start, stop) for name in (position.ra, position.dec))
        positions = position.to_degrees(*both)
        if self._may_be_radians:
            check_not_radians(positions, position, _WHERE)
        return positions


class _Astropy:
    @staticmethod
    def names(table):
        return table.colnames

    @staticmethod
    def describe(table, name) -> ColumnInfo:
        column = table[name]
        unit = getattr(column, "unit", None)
        dtype = getattr(column, "dtype", np.dtype(object))
        plain = dtype.kind in "iufb" and column.ndim == 1
        return ColumnInfo(plain, dtype.kind in "SU", None if unit is None else str(unit))

    @staticmethod
    def read(column) -> np.ndarray:
        values = column.value if isinstance(column, u.Quantity) else column
        return np.asarray(np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan))


class _Pandas:
    @staticmethod
    def names(table):
        return table.columns

    @staticmethod
    def describe(table, name) -> ColumnInfo:
        dtype = table.dtypes[name]
        kind = getattr(dtype, "kind", "O")
        return ColumnInfo(kind in "iufb", kind in "OUS", None)

    @staticmethod
    def read(column) -> np.ndarray:
        return column.to_numpy(np.float64, na_value=np.nan)


class _Arrow:
    @staticmethod
    def names(table):
        return table.column_names

    @staticmethod
    def describe(table, name) -> ColumnInfo:
        import pyarrow.types as types

        field = table.schema.field(name)
        number = types.is_integer(field.type) or types.is_floating(field.type)
        unit = (field.metadata or {}).get(b"unit", b"").decode()
        return ColumnInfo(number, types.is_string(field.type), unit or None)

    @staticmethod
    def read(column) -> np.ndarray:
        return column.cast("float64").to_numpy()


def _reader_of(table):
    """Tell the kind of a table by its attributes, so that no library of tables must be imported."""
    if hasattr(table, "colnames"):
        return _Astropy
    if hasattr(table, "column_names") and hasattr(table, "schema"):
        return _Arrow
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return _Pandas
    raise TypeError(
        "table must be a path, an astropy Table, a pandas DataFrame or a pyarrow Table, not "
        f"{type(table).__name__}"
    )
