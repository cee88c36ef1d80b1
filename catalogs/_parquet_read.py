"""Reads columns of batches in order, without reading anything twice."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs._parquet_exact import values_of_array
from catalogs._parquet_files import Part, opened, readable
from catalogs.blocks import BLOCK_ROWS
from catalogs.exact import ExactValues, Wanted, joined


class FloatReader:
    """Reads some columns of batches from a row on, without reading anything twice."""

    def __init__(self, batches: Iterator[pa.RecordBatch], names: tuple[str, ...], start: int):
        self.row = start
        self._batches = _floats(batches, names)
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


class ExactReader:
    """Reads values as they are, as `FloatReader` reads numbers."""

    def __init__(self, batches: Iterator[pa.RecordBatch], wanted: tuple[Wanted, ...], start: int):
        self.row = start
        self._wanted = wanted
        self._batches = batches
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


def _floats(batches: Iterator[pa.RecordBatch], names) -> Iterator[np.ndarray]:
    """Yield batches as float64, shape (columns, rows)."""
    for batch in batches:
        yield np.stack([_as_float(batch.column(name)) for name in names])


def batches_from(parts: Sequence[Part], names, start: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows from `start` on; row groups before it are not read.

    Parameters
    ----------
    parts : sequence of Part
    names : sequence of str
        Columns.
    start : int

    Yields
    ------
    pyarrow.RecordBatch
        At most `ROWS` rows of these columns, in their order.
    """
    for part in parts:
        if part.first + part.rows <= start:
            continue
        with opened(part.path) as file:
            groups, position = _groups_from(file, start - part.first)
            position += part.first
            batches = file.iter_batches(BLOCK_ROWS, row_groups=groups, columns=list(names))
            for batch in readable(batches, part.path):
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


def _as_float(array: pa.Array) -> np.ndarray:
    """Return float64 with NaN where null; integers beyond 2**53 are rounded."""
    numbers = pc.cast(array, pa.float64(), safe=False)
    if numbers.null_count:
        numbers = numbers.fill_null(float("nan"))
    return numbers.to_numpy(zero_copy_only=False)


def picked(array: pa.Array, rows: np.ndarray) -> list:
    """Return the values of some rows.

    Parameters
    ----------
    array : pyarrow.Array
    rows : array of int64

    Returns
    -------
    list
        Python's values, None where null, in the order of `rows`.
    """
    try:
        return array.take(pa.array(rows)).to_pylist()
    except pa.ArrowNotImplementedError:  # of types that are new, such as string_view
        return [array[row].as_py() for row in rows.tolist()]
