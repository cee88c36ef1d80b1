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
            chosen = table.filter(pa.array(keep[row : row + table.num_rows]))
            row += table.num_rows
            if chosen.num_rows:
                writer.write_table(chosen.cast(source.schema_arrow), row_group_size=1 << 20)
            group.clear()
