"""Writes Parquet files again with columns added, row group by row group."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs._parquet_files import Part, opened, readable
from catalogs._parquet_schema import TYPES, schema_with, units_of
from catalogs.astropy_header import describe_for_astropy, is_described
from catalogs.blocks import BLOCK_ROWS, collected
from catalogs.columns import AddedColumn, already_there
from catalogs.voparquet import CONTENT, describe, extend, is_text

_LARGEST_GROUP = 1 << 20
_MOST_BYTES = 1 << 27
"""Rows, and bytes in memory, beyond which a row group is written as several."""


def text_lengths(parts: Sequence[Part]) -> dict[str, int]:
    """Return the characters of the longest value of each column of texts."""
    lengths: dict[str, int] = {}
    for part in parts:
        names = [field.name for field in part.schema if is_text(field.type)]
        with opened(part.path) as file:
            batches = file.iter_batches(BLOCK_ROWS, columns=names) if names else iter(())
            for batch in readable(batches, part.path):
                for name in names:
                    texts = pc.cast(batch.column(name), pa.large_string())
                    longest = pc.max(pc.utf8_length(texts)).as_py() or 0
                    lengths[name] = max(longest, lengths.get(name, 0))
    return lengths


def told_of(schema: pa.Schema, columns: Sequence[AddedColumn], dropped: list[str]) -> pa.Schema:
    """Tell a VOTable and astropy's description in the metadata, if there are any, of new columns.

    Parameters
    ----------
    schema : pyarrow.Schema
        Has the new columns already.
    columns : sequence of AddedColumn
    dropped : list of str
        Columns that are replaced.

    Returns
    -------
    pyarrow.Schema
    """
    schema = schema.with_metadata(extend(schema.metadata, columns, dropped))
    return describe_for_astropy(schema) if is_described(schema) else schema


def write_part(part: Part, target: Path, columns, values, provenance, lengths):
    """Write one file again, row group by row group.

    Parameters
    ----------
    part : Part
    target : Path
    columns, values, provenance
        As of `catalogs.Catalog.write_annotated`.
    lengths : dict of str to int, or None
        As of `text_lengths`, where a VOTable shall describe the columns.
    """
    dropped = already_there(columns, part.schema.names)
    kept = [name for name in part.schema.names if name not in dropped]
    schema = told_of(schema_with(part.schema, kept, columns, provenance), columns, dropped)
    if lengths is not None and CONTENT not in schema.metadata:
        described = describe(schema, units_of(part.schema), lengths)
        schema = schema.with_metadata(schema.metadata | described)
    row = part.first
    with opened(part.path) as source:
        options = writer_options(source.metadata, dropped)
        with pq.ParquetWriter(target, schema, **options) as writer:
            for batches in row_groups(source, part.path):
                old = pa.Table.from_batches(batches).select(kept)
                new = added_arrays(columns, values, row, row + old.num_rows)
                row += old.num_rows
                table = pa.Table.from_arrays([*old.columns, *new], schema=schema)
                writer.write_table(table, row_group_size=_LARGEST_GROUP)
                batches.clear()
                del old, table  # else two row groups would be in memory


def row_groups(file: pq.ParquetFile, path: Path) -> Iterator[list[pa.RecordBatch]]:
    """Yield the batches of each row group; huge groups come in several pieces.

    Parameters
    ----------
    file : pyarrow.parquet.ParquetFile
    path : Path
        For errors.

    Yields
    ------
    list of pyarrow.RecordBatch
    """
    for number in range(file.num_row_groups):
        batches, rows, size = [], 0, 0
        for batch in readable(file.iter_batches(BLOCK_ROWS, row_groups=[number]), path):
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            del batch
            if rows >= _LARGEST_GROUP or size >= _MOST_BYTES:
                yield batches
                batches, rows, size = [], 0, 0
        if batches:
            yield batches


def added_arrays(columns, values, start: int, stop: int) -> list[pa.Array]:
    """Turn the added columns' values into Arrow arrays; NaN becomes null.

    Parameters
    ----------
    columns, values
        As of `catalogs.Catalog.write_annotated`.
    start, stop : int
        Rows [start, stop).

    Returns
    -------
    list of pyarrow.Array
    """
    arrays = collected(columns, values, start, stop)
    return [
        pa.array(array, TYPES[column.dtype], from_pandas=True)
        for column, array in zip(columns, arrays, strict=True)
    ]


def writer_options(metadata: pq.FileMetaData, dropped: list[str]) -> dict:
    """Compress each column as it was, say how rows are sorted, and keep nanoseconds.

    Parameters
    ----------
    metadata : pyarrow.parquet.FileMetaData
        Of the input.
    dropped : list of str
        Columns that are not written.

    Returns
    -------
    dict
        Arguments of `pyarrow.parquet.ParquetWriter`.
    """
    options = {"version": "2.6", "store_schema": True}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if not groups:
        return options | {"compression": "snappy"}
    chunks = [groups[0].column(i) for i in range(groups[0].num_columns)]
    chunk_numbers = [
        i for i, chunk in enumerate(chunks) if chunk.path_in_schema.partition(".")[0] not in dropped
    ]
    codecs = {chunks[i].path_in_schema: chunks[i].compression for i in chunk_numbers}
    options["compression"] = {
        path: "NONE" if codec == "UNCOMPRESSED" else codec.lower() for path, codec in codecs.items()
    }
    options["write_page_index"] = all(chunks[i].has_offset_index for i in chunk_numbers)
    dates = [i for i in chunk_numbers if metadata.schema.column(i).physical_type == "INT96"]
    options["use_deprecated_int96_timestamps"] = bool(dates)
    sorting = groups[0].sorting_columns
    if sorting and all(group.sorting_columns == sorting for group in groups):
        options["sorting_columns"] = [
            pq.SortingColumn(chunk_numbers.index(key.column_index), key.descending, key.nulls_first)
            for key in takewhile(lambda key: key.column_index in chunk_numbers, sorting)
        ]
    return options
