"""Tables in batches of Arrow: what the catalogs in Parquet and in Arrow IPC have in common."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalogs._parquet_exact import kind_of_type
from catalogs._parquet_files import Part
from catalogs._parquet_read import ExactReader, FloatReader, picked
from catalogs._parquet_schema import check_numbers, details_of, infos_of, provenance_of
from catalogs.columns import AddedColumn, check_free
from catalogs.details import ColumnDetail
from catalogs.errors import InputError
from catalogs.exact import ColumnKind, ExactValues, Wanted, no_rows
from catalogs.positions import (
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    read_positions,
    says_no_unit,
)


class ArrowTable:
    """A catalog that is read in batches of Arrow; see `catalogs.Catalog`.

    A format has `title` and `_batches`.

    Parameters
    ----------
    path : Path
    parts : list of Part
        The files of the table.
    options
        ``ra``, ``dec`` and ``unit``, as of `catalogs.positions.find_positions`.
    """

    title: str
    """What people call the format."""

    def __init__(self, path: Path, parts: list[Part], **options: str | None):
        self.path = path
        self._parts = parts
        self.row_count = sum(part.rows for part in parts)
        self.column_names = tuple(parts[0].schema.names)
        self._readers: dict[tuple[str, ...], FloatReader] = {}
        self._exact_readers: dict[tuple[Wanted, ...], ExactReader] = {}
        self.position_columns = self._positions(**options)

    def _batches(self, names: Sequence[str], start: int) -> Iterator[pa.RecordBatch]:
        """Yield some columns of the rows from `start` on, at most `BLOCK_ROWS` rows at a time."""
        raise NotImplementedError

    def _positions(self, **options) -> PositionColumns:
        """Find the position, which every file of a folder must have, in the same unit."""
        each: list[PositionColumns] = []
        for part in self._parts:
            where, infos = str(part.path), infos_of(part.schema)
            sample = Sample(self, part.first, part.rows)
            position = find_positions(infos, where, **options, sample=sample)
            each.append(position)
            first = each[0]
            if position != first:
                raise InputError(
                    f"{where}: has {position.ra} and {position.dec} in {position.unit}, but "
                    f"{self._parts[0].path} has {first.ra} and {first.dec} in {first.unit}; "
                    "make the files alike"
                )
            if options["unit"] is None and says_no_unit(position, infos):
                values = sample.read((position.ra, position.dec), position.texts)
                check_not_radians(position.to_degrees(*values), position, where)
        return each[0]

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers; see `catalogs.Catalog`."""
        return self.read_columns((name,), start, stop)[0]

    def read_columns(self, names: Sequence[str], start: int, stop: int) -> list[np.ndarray]:
        """Return several columns of numbers; see `catalogs.Catalog`."""
        names = tuple(names)
        reader = self._readers.get(names)
        if reader is None:
            for part in self._parts:
                check_numbers(part, names)
        if reader is None or reader.row != start:
            batches = self._batches(names, start) if names else iter(())
            reader = self._readers[names] = FloatReader(batches, names, start)
        values = list(reader.read(stop - start))
        if stop >= self.row_count:
            del self._readers[names]  # it holds a row group in memory
        return values

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds, the same in all files; see `catalogs.Catalog`."""
        kinds: dict[ColumnKind, Path] = {}
        for part in self._parts:
            if name not in part.schema.names:
                raise InputError(f"{part.path}: no column {name}")
            type_ = part.schema.field(name).type
            kind = kind_of_type(type_)
            if kind is None:
                raise InputError(
                    f"{part.path}: {name} is of the {self.title} type {type_}, which cannot be "
                    "compared"
                )
            kinds[kind] = part.path
        if len(kinds) > 1:
            raise InputError(f"{part.path}: {name} is not of the type that it has in other files")
        return next(iter(kinds))

    def read_exact(self, wanted: Sequence[Wanted], start: int, stop: int) -> list[ExactValues]:
        """Return values as they are; see `catalogs.Catalog`."""
        wanted = tuple(wanted)
        if start >= stop:
            return [no_rows(self.column_kind(name)) for name, _ in wanted]
        reader = self._exact_readers.get(wanted)
        if reader is None or reader.row != start:
            names = tuple(dict.fromkeys(name for name, _ in wanted))
            batches = self._batches(names, start)
            reader = self._exact_readers[wanted] = ExactReader(batches, wanted, start)
        values = reader.read(stop - start)
        if stop >= self.row_count:
            del self._exact_readers[wanted]
        return values

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        return read_positions(self, start, stop)

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns that a file has already; see `catalogs.Catalog`."""
        for part in self._parts:
            if not overwrite_columns:
                check_free(columns, part.schema.names, part.path)

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row; see `catalogs.Catalog`."""
        return details_of(self._parts[0].schema)

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        values: list = []
        if not len(rows):
            return values
        start = int(rows[0])
        for batch in self._batches((detail.name,), start):
            first, last = np.searchsorted(rows, (start, start + batch.num_rows))
            if first < last:
                values += picked(batch.column(0), rows[first:last] - start)
            start += batch.num_rows
            if start > rows[-1]:
                break
        return [str(v) if detail.kind == "text" and v is not None else v for v in values]

    def provenance(self) -> dict[str, str]:
        """Return what the schema says of our columns, by the keys of `write_annotated`."""
        return provenance_of(self._parts[0].schema)
