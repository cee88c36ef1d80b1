"""The files that a dataset of labelled cutouts is made of: Parquet of some hundred rows each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogs.errors import InputError, one_line
from catalogs.output import remove_partials, written_whole
from lsbg_classifier.surveys import CUTOUT_SIZE

_IMAGE_BYTES = CUTOUT_SIZE**2 * 3


def part_path(folder: Path, number: int) -> Path:
    """Return the path of one part of a dataset.

    Parameters
    ----------
    folder : Path
    number : int
        From 0.

    Returns
    -------
    Path
    """
    return folder / f"part-{number:05d}.parquet"


def write_part(path: Path, columns: Mapping[str, np.ndarray], images: np.ndarray):
    """Write one part of a dataset, whole or not at all.

    Parameters
    ----------
    path : Path
    columns : mapping of str to array, shape (N,)
    images : array of uint8, shape (N, 64, 64, 3)
        They become the column ``image``, the last one.
    """
    content = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(_IMAGE_BYTES), len(images), [None, pa.py_buffer(images.tobytes())]
    )
    native = {
        name: values.astype(values.dtype.newbyteorder("=")) for name, values in columns.items()
    }
    table = pa.table({name: pa.array(values) for name, values in native.items()})
    _write_table(path, table.append_column("image", content))


def read_part(path: Path, without: tuple[str, ...] = ()) -> pa.Table:
    """Read the columns of one part, all but some.

    Parameters
    ----------
    path : Path
    without : tuple of str
        Columns that are not read.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If the part is damaged.
    """
    columns = [name for name in part_columns(path) if name not in without]
    return read_table(path, columns)


def part_columns(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of one part."""
    with _reading(path):
        return tuple(pq.read_schema(path).names)


def replace_columns(path: Path, columns: Mapping[str, np.ndarray]):
    """Write one part again with some columns new or replaced, whole or not at all.

    Parameters
    ----------
    path : Path
    columns : mapping of str to array, shape (N,)
        New ones become the last columns.

    Raises
    ------
    InputError
        If the part is damaged.
    """
    table = read_table(path)
    for name, values in columns.items():
        place, array = table.schema.get_field_index(name), pa.array(values)
        if place < 0:
            table = table.append_column(name, array)
        else:
            table = table.set_column(place, name, array)
    _write_table(path, table)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a part that cannot be read which it is."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: damaged ({reason}); make the dataset again") from error


def read_table(
    path: Path, columns: list[str] | None = None, filters: pc.Expression | None = None
) -> pa.Table:
    """Read one part of a dataset.

    Parameters
    ----------
    path : Path
    columns : list of str, optional
        None: all of them.
    filters : pyarrow.compute.Expression, optional
        Which rows; None: all of them.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    InputError
        If the part is damaged.
    """
    with _reading(path):
        return pq.read_table(path, columns=columns, filters=filters)


def _write_table(path: Path, table: pa.Table):
    remove_partials(path)
    with written_whole(path) as partial:
        pq.write_table(table, partial, compression="zstd")
