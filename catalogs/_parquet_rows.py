"""Writes Parquet files with some of their rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write_rows(source: pq.ParquetFile, batches, options: dict, keep: np.ndarray, target: Path):
    """Write one file again with some of its rows, row group by row group.

    Parameters
    ----------
    source : pyarrow.parquet.ParquetFile
    batches : iterable of list of RecordBatch
        Those of each row group.
    options : dict
        Of the writer.
    keep : array of bool
        For each row of the file.
    target : Path
    """
    row = 0
    with pq.ParquetWriter(target, source.schema_arrow, **options) as writer:
        for group in batches:
            table = pa.Table.from_batches(group)
            chosen = filtered(table, keep[row : row + table.num_rows])
            row += table.num_rows
            if chosen.num_rows:
                writer.write_table(chosen.cast(source.schema_arrow), row_group_size=1 << 20)
            group.clear()


def filtered(table: pa.Table, keep: np.ndarray) -> pa.Table:
    """Return some rows of a table, whatever the types of its columns.

    Parameters
    ----------
    table : pyarrow.Table
    keep : array of bool, shape (rows,)

    Returns
    -------
    pyarrow.Table
    """
    columns = []
    for column in table.columns:
        try:
            columns.append(column.filter(pa.array(keep)))
        except pa.ArrowNotImplementedError:  # of types that are new, such as string_view
            columns.append(_in_slices(column, keep))
    return pa.Table.from_arrays(columns, schema=table.schema)


def _in_slices(column: pa.ChunkedArray, keep: np.ndarray) -> pa.ChunkedArray:
    """Return some rows of a column of any type: a slice for each run of neighbours."""
    edges = np.flatnonzero(np.diff(keep.astype(np.int8), prepend=0, append=0)).tolist()
    runs = zip(edges[::2], edges[1::2], strict=True)
    chunks = [chunk for first, stop in runs for chunk in column.slice(first, stop - first).chunks]
    if not chunks:
        return pa.chunked_array([], column.type)
    return pa.chunked_array([pa.concat_arrays(chunks)])  # Arrow writes no slices of some types
