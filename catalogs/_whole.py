"""What the catalogs that are read whole have in common."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from catalogs.columns import AddedColumn, check_free, column_number
from catalogs.errors import InputError
from catalogs.exact import ColumnKind, ExactValues, Wanted
from catalogs.hashes import file_sha256
from catalogs.positions import (
    ColumnInfo,
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    read_positions,
    says_no_unit,
)


class WholeCatalog:
    """A catalog whose file is held in memory; see `catalogs.Catalog`.

    A format fills in `row_count`, `column_names` and `_read_numbers`, then calls
    `_find_positions`.
    """

    path: Path
    row_count: int
    column_names: tuple[str, ...]
    position_columns: PositionColumns

    def __init__(self, path: Path):
        self.path = path
        self._kept: dict[int, np.ndarray] = {}
        self._kept_exact: dict[Wanted, ExactValues] = {}

    def _read_numbers(self, number: int) -> np.ndarray:
        """Return the column of that number: float64, shape (rows,), NaN where null.

        Raises
        ------
        InputError
            If it is not one number or logical value a row.
        """
        raise NotImplementedError

    def _kind(self, number: int) -> ColumnKind | None:
        """Return what the column of that number holds; None: nothing that can be compared."""
        raise NotImplementedError

    def _read_exact(self, number: int, element: int | None) -> ExactValues:
        """Return values of the column of that number as they are, in all rows."""
        raise NotImplementedError

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds; see `catalogs.Catalog`."""
        kind = self._kind(self._number_of(name))
        if kind is None:
            raise InputError(f"{self.path}: {name} is of a type that cannot be compared")
        return kind

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return values as they are; see `catalogs.Catalog`."""
        values = []
        for one in wanted:
            if one not in self._kept_exact:
                self._kept_exact[one] = self._read_exact(self._number_of(one[0]), one[1])
            values.append(self._kept_exact[one].rows(start, stop))
        return values

    def _numbers(self, name: str) -> np.ndarray:
        """Return a column as `_read_numbers` does, and keep it for the next block of rows."""
        number = self._number_of(name)
        if number not in self._kept:
            self._kept[number] = self._read_numbers(number)
        return self._kept[number]

    def _find_positions(self, infos: Mapping[str, ColumnInfo], **options):
        """Find the position among the columns; `options` are those of `find_positions`."""
        where = str(self.path)
        sample = Sample(self, 0, self.row_count)
        self.position_columns = find_positions(infos, where, **options, sample=sample)
        self.read_positions(0, self.row_count)
        if options["unit"] is None and says_no_unit(self.position_columns, infos):
            first = self.read_positions(0, min(self.row_count, 10_000))
            check_not_radians(first, self.position_columns, where)

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""
        return self._numbers(name)[start:stop]

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""
        return [self.read_column(name, start, stop) for name in names]

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        return read_positions(self, start, stop)

    def fingerprint(self) -> str:
        """Return the sha256 of the file."""
        return file_sha256(self.path)

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns that exist; see `catalogs.Catalog`."""
        if not overwrite_columns:
            check_free(columns, self.column_names, self.path)

    def _number_of(self, name: str) -> int:
        """Return which column has that name."""
        return column_number(name, self.column_names, self.path)
