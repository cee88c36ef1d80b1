"""Parquet files and folders of them: read positions, and write them again with columns added."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs.columns import AddedColumn, already_there, check_free
from catalogs.errors import InputError
from catalogs.output import written_whole
from catalogs.positions import (
    ColumnInfo,
    PositionColumns,
    check_not_radians,
    find_positions,
    says_no_unit,
)

_ROWS = 65_536
_LARGEST_GROUP = 1 << 20
_TYPES = {"f4": pa.float32(), "i2": pa.int16()}
_STALE = {"_metadata", "_common_metadata"}


@dataclass(frozen=True)
class _Part:
    """One file, and the row of the whole catalog that it begins with."""

    path: Path
    first: int
    rows: int
    schema: pa.Schema


class ParquetCatalog:
    """A catalog in a Parquet file, or in all those of a folder; see `catalogs.Catalog`.

    The files of a folder are taken in the order of their relative paths; names that begin with
    ``_`` or ``.`` are no parts of the table.
    """

    format = "parquet"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for FITS files, Parquet has one table")
        self.path = path
        self._parts = _parts(path)
        self.row_count = sum(part.rows for part in self._parts)
        self.column_names = tuple(self._parts[0].schema.names)
        infos = _infos(self._parts[0].schema)
        self.position_columns: PositionColumns = find_positions(
            infos, str(path), ra=ra, dec=dec, unit=position_unit
        )
        self._check_parts()
        self._reader: tuple[tuple[str, ...], int, Iterator[np.ndarray]] | None = None
        self._rest = np.empty((0, 2))
        if position_unit is None and says_no_unit(self.position_columns, infos):
            first = self.read_positions(0, min(self.row_count, 10_000))
            check_not_radians(first, self.position_columns, str(path))

    def _check_parts(self):
        """Every file of a folder must have the position, in the same unit."""
        columns = self.position_columns
        for part in self._parts[1:]:
            infos = _infos(part.schema)
            find_positions(infos, str(part.path), ra=columns.ra, dec=columns.dec, unit=columns.unit)

    def read_column(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return a column of numbers in rows [start, stop): float64, NaN where null."""
        return self._read((name,), start, stop)[:, 0]

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        columns = self.position_columns
        return columns.to_degrees(*self._read((columns.ra, columns.dec), start, stop).T)

    def _read(self, names: tuple[str, ...], start: int, stop: int) -> np.ndarray:
        """Read columns as float64, shape (rows, columns); fastest when called in order."""
        if self._reader is None or self._reader[:2] != (names, start):
            self._rest = np.empty((0, len(names)))
            self._reader = (names, start, self._batches(names, start))
        pieces, missing = [self._rest], stop - start - len(self._rest)
        while missing > 0:
            pieces.append(next(self._reader[2]))
            missing -= len(pieces[-1])
        joined = np.concatenate(pieces)
        self._rest = joined[stop - start :]
        self._reader = (names, stop, self._reader[2])
        return joined[: stop - start]

    def _batches(self, names, start) -> Iterator[np.ndarray]:
        for part in self._parts:
            position = part.first
            if part.first + part.rows <= start:
                continue
            with _opened(part.path) as file:
                for batch in file.iter_batches(_ROWS, columns=list(names)):
                    skip = max(start - position, 0)
                    position += batch.num_rows
                    if skip < batch.num_rows:
                        columns = [_as_float(batch.column(name)) for name in names]
                        yield np.stack(columns, axis=1)[skip:]

    def fingerprint(self) -> str:
        """Return a sha256 over the names and contents of all parts."""
        digest = hashlib.sha256()
        for part in self._parts:
            with open(part.path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{part.path.relative_to(self.path)} {content}\n".encode())
        return digest.hexdigest()

    def write_annotated(
        self,
        output: Path,
        columns: Sequence[AddedColumn],
        values: Callable[[int, int], Sequence[np.ndarray]],
        provenance: Mapping[str, str],
        *,
        overwrite_columns: bool = False,
    ):
        """Write the files again with columns added; see `catalogs.Catalog`.

        Other files of a folder are copied, but not ``_metadata``, which would not know the new
        columns.
        """
        for part in self._parts:
            if not overwrite_columns:
                check_free(columns, part.schema.names, part.path)
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                target = (
                    partial / part.path.relative_to(self.path) if self.path.is_dir() else partial
                )
                _write_part(part, target, columns, values, provenance)

    def _ignored(self, folder, names):
        """Name what is not copied: the parts, which are written, and stale summaries."""
        parts = {part.path for part in self._parts}
        return [name for name in names if name in _STALE or Path(folder) / name in parts]


def _parts(path: Path) -> list[_Part]:
    """List the files, with their sizes and schemas."""
    files = [path]
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix in (".parquet", ".parq", ".pq")
            and not any(name.startswith((".", "_")) for name in file.relative_to(path).parts)
        )
        if not files:
            raise InputError(f"{path}: no Parquet files in this folder")
    parts, first = [], 0
    for file in files:
        with _opened(file) as opened:
            rows = opened.metadata.num_rows
            parts.append(_Part(file, first, rows, opened.schema_arrow))
        first += rows
    return parts


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: not a readable Parquet file ({reason})") from error


def _infos(schema: pa.Schema) -> dict[str, ColumnInfo]:
    infos = {}
    for field in schema:
        unit = (field.metadata or {}).get(b"unit", b"").decode("utf-8", "replace").strip()
        kind = field.type
        is_number = (
            pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        )
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        infos[field.name] = ColumnInfo(is_number, is_text, unit or None)
    return infos


def _as_float(array: pa.Array) -> np.ndarray:
    """Return float64 with NaN where null."""
    return pc.cast(array, pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)


def _write_part(part: _Part, target: Path, columns, values, provenance):
    """Write one file again, row group by row group."""
    dropped = already_there(columns, part.schema.names)
    kept = [name for name in part.schema.names if name not in dropped]
    schema = _schema(part.schema, kept, columns, provenance)
    row = part.first
    with _opened(part.path) as source:
        options = _writer_options(source.metadata, kept)
        with pq.ParquetWriter(target, schema, **options) as writer:
            for batches in _row_groups(source):
                old = pa.Table.from_batches(batches).select(kept)
                stop = row + old.num_rows
                new = _arrays(columns, values, row, stop)
                writer.write_table(
                    pa.Table.from_arrays([*old.columns, *new], schema=schema),
                    row_group_size=_LARGEST_GROUP,
                )
                row = stop


def _row_groups(file: pq.ParquetFile) -> Iterator[list[pa.RecordBatch]]:
    """Yield the batches of each row group; huge groups come in several pieces."""
    for number in range(file.num_row_groups):
        batches, rows = [], 0
        for batch in file.iter_batches(_ROWS, row_groups=[number]):
            batches.append(batch)
            rows += batch.num_rows
            if rows >= _LARGEST_GROUP:
                yield batches
                batches, rows = [], 0
        if batches:
            yield batches


def _arrays(columns, values, start, stop) -> list[pa.Array]:
    """Turn the added columns' values into Arrow arrays; NaN becomes null."""
    pieces = [[] for _ in columns]
    for first in range(start, stop, _ROWS):
        for piece, value in zip(pieces, values(first, min(first + _ROWS, stop)), strict=True):
            piece.append(np.asarray(value))
    return [
        pa.array(np.concatenate(piece), _TYPES[column.dtype], from_pandas=True)
        for column, piece in zip(columns, pieces, strict=True)
    ]


def _schema(old: pa.Schema, kept, columns, provenance) -> pa.Schema:
    """Add fields with their descriptions, and the provenance, to a schema."""
    fields = [old.field(name) for name in kept]
    for column in columns:
        notes = {"description": column.description, "ucd": column.ucd, "unit": column.unit}
        fields.append(
            pa.field(column.name, _TYPES[column.dtype], column.dtype.startswith("f"), notes)
        )
    metadata = dict(old.metadata or {})
    metadata |= {f"lsbg.{key}".encode(): value.encode() for key, value in provenance.items()}
    return pa.schema(fields, metadata)


def _writer_options(metadata: pq.FileMetaData, kept: list[str]) -> dict:
    """Compress each column as it was, and keep nanoseconds."""
    compression = "snappy"
    if metadata.num_row_groups:
        group = metadata.row_group(0)
        chunks = [group.column(i) for i in range(group.num_columns)]
        compression = {chunk.path_in_schema: chunk.compression for chunk in chunks}
        compression = {
            path: "NONE" if codec == "UNCOMPRESSED" else codec.lower()
            for path, codec in compression.items()
            if path.partition(".")[0] in kept
        }
    return {"compression": compression, "version": "2.6", "store_schema": True}
