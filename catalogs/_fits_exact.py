"""Exact values of the columns of a FITS binary table, from the bytes of its rows."""

from typing import TYPE_CHECKING

import numpy as np

from catalogs.errors import InputError
from catalogs.exact import ColumnKind, ExactValues, fitting, texts

if TYPE_CHECKING:
    from catalogs._fits_table import BinaryColumn

_NUMBERS = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_WHOLE = "BIJK"


def kind_of_column(column: "BinaryColumn", where: object) -> ColumnKind:
    """Return what a column holds.

    Parameters
    ----------
    column : column of `catalogs.fits`
    where : object
        The file's name in error messages.

    Returns
    -------
    ColumnKind

    Raises
    ------
    InputError
        If it holds nothing that can be compared.
    """
    count, letter = _form(column)
    size = None if count == 1 else count
    if letter == "A" and count and not column.dimensions:
        return ColumnKind("text")
    if not count or letter not in (*_NUMBERS, "L", "X"):
        raise InputError(
            f"{where}: {column.name} is of the FITS type {column.form}, which cannot be compared"
        )
    if letter in "LX":
        return ColumnKind("logical", size)
    return ColumnKind("integer" if _is_whole(column, letter) else "number", size)


def values_of_column(column: "BinaryColumn", element: int | None, rows: np.ndarray) -> ExactValues:
    """Return the values of a column, or of one of its elements.

    Parameters
    ----------
    column : column of `catalogs.fits`
    element : int or None
        Counts from 0.
    rows : array of uint8, shape (rows, bytes a row)

    Returns
    -------
    ExactValues
    """
    _, letter = _form(column)
    if letter == "A":
        return _texts(np.ascontiguousarray(rows[:, column.offset : column.offset + column.width]))
    element = element or 0
    if letter == "X":
        byte = rows[:, column.offset + element // 8]
        return ExactValues((byte >> (7 - element % 8) & 1).astype(np.int64))
    width = 1 if letter == "L" else np.dtype(_NUMBERS[letter]).itemsize
    first = column.offset + element * width
    raw = np.ascontiguousarray(rows[:, first : first + width])
    if letter == "L":
        true = raw[:, 0] == ord("T")
        return ExactValues(true.astype(np.int64), ~(true | (raw[:, 0] == ord("F"))))
    stored = raw.view(_NUMBERS[letter])[:, 0]
    if _is_whole(column, letter):
        return _integers(column, stored)
    return ExactValues(column.scaled(stored))


def _form(column: "BinaryColumn") -> tuple[int, str]:
    form = column.form.strip()
    digits = form[: len(form) - len(form.lstrip("0123456789"))]
    return int(digits or 1), form[len(digits) : len(digits) + 1]


def _is_whole(column: "BinaryColumn", letter: str) -> bool:
    return letter in _WHOLE and column.scale == 1 and column.zero == int(column.zero)


def _integers(column: "BinaryColumn", stored: np.ndarray) -> ExactValues:
    missing = None if column.null is None else stored == column.null
    zero, values = int(column.zero), stored.astype(np.int64)
    if zero == 1 << 63:  # the convention for unsigned ones
        return ExactValues(fitting(values.view(np.uint64) ^ np.uint64(1 << 63)), missing)
    if (zero and stored.itemsize == 8) or abs(zero) >= 1 << 62:
        return ExactValues(fitting(values.astype(object) + zero), missing)
    return ExactValues(values + zero, missing)


def _texts(raw: np.ndarray) -> ExactValues:
    stored = raw.view(f"S{raw.shape[1]}")[:, 0]
    if (raw < 128).all():
        return texts(stored.astype("U"))
    return texts([text.decode("utf-8", "replace") for text in stored.tolist()])
