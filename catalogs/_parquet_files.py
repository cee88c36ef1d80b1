"""The files of a catalog in Parquet: which they are, and how they are opened."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from catalogs.errors import InputError, one_line
from catalogs.output import PARQUET_SUFFIXES, files_below

_BUFFER = 1 << 18
"""Bytes of each column that are read ahead: whole row groups would take more memory and time."""

_FOOTERS_AT_ONCE = 16
"""Files whose ends are read at the same time: on a shared file system each takes its time."""


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
    parts: list[Part] = []
    first = 0
    for file, (rows, schema) in zip(files, _footers(files), strict=True):
        if parts and schema.equals(parts[-1].schema, check_metadata=True):
            schema = parts[-1].schema  # a wide schema for each of many files would fill the memory
        else:
            _check_names(file, schema)
        parts.append(Part(file, first, rows, schema))
        first += rows
    return parts


def _footers(files: list[Path]) -> Iterator[tuple[int, pa.Schema]]:
    """Yield the number of rows and the schema of each file, in order; several are read at once."""
    if len(files) == 1:
        yield _footer(files[0])
        return
    with ThreadPoolExecutor(min(len(files), _FOOTERS_AT_ONCE)) as pool:
        try:
            yield from pool.map(_footer, files)
        finally:
            pool.shutdown(cancel_futures=True)


def _footer(file: Path) -> tuple[int, pa.Schema]:
    with opened(file) as source:
        return source.metadata.num_rows, source.schema_arrow


def _check_names(file: Path, schema: pa.Schema):
    """Refuse columns of the same name."""
    for name, count in Counter(schema.names).items():
        if count > 1:
            raise InputError(f"{file}: {count} columns are called {name}; rename them")


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
