"""Parquet files and folders of them: read positions, and write them again with columns added."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalogs._parquet_exact import kind_of_type
from catalogs._parquet_files import opened, parts_of
from catalogs._parquet_partition import ParquetPartition, partition_of
from catalogs._parquet_read import ExactReader, FloatReader, batches_from, picked
from catalogs._parquet_rows import write_rows
from catalogs._parquet_schema import check_numbers, details_of, infos_of, provenance_of
from catalogs._parquet_write import row_groups, text_lengths, write_part, writer_options
from catalogs.columns import AddedColumn, check_free
from catalogs.details import ColumnDetail
from catalogs.errors import InputError
from catalogs.exact import ColumnKind, ExactValues, Wanted, no_rows
from catalogs.output import files_below, written_whole
from catalogs.partitions import Annotation, check_alike, joined_fingerprint
from catalogs.positions import (
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    read_positions,
    says_no_unit,
)

_OTHER_TABLES = {".fits", ".fit", ".fts", ".fz", ".csv", ".tsv", ".vot", ".ecsv", ".cat"}
_STALE = {"_metadata", "_common_metadata"}


class ParquetCatalog:
    """A catalog in a Parquet file, or in all those of a folder; see `catalogs.Catalog`.

    The files of a folder are taken in the order of their relative paths, and links are followed;
    names that begin with ``_`` or ``.`` are no parts of the table.
    """

    format = "parquet"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for FITS files, Parquet has one table")
        self._open(path)
        self.position_columns = self._positions(ra=ra, dec=dec, unit=position_unit)

    def _open(self, path: Path):
        """Read what the files say of themselves."""
        self.path = path
        self._parts = parts_of(path)
        self.row_count = sum(part.rows for part in self._parts)
        self.column_names = tuple(self._parts[0].schema.names)
        self._readers: dict[tuple[str, ...], FloatReader] = {}
        self._exact_readers: dict[tuple[Wanted, ...], ExactReader] = {}

    @classmethod
    def with_positions(cls, path: Path, position_columns: PositionColumns) -> "ParquetCatalog":
        """Open a file of a catalog whose position columns are known.

        Parameters
        ----------
        path : Path
        position_columns : PositionColumns

        Returns
        -------
        ParquetCatalog
        """
        catalog = cls.__new__(cls)
        catalog._open(path)
        catalog.position_columns = position_columns
        return catalog

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what is doubtful about a folder: tables in it that are no parts of this one."""
        if not self.path.is_dir():
            return ()
        others = sorted(
            str(file.relative_to(self.path))
            for file in files_below(self.path)
            if file.suffix.lower() in _OTHER_TABLES
        )
        if not others:
            return ()
        names = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        return (f"tables in the folder that are no Parquet are copied and not scored: {names}",)

    @property
    def paths(self) -> list[Path]:
        """The file of each part, in the order of the rows."""
        return [part.path for part in self._parts]

    @property
    def row_counts(self) -> list[int]:
        """Return the rows of each file."""
        return [part.rows for part in self._parts]

    def _positions(self, **options) -> PositionColumns:
        """Find the position, which every file of a folder must have, in the same unit."""
        each: list[PositionColumns] = []
        for number, part in enumerate(self._parts):
            if number and self._says_the_same(number, each[-1]):
                each.append(each[-1])
                continue
            where, infos = str(part.path), infos_of(part.schema)
            sample = Sample(self, part.first, part.rows)
            position = find_positions(infos, where, **options, sample=sample)
            each.append(position)
            check_alike(each[0], self._parts[0].path, position, where)
            if options["unit"] is None and says_no_unit(position, infos):
                values = sample.read((position.ra, position.dec), position.texts)
                check_not_radians(position.to_degrees(*values), position, where)
        return each[0]

    def _says_the_same(self, number: int, before: PositionColumns) -> bool:
        """Tell whether a file needs no look, for its schema decided alone in the one before it."""
        schema = self._parts[number].schema
        if schema is not self._parts[number - 1].schema or before.texts or before.notes:
            return False
        return not says_no_unit(before, infos_of(schema))

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

    def _batches(self, names: Sequence[str], start: int) -> Iterator[pa.RecordBatch]:
        """Yield some columns of the rows from `start` on, at most `BLOCK_ROWS` rows at a time."""
        return batches_from(self._parts, names, start)

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
                    f"{part.path}: {name} is of the type {type_}, which cannot be compared"
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

    def fingerprint(self) -> str:
        """Return a sha256 over the names and contents of all parts."""
        partitions = self._described(Path())
        digests = (partition.fingerprint() for partition in partitions)
        return joined_fingerprint((partition.name for partition in partitions), digests)

    def partitions(self, below: Path = Path()) -> list[ParquetPartition]:
        """List the files; see `catalogs.partitions.PartitionedCatalog`.

        Parameters
        ----------
        below : Path
            Where the folder of data is in the output.
        """
        return self._described(below) if self.path.is_dir() else []

    def _described(self, below: Path) -> list[ParquetPartition]:
        position = self.position_columns
        return [partition_of(part, self.path, position, below) for part in self._parts]

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
        start = int(rows[0]) if len(rows) else 0
        for batch in self._batches((detail.name,), start) if len(rows) else ():
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

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
        vo_metadata: bool = False,
    ):
        """Write the files again with columns added; see `catalogs.Catalog`.

        Other files of a folder are copied, but not ``_metadata``, which would not know the new
        columns. With `vo_metadata`, each file gets the VOTable of VOParquet that describes all
        its columns; one that is there already learns the new columns in any case.
        """
        self.check_annotated(columns, overwrite_columns=overwrite_columns)
        lengths = text_lengths(self._parts) if vo_metadata else None
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                target = (
                    partial / part.path.relative_to(self.path) if self.path.is_dir() else partial
                )
                write_part(part, target, columns, values, provenance, lengths)

    def write_rest(self, output: Path, annotation: Annotation):
        """Copy the other files of a folder; see `catalogs.partitions.PartitionedCatalog`."""
        shutil.copytree(self.path, output, ignore=self._ignored, dirs_exist_ok=True)

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the files again with some of the rows; see `catalogs.Catalog`."""
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                inside = self.path.is_dir()
                target = partial / part.path.relative_to(self.path) if inside else partial
                with opened(part.path) as source:
                    groups = row_groups(source, part.path)
                    options = writer_options(source.metadata, [])
                    rows = keep[part.first : part.first + part.rows]
                    write_rows(source, groups, options, rows, target)

    def _ignored(self, folder, names):
        """Name what is not copied: the parts, which are written, and stale summaries."""
        parts = {part.path for part in self._parts}
        return [name for name in names if name in _STALE or Path(folder) / name in parts]
