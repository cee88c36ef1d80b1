"""HDF5: tables of astropy in one dataset, and groups of columns as DESC's ``tables_io`` has them.

The output is a copy of the input in which one dataset is written anew, or a few are added.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from catalogs._astropy_yaml import described, provenance_of
from catalogs._hdf5_tables import Column, Table, description_path, tables_of
from catalogs._hdf5_values import exact, numbers, plain_values
from catalogs._hdf5_write import Storage, create, replace, widened
from catalogs.blocks import BLOCK_ROWS
from catalogs.columns import AddedColumn, already_there, check_free
from catalogs.details import ColumnDetail
from catalogs.errors import InputError, one_line
from catalogs.exact import ColumnKind, ExactValues, Wanted
from catalogs.hashes import file_sha256
from catalogs.output import written_whole
from catalogs.positions import (
    ColumnInfo,
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    has_positions,
    read_positions,
    says_no_unit,
)

_OURS = "lsbg."

_DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError)
"""What h5py raises where a file is damaged: types and texts too are of the file."""


class Hdf5Catalog:
    """A catalog in an HDF5 file; see `catalogs.Catalog`."""

    format = "hdf5"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        self.path = path
        options = {"ra": ra, "dec": dec, "unit": position_unit}
        with self._opened() as file:
            self._table = _chosen(path, tables_of(file, path), table, options)
        self.row_count = self._table.rows
        self.column_names = tuple(column.name for column in self._table.columns)
        infos, where = _infos(self._table), str(path)
        sample = Sample(self, 0, self.row_count)
        self.position_columns: PositionColumns = find_positions(
            infos, where, **options, sample=sample
        )
        if position_unit is None and says_no_unit(self.position_columns, infos):
            first = self.read_positions(0, sample.looked_at)
            check_not_radians(first, self.position_columns, where)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is doubtful about the table: datasets beside it of another length."""
        others = self._table.other_lengths
        if not others:
            return ()
        names = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        return (
            f"datasets of {self._table.path} with another number of values than the "
            f"{self.row_count} rows are no columns and are copied as they are: {names}",
        )

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        """Open the file to read it; refuse one that is damaged."""
        try:
            with h5py.File(self.path, "r", locking=False) as file:
                yield file
        except _DAMAGED as error:
            reason = one_line(error)
            raise InputError(f"{self.path}: not a readable HDF5 file ({reason})") from error

    def _column(self, name: str) -> Column:
        """Return the column of that name."""
        for column in self._table.columns:
            if column.name == name:
                return column
        raise InputError(f"{self.path}: no column {name}")

    def _read(self, columns: Sequence[Column], start: int, stop: int) -> dict[str, np.ndarray]:
        """Return columns and their masks as they are in the file."""
        names = dict.fromkeys(name for c in columns for name in (c.name, c.mask) if name)
        with self._opened() as file:
            return self._table.read(file, list(names), start, stop)

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""
        return self.read_columns((name,), start, stop)[0]

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""
        columns = [self._column(name) for name in names]
        for column in columns:
            if column.kind is None or column.kind.kind == "text" or column.kind.size is not None:
                raise InputError(f"{self.path}: {column.name} is not one real number a row")
        values = self._read(columns, start, stop)
        return [numbers(column, values) for column in columns]

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds; see `catalogs.Catalog`."""
        column = self._column(name)
        if column.kind is None:
            raise InputError(
                f"{self.path}: {name} is of the HDF5 type {column.dtype}, which cannot be compared"
            )
        return column.kind

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return values as they are; see `catalogs.Catalog`."""
        columns = [self._column(name) for name, _ in wanted]
        values = self._read(columns, start, stop)
        return [
            exact(column, values, element)
            for column, (_, element) in zip(columns, wanted, strict=True)
        ]

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        return read_positions(self, start, stop)

    def fingerprint(self) -> str:
        """Return the sha256 of the file."""
        return file_sha256(self.path)

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row; see `catalogs.Catalog`."""
        return [
            ColumnDetail(column.name, column.kind.kind, column.unit, column.description)
            for column in self._table.columns
            if column.kind is not None and column.kind.size is None
        ]

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        column, values = self._column(detail.name), []
        for start in range(0, self.row_count, BLOCK_ROWS):
            low, high = np.searchsorted(rows, (start, start + BLOCK_ROWS))
            if low < high:
                block = self._read([column], start, min(start + BLOCK_ROWS, self.row_count))
                values += plain_values(column, block, rows[low:high] - start)
        return values

    def provenance(self) -> dict[str, str]:
        """Return what the file says of our columns, by the keys of `write_annotated`."""
        if self._table.header is not None:
            return provenance_of(self._table.header)
        with self._opened() as file:
            notes = dict(file[self._table.path].attrs)
        return {
            key.removeprefix(_OURS): str(value)
            for key, value in notes.items()
            if key.startswith(_OURS)
        }

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns that exist; see `catalogs.Catalog`."""
        if not overwrite_columns:
            check_free(columns, self.column_names, self.path)
        dropped = already_there(columns, self.column_names)
        with self._opened() as file:
            node = file[self._table.path]
            others = [] if self._table.in_rows else [name for name in node if name not in dropped]
            check_free(columns, others, f"{self.path}: {self._table.path}")
            if self._table.in_rows and h5py.h5o.get_info(node.id).rc > 1:
                raise InputError(
                    f"{self.path}: {self._table.path} has several names in the file, which cannot "
                    "all be kept; copy it to a file of its own"
                )

    # --- Writing ---------------------------------------------------------------------------------

    @contextmanager
    def _copied(self, output: Path) -> Iterator[h5py.File]:
        """Copy the file and open the copy to change it; it appears when it is whole."""
        with written_whole(output) as partial:
            shutil.copyfile(self.path, partial)
            try:
                file = h5py.File(partial, "r+")
            except OSError as error:
                reason = one_line(error).replace(str(partial), str(self.path))
                raise InputError(f"{self.path}: cannot be changed ({reason})") from error
            with file:
                yield file

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
    ):
        """Write the file again with columns added; see `catalogs.Catalog`."""
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        dropped = set(already_there(columns, self.column_names))
        dropped |= {c.mask for c in self._table.columns if c.name in dropped and c.mask}
        with self._copied(output) as file:
            if self._table.in_rows:
                self._write_into_rows(file, dropped, columns, values)
            else:
                self._add_datasets(file[self._table.path], dropped, columns, values)
            if self._table.header is not None:
                lines = described(self._table.header, dropped, columns, provenance)
                _write_description(file, self._table.path, lines)
            _write_provenance(file[self._table.path], provenance)

    def _write_into_rows(self, file: h5py.File, dropped: set[str], columns, values):
        """Write the dataset of all rows anew, with wider rows."""
        with h5py.File(self.path, "r", locking=False) as source:
            old = source[self._table.path]
            dtype = widened(old.dtype, dropped, columns)
            kept = [name for name in old.dtype.names if name not in dropped]

            def blocks():
                for start, rows in self._pieces(old):
                    block = np.zeros(len(rows), dtype)
                    for name in kept:
                        block[name] = rows[name]
                    new = values(start, start + len(rows))
                    for column, value in zip(columns, new, strict=True):
                        block[column.name] = value
                    yield block

            replace(file, self._table.path, dtype, self.row_count, blocks())

    def _add_datasets(self, group: h5py.Group, dropped: set[str], columns, values):
        """Add a dataset for each column, stored as the right ascensions are."""
        for name in dropped:
            del group[name]
        storage = Storage.of(group[self.position_columns.ra])
        made = []
        for column in columns:
            dtype = np.dtype(f"<{column.dtype}")
            dataset = create(group, column.name, dtype, (self.row_count,), storage)
            for key in ("description", "ucd", "unit"):
                if getattr(column, key):
                    dataset.attrs[key] = getattr(column, key)
            made.append(dataset)
        for start in range(0, self.row_count, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self.row_count)
            for dataset, value in zip(made, values(start, stop), strict=True):
                dataset[start:stop] = value

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the file again with some of the rows; see `catalogs.Catalog`."""
        table, count = self._table, int(np.count_nonzero(keep))
        paths = [table.path]
        if not table.in_rows:
            paths = [f"{table.path.rstrip('/')}/{name}" for name in self.column_names]
        source = h5py.File(self.path, "r", locking=False)
        with self._copied(output) as file, source:
            for path in paths:
                old = source[path]
                blocks = (
                    rows[keep[start : start + len(rows)]] for start, rows in self._pieces(old)
                )
                replace(file, path, old.dtype, count, blocks)

    def _pieces(self, old: h5py.Dataset) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the values of a dataset, and the numbers of the rows that they begin with."""
        for start in range(0, self.row_count, BLOCK_ROWS):
            try:
                rows = old[start : start + BLOCK_ROWS]
            except _DAMAGED as error:
                reason = one_line(error)
                raise InputError(f"{self.path}: damaged ({reason}); fetch it again") from error
            yield start, rows


def _infos(table: Table) -> dict[str, ColumnInfo]:
    """Return what finding positions needs to know of each column."""
    infos = {}
    for column in table.columns:
        kind = column.kind.kind if column.kind and column.kind.size is None else None
        is_number = kind in ("integer", "number")
        infos[column.name] = ColumnInfo(
            is_number, kind == "text", column.unit or None, column.ucd or None
        )
    return infos


def _chosen(path: Path, tables: list[Table], wanted, options) -> Table:
    """Pick the table by its path, or the only one with positions."""
    paths = ", ".join(table.path for table in tables)
    if not tables:
        raise InputError(
            f"{path}: no table in it, neither a dataset of rows nor a group of columns"
        )
    if wanted is not None:
        named = [t for t in tables if t.path.strip("/") == str(wanted).strip("/")]
        if not named:
            raise InputError(f"{path}: no table {wanted!r}; there are {paths}")
        return named[0]
    if len(tables) == 1:
        return tables[0]
    usable = [table for table in tables if has_positions(_infos(table), options)]
    if len(usable) != 1:
        count = "several tables" if usable else "no table"
        paths = ", ".join(table.path for table in usable) or paths
        raise InputError(f"{path}: {count} with positions; choose with --table: {paths}")
    return usable[0]


def _write_description(file: h5py.File, path: str, lines: list[str]):
    """Replace astropy's description of a table."""
    place = description_path(path)
    del file[place]
    file.create_dataset(place, data=np.array([line.encode() for line in lines]))


def _write_provenance(node, provenance: Mapping[str, str]):
    """Write where the columns come from, in place of what an earlier run wrote."""
    for key in [key for key in node.attrs if key.startswith(_OURS)]:
        del node.attrs[key]
    for key, value in provenance.items():
        node.attrs[f"{_OURS}{key}"] = value.encode("utf-8", "backslashreplace").decode()
