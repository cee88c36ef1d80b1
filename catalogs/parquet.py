"""Parquet files and folders of them: read positions, and write them again with columns added."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.table.meta import YamlParseError, get_header_from_yaml

from catalogs._parquet_exact import kind_of_type, values_of_array
from catalogs._parquet_rows import write_rows
from catalogs.astropy_header import KEY, describe_for_astropy, is_described
from catalogs.columns import AddedColumn, already_there, check_free
from catalogs.details import ColumnDetail
from catalogs.errors import InputError, one_line
from catalogs.exact import ColumnKind, ExactValues, Wanted, joined, no_rows
from catalogs.output import PARQUET_SUFFIXES, files_below, written_whole
from catalogs.positions import (
    ColumnInfo,
    PositionColumns,
    Sample,
    check_not_radians,
    find_positions,
    read_positions,
    says_no_unit,
)
from catalogs.voparquet import CONTENT, describe, extend, is_text

_ROWS = 65_536
_OURS = "lsbg."
"""Begins the keys of our metadata."""

_LARGEST_GROUP = 1 << 20
_MOST_BYTES = 1 << 27
"""Rows, and bytes in memory, beyond which a row group is written as several."""

_BUFFER = 1 << 18
"""Bytes of each column that are read ahead: whole row groups would take more memory and time."""

_TYPES = {"f4": pa.float32(), "i2": pa.int16()}
_STALE = {"_metadata", "_common_metadata"}


@dataclass(frozen=True)
class _Part:
    """One file, and the row of the whole catalog that it begins with."""

    path: Path
    first: int
    rows: int
    schema: pa.Schema


class _Reader:
    """Reads some columns from a row on, without reading anything twice."""

    def __init__(self, parts: Sequence[_Part], names: tuple[str, ...], start: int):
        self.row = start
        self._batches = _floats(parts, names, start) if names else iter(())
        self._rest = np.empty((len(names), 0))

    def read(self, count: int) -> np.ndarray:
        """Return the next rows: float64, shape (columns, count), NaN where null."""
        pieces, missing = [self._rest], count - self._rest.shape[1]
        while missing > 0 and len(self._rest):
            pieces.append(next(self._batches))
            missing -= pieces[-1].shape[1]
        joined = np.concatenate(pieces, axis=1) if len(pieces) > 1 else self._rest
        self._rest = joined[:, count:]
        self.row += count
        return joined[:, :count]


class _ExactReader:
    """Reads values as they are, as `_Reader` reads numbers."""

    def __init__(self, parts: Sequence[_Part], wanted: tuple[Wanted, ...], start: int):
        self.row = start
        self._wanted = wanted
        names = tuple(dict.fromkeys(name for name, _ in wanted))
        self._batches = _batches(parts, names, start)
        self._rest: pa.RecordBatch | None = None

    def read(self, count: int) -> list[ExactValues]:
        """Return the next rows of each column."""
        pieces, missing = [], count
        while missing > 0:
            batch = next(self._batches) if self._rest is None else self._rest
            piece = batch.slice(0, missing)
            self._rest = batch.slice(missing) if batch.num_rows > missing else None
            missing -= piece.num_rows
            pieces.append(
                [values_of_array(piece.column(name), number) for name, number in self._wanted]
            )
        self.row += count
        return [joined(column) for column in zip(*pieces, strict=True)]


def _floats(parts: Sequence[_Part], names, start: int) -> Iterator[np.ndarray]:
    """Yield the rows from `start` on as float64, shape (columns, rows)."""
    for batch in _batches(parts, names, start):
        yield np.stack([_as_float(batch.column(name)) for name in names])


def _batches(parts: Sequence[_Part], names, start: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows from `start` on; row groups before it are not read."""
    for part in parts:
        if part.first + part.rows <= start:
            continue
        with _opened(part.path) as file:
            groups, position = _groups_from(file, start - part.first)
            position += part.first
            batches = file.iter_batches(_ROWS, row_groups=groups, columns=list(names))
            for batch in _readable(batches, part.path):
                skip = max(start - position, 0)
                position += batch.num_rows
                if skip < batch.num_rows:
                    yield batch.slice(skip)


def _groups_from(file: pq.ParquetFile, row: int) -> tuple[list[int], int]:
    """Return the row groups from that of a row on, and the row that they begin with."""
    first, count = 0, file.metadata.num_row_groups
    for number in range(count):
        end = first + file.metadata.row_group(number).num_rows
        if end > row:
            return list(range(number, count)), first
        first = end
    return [], first


class ParquetCatalog:
    """A catalog in a Parquet file, or in all those of a folder; see `catalogs.Catalog`.

    The files of a folder are taken in the order of their relative paths, and links are followed;
    names that begin with ``_`` or ``.`` are no parts of the table.
    """

    format = "parquet"

    def __init__(self, path: Path, *, table=None, ra=None, dec=None, position_unit=None):
        if table is not None:
            raise InputError(f"{path}: --table is for FITS files, Parquet has one table")
        self.path = path
        self._parts = _parts(path)
        self.row_count = sum(part.rows for part in self._parts)
        self.column_names = tuple(self._parts[0].schema.names)
        self._readers: dict[tuple[str, ...], _Reader] = {}
        self._exact_readers: dict[tuple[Wanted, ...], _ExactReader] = {}
        self.position_columns = self._positions(ra=ra, dec=dec, unit=position_unit)

    @property
    def row_counts(self) -> list[int]:
        """Return the rows of each file."""
        return [part.rows for part in self._parts]

    def _positions(self, **options) -> PositionColumns:
        """Find the position, which every file of a folder must have, in the same unit."""
        each: list[PositionColumns] = []
        for part in self._parts:
            where, infos = str(part.path), _infos(part.schema)
            sample = Sample(self, part.first, part.rows)
            found = find_positions(infos, where, **options, sample=sample)
            each.append(found)
            first = each[0]
            if found != first:
                raise InputError(
                    f"{where}: has {found.ra} and {found.dec} in {found.unit}, but "
                    f"{self._parts[0].path} has {first.ra} and {first.dec} in {first.unit}; "
                    "make the files alike"
                )
            if options["unit"] is None and says_no_unit(found, infos):
                values = sample.read((found.ra, found.dec), found.texts)
                check_not_radians(found.to_degrees(*values), found, where)
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
                _check_numbers(part, names)
        if reader is None or reader.row != start:
            reader = self._readers[names] = _Reader(self._parts, names, start)
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
                    f"{part.path}: {name} is of the Parquet type {type_}, which cannot be compared"
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
            reader = self._exact_readers[wanted] = _ExactReader(self._parts, wanted, start)
        values = reader.read(stop - start)
        if stop >= self.row_count:
            del self._exact_readers[wanted]
        return values

    def read_positions(self, start: int, stop: int) -> np.ndarray:
        """Return degrees in rows [start, stop); see `catalogs.Catalog`."""
        return read_positions(self, start, stop)

    def fingerprint(self) -> str:
        """Return a sha256 over the names and contents of all parts."""
        digest = hashlib.sha256()
        for part in self._parts:
            with open(part.path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{part.path.relative_to(self.path)} {content}\n".encode())
        return digest.hexdigest()

    def check_annotated(self, columns: Sequence[AddedColumn], *, overwrite_columns: bool = False):
        """Refuse columns that a file has already; see `catalogs.Catalog`."""
        for part in self._parts:
            if not overwrite_columns:
                check_free(columns, part.schema.names, part.path)

    def describe_columns(self) -> list[ColumnDetail]:
        """List the columns with one value a row; see `catalogs.Catalog`."""
        schema = self._parts[0].schema
        infos, found = _infos(schema), []
        for field in schema:
            kind = _kind(field.type)
            if kind is not None:
                description = (
                    (field.metadata or {}).get(b"description", b"").decode("utf-8", "replace")
                )
                found.append(
                    ColumnDetail(field.name, kind, infos[field.name].unit or "", description)
                )
        return found

    def exact_values(self, detail: ColumnDetail, rows: np.ndarray) -> list:
        """Return integers or texts of ascending rows; see `catalogs.Catalog`."""
        values = []
        for part in self._parts:
            start = part.first
            with _opened(part.path) as file:
                for batch in _readable(file.iter_batches(_ROWS, columns=[detail.name]), part.path):
                    first, last = np.searchsorted(rows, (start, start + batch.num_rows))
                    if first < last:
                        values += _picked(batch.column(0), rows[first:last] - start)
                    start += batch.num_rows
        return [str(v) if detail.kind == "text" and v is not None else v for v in values]

    def provenance(self) -> dict[str, str]:
        """Return what the schema says of our columns, by the keys of `write_annotated`."""
        return {
            key.decode("utf-8", "replace").removeprefix(_OURS): value.decode("utf-8", "replace")
            for key, value in (self._parts[0].schema.metadata or {}).items()
            if key.startswith(_OURS.encode())
        }

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
        lengths = _text_lengths(self._parts) if vo_metadata else None
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                target = (
                    partial / part.path.relative_to(self.path) if self.path.is_dir() else partial
                )
                _write_part(part, target, columns, values, provenance, lengths)

    def write_rows(self, output: Path, keep: np.ndarray):
        """Write the files again with some of the rows; see `catalogs.Catalog`."""
        with written_whole(output) as partial:
            if self.path.is_dir():
                shutil.copytree(self.path, partial, ignore=self._ignored)
            for part in self._parts:
                inside = self.path.is_dir()
                target = partial / part.path.relative_to(self.path) if inside else partial
                with _opened(part.path) as source:
                    groups = _row_groups(source, part.path)
                    options = _writer_options(source.metadata, [])
                    rows = keep[part.first : part.first + part.rows]
                    write_rows(source, groups, options, rows, target)

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
            for file in files_below(path)
            if file.suffix.lower() in PARQUET_SUFFIXES
            and not any(name.startswith((".", "_")) for name in file.relative_to(path).parts)
        )
        if not files:
            raise InputError(f"{path}: no FITS tables or Parquet files in this folder")
    parts, first = [], 0
    for file in files:
        with _opened(file) as opened:
            rows, schema = opened.metadata.num_rows, opened.schema_arrow
        for name, count in Counter(schema.names).items():
            if count > 1:
                raise InputError(f"{file}: {count} columns are called {name}; rename them")
        parts.append(_Part(file, first, rows, schema))
        first += rows
    return parts


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: not a readable Parquet file ({reason})") from error


def _readable(batches: Iterator[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches; refuse pages that are damaged."""
    try:
        yield from batches
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: damaged ({reason}); fetch it again") from error


def _infos(schema: pa.Schema) -> dict[str, ColumnInfo]:
    infos, units = {}, _units(schema)
    for field in schema:
        kind = field.type
        ucd = (field.metadata or {}).get(b"ucd", b"").decode("utf-8", "replace").strip()
        is_text = kind_of_type(kind) == ColumnKind("text")
        infos[field.name] = ColumnInfo(_is_number(kind), is_text, units[field.name] or None, ucd)
    return infos


def _units(schema: pa.Schema) -> dict[str, str]:
    """Return each column's unit, by its field's metadata or by those of astropy; empty: none."""
    units = _astropy_units((schema.metadata or {}).get(KEY, b""))
    found = {}
    for field in schema:
        unit = (field.metadata or {}).get(b"unit", b"").decode("utf-8", "replace").strip()
        found[field.name] = unit or units.get(field.name, "").strip()
    return found


@lru_cache(maxsize=1)
def _astropy_units(header: bytes) -> dict[str, str]:
    """Return the columns' units from what astropy's ``Table.write`` leaves in the metadata."""
    try:
        found = get_header_from_yaml(header.decode("utf-8", "replace").splitlines())
    except YamlParseError:
        return {}
    columns = found.get("datatype") if isinstance(found, dict) else None
    return {
        column["name"]: column["unit"]
        for column in (columns if isinstance(columns, list) else [])
        if isinstance(column, dict)
        and isinstance(column.get("name"), str)
        and isinstance(column.get("unit"), str)
    }


def _check_numbers(part: _Part, names):
    """Refuse columns that cannot be read as numbers."""
    for name in names:
        if name not in part.schema.names:
            raise InputError(f"{part.path}: no column {name}")
        kind = part.schema.field(name).type
        if not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
            raise InputError(f"{part.path}: {name} is not one real number a row")


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)


def _kind(kind) -> str | None:
    types = pa.types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "logical"
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return "text" if is_text or types.is_date(kind) or types.is_timestamp(kind) else None


def _picked(array: pa.Array, rows: np.ndarray) -> list:
    """Return the values of some rows."""
    try:
        return array.take(pa.array(rows)).to_pylist()
    except pa.ArrowNotImplementedError:  # of types that are new, such as string_view
        return [array[row].as_py() for row in rows.tolist()]


def _as_float(array: pa.Array) -> np.ndarray:
    """Return float64 with NaN where null; integers beyond 2**53 are rounded."""
    numbers = pc.cast(array, pa.float64(), safe=False)
    if numbers.null_count:
        numbers = numbers.fill_null(float("nan"))
    return numbers.to_numpy(zero_copy_only=False)


def _text_lengths(parts: Sequence[_Part]) -> dict[str, int]:
    """Return the characters of the longest value of each column of texts."""
    lengths: dict[str, int] = {}
    for part in parts:
        names = [field.name for field in part.schema if is_text(field.type)]
        with _opened(part.path) as file:
            batches = file.iter_batches(_ROWS, columns=names) if names else iter(())
            for batch in _readable(batches, part.path):
                for name in names:
                    texts = pc.cast(batch.column(name), pa.large_string())
                    longest = pc.max(pc.utf8_length(texts)).as_py() or 0
                    lengths[name] = max(longest, lengths.get(name, 0))
    return lengths


def _write_part(part: _Part, target: Path, columns, values, provenance, lengths):
    """Write one file again, row group by row group; `lengths` are given for VOParquet."""
    dropped = already_there(columns, part.schema.names)
    kept = [name for name in part.schema.names if name not in dropped]
    schema = _schema(part.schema, kept, columns, provenance)
    metadata = extend(schema.metadata, columns, dropped)
    if lengths is not None and CONTENT not in metadata:
        metadata |= describe(schema, _units(part.schema), lengths)
    schema = schema.with_metadata(metadata)
    if is_described(schema):
        schema = describe_for_astropy(schema)
    row = part.first
    with _opened(part.path) as source:
        options = _writer_options(source.metadata, dropped)
        with pq.ParquetWriter(target, schema, **options) as writer:
            for batches in _row_groups(source, part.path):
                old = pa.Table.from_batches(batches).select(kept)
                new = _arrays(columns, values, row, row + old.num_rows)
                row += old.num_rows
                table = pa.Table.from_arrays([*old.columns, *new], schema=schema)
                writer.write_table(table, row_group_size=_LARGEST_GROUP)
                batches.clear()
                del old, table  # else two row groups would be in memory


def _row_groups(file: pq.ParquetFile, path: Path) -> Iterator[list[pa.RecordBatch]]:
    """Yield the batches of each row group; huge groups come in several pieces."""
    for number in range(file.num_row_groups):
        batches, rows, size = [], 0, 0
        for batch in _readable(file.iter_batches(_ROWS, row_groups=[number]), path):
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            del batch
            if rows >= _LARGEST_GROUP or size >= _MOST_BYTES:
                yield batches
                batches, rows, size = [], 0, 0
        if batches:
            yield batches


def _arrays(columns, values, start, stop) -> list[pa.Array]:
    """Turn the added columns' values into Arrow arrays; NaN becomes null."""
    pieces: list[list[np.ndarray]] = [[] for _ in columns]
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
    metadata.pop(f"{_OURS}select".encode(), None)  # of an earlier run; this one may have had none
    for key, value in provenance.items():
        metadata[f"{_OURS}{key}".encode()] = value.encode("utf-8", "backslashreplace")
    return pa.schema(fields, metadata)


def _writer_options(metadata: pq.FileMetaData, dropped: list[str]) -> dict:
    """Compress each column as it was, say how rows are sorted, and keep nanoseconds."""
    options = {"version": "2.6", "store_schema": True}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if not groups:
        return options | {"compression": "snappy"}
    chunks = [groups[0].column(i) for i in range(groups[0].num_columns)]
    kept = [
        i for i, chunk in enumerate(chunks) if chunk.path_in_schema.partition(".")[0] not in dropped
    ]
    codecs = {chunks[i].path_in_schema: chunks[i].compression for i in kept}
    options["compression"] = {
        path: "NONE" if codec == "UNCOMPRESSED" else codec.lower() for path, codec in codecs.items()
    }
    options["write_page_index"] = all(chunks[i].has_offset_index for i in kept)
    dates = [i for i in kept if metadata.schema.column(i).physical_type == "INT96"]
    options["use_deprecated_int96_timestamps"] = bool(dates)
    sorting = groups[0].sorting_columns
    if sorting and all(group.sorting_columns == sorting for group in groups):
        options["sorting_columns"] = [
            pq.SortingColumn(kept.index(key.column_index), key.descending, key.nulls_first)
            for key in takewhile(lambda key: key.column_index in kept, sorting)
        ]
    return options
