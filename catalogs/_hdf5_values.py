"""Values of columns of HDF5, as numbers and as they are."""

from collections.abc import Mapping

import numpy as np

from catalogs._hdf5_tables import Column
from catalogs.exact import ExactValues, integers, texts


def numbers(column: Column, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return float64, NaN where masked.

    Parameters
    ----------
    column : Column
        Of numbers or logical values.
    values : mapping of str to array
        The column, and its mask if it has one, as they are in the file.

    Returns
    -------
    array of float64, shape (rows,)
    """
    plain = values[column.name].astype(np.float64)
    return plain if column.mask is None else np.where(values[column.mask], np.nan, plain)


def exact(column: Column, values: Mapping[str, np.ndarray], element: int | None) -> ExactValues:
    """Return values as they are.

    Parameters
    ----------
    column : Column
    values : mapping of str to array
        As of `numbers`.
    element : int or None
        Of vectors: which one, from 0.

    Returns
    -------
    ExactValues
    """
    data = values[column.name]
    missing = None if column.mask is None else values[column.mask]
    if element is not None:
        data = data[:, element]
        missing = missing if missing is None or missing.ndim == 1 else missing[:, element]
    kind = column.kind.kind if column.kind is not None else None
    if kind == "text":
        return texts([None if gone else text for text, gone in _with_mask(_texts(data), missing)])
    if kind == "number":
        data = data.astype(np.float64)
        return ExactValues(data if missing is None else np.where(missing, np.nan, data))
    if kind == "logical":
        return ExactValues(data.astype(np.int64), missing)
    return integers(data.astype(data.dtype.newbyteorder("=")), missing)


def plain_values(column: Column, values: Mapping[str, np.ndarray], rows: np.ndarray) -> list:
    """Return integers or texts of some rows, None where missing.

    Parameters
    ----------
    column : Column
    values : mapping of str to array
        As of `numbers`.
    rows : array of int64

    Returns
    -------
    list of int or str
    """
    data = values[column.name][rows]
    missing = None if column.mask is None else values[column.mask][rows]
    kind = column.kind.kind if column.kind is not None else None
    if kind == "text":
        plain = [text.rstrip(" \0") or None for text in _texts(data)]
    else:
        plain = data.tolist()
    return [None if gone else value for value, gone in _with_mask(plain, missing)]


def _with_mask(values: list, missing):
    """Pair values with whether they are missing."""
    gone = [False] * len(values) if missing is None else missing.tolist()
    return zip(values, gone, strict=True)


def _texts(data: np.ndarray) -> list[str]:
    """Return texts, whether they are stored with a length or without."""
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in data.tolist()
    ]
