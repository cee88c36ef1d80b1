"""The files of a catalog in Parquet: which they are, and how they are opened."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import InputError, one_line
from catalogs.output import PARQUET_SUFFIXES, files_below

_BUFFER = 1 << 18
"""Bytes of each column that are read ahead: whole row groups would take more memory and time."""


@dataclass(frozen=True)
class Part:
    """One file, and the row of the whole catalog that it begins with."""

    path: Path
    first: int
    rows: int
    schema: pa.Schema


def parts_of(path: Path) -> list[Part]:
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
        with opened(file) as source:
            rows, schema = source.metadata.num_rows, source.schema_arrow
        for name, count in Counter(schema.names).items():
            if count > 1:
                raise InputError(f"{file}: {count} columns are called {name}; rename them")
        parts.append(Part(file, first, rows, schema))
        first += rows
    return parts


def opened(path: Path) -> pq.ParquetFile:
    """Open a file; refuse one that is not readable."""
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: not a readable Parquet file ({reason})") from error


def readable(batches: Iterator[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches; refuse pages that are damaged.

    Parameters
    ----------
    batches : iterator of pyarrow.RecordBatch
    path : Path
        Their file, for the error.

    Yields
    ------
    pyarrow.RecordBatch

    Raises
    ------
    InputError
        If a page is damaged; it names the file.
    """
    try:
        yield from batches
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: damaged ({reason}); fetch it again") from error
