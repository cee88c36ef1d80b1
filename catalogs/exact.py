"""Values of columns as they are: whole numbers of 64 bits, logical values, texts, elements.

`Catalog.read_columns` gives all as float64, which is what positions need. What a selection compares
must stay what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from catalogs.errors import InputError

if TYPE_CHECKING:
    from catalogs import Catalog

KINDS = ("number", "integer", "logical", "text")
Wanted = tuple[str, int | None]
"""A column's name, and the number from 0 of an element where a row holds several values."""


@dataclass(frozen=True)
class ColumnKind:
    """What a column holds.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    size : int, optional
        Values in a row; None: one, and it is no vector; -1: not the same number in each row.
    """

    kind: str
    size: int | None = None


@dataclass(frozen=True)
class ExactValues:
    """Values of one column, or of one element of it, in some rows.

    Attributes
    ----------
    data : array, shape (rows,)
        float64 with NaN where missing (``number``); int64, or Python's int as objects where some
        are beyond it (``integer``); int64 of 0 and 1 (``logical``); str, as objects or as numpy's
        own, without blanks at the end (``text``).
    missing : array of bool, shape (rows,), or None
        Where there is no value; None: nowhere, or NaN says it.
    """

    data: np.ndarray
    missing: np.ndarray | None = None

    def rows(self, start: int, stop: int) -> "ExactValues":
        """Return the values in the rows [start, stop).

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        ExactValues
            Views, not copies, of the same kind.
        """
        missing = None if self.missing is None else self.missing[start:stop]
        return ExactValues(self.data[start:stop], missing)


class Comparable(Protocol):
    """A table whose columns can be compared: a `Catalog`, or one that is not written yet."""

    @property
    def path(self) -> Path | str:
        """Where the table is, for messages."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns."""

    def column_kind(self, name: str) -> ColumnKind:
        """Return what a column holds; see `catalogs.Catalog`."""


def kind_of(catalog: Comparable, name: str) -> ColumnKind:
    """Return what a column holds.

    Parameters
    ----------
    catalog : Catalog or Comparable
    name : str

    Returns
    -------
    ColumnKind

    Raises
    ------
    InputError
        If it holds nothing that can be compared.
    """
    own = getattr(catalog, "column_kind", None)
    if own is not None:
        return own(name)
    other: Any = catalog  # of another package: it may describe its columns alone
    details = [detail for detail in other.describe_columns() if detail.name == name]
    if len(details) != 1:
        raise InputError(f"{catalog.path}: {name} is not one value a row")
    return ColumnKind(details[0].kind)


def read_exact(
    catalog: "Catalog", wanted: Sequence[Wanted], start: int, stop: int
) -> list[ExactValues]:
    """Return values of several columns in the rows [start, stop).

    Formats have a `read_exact` of their own, given (wanted, start, stop), where reading all of a
    row at once is faster; else this is put together from what every catalog can do.

    Parameters
    ----------
    catalog : Catalog
    wanted : sequence of Wanted
    start, stop : int

    Returns
    -------
    list of ExactValues
        In the order of `wanted`, of stop - start rows each.

    Raises
    ------
    InputError
        If a column holds nothing of the kind that `kind_of` says.
    """
    own = getattr(catalog, "read_exact", None)
    if own is not None:
        return own(wanted, start, stop)
    details = {detail.name: detail for detail in catalog.describe_columns()}
    rows = np.arange(start, stop)
    values = []
    for name, _ in wanted:
        detail = details[name]
        if detail.kind == "number":
            values.append(ExactValues(catalog.read_column(name, start, stop)))
        elif detail.kind == "logical":
            values.append(logical(catalog.read_column(name, start, stop)))
        else:
            make = texts if detail.kind == "text" else integers
            values.append(make(catalog.exact_values(detail, rows)))
    return values


def joined(pieces: Sequence[ExactValues]) -> ExactValues:
    """Return the values of several runs of rows, of one column, as one."""
    if len(pieces) == 1:
        return pieces[0]
    datas = [piece.data for piece in pieces]
    if any(data.dtype == object for data in datas):
        datas = [data.astype(object) for data in datas]
    if all(piece.missing is None for piece in pieces):
        return ExactValues(np.concatenate(datas))
    missing = [
        np.zeros(len(piece.data), np.bool_) if piece.missing is None else piece.missing
        for piece in pieces
    ]
    return ExactValues(np.concatenate(datas), np.concatenate(missing))


def no_rows(kind: ColumnKind) -> ExactValues:
    """Return the values of a column in no rows."""
    return ExactValues(np.empty(0, {"text": object, "number": np.float64}.get(kind.kind, np.int64)))


def logical(numbers: np.ndarray) -> ExactValues:
    """Make logical values of float64 that are 0, 1, or NaN where missing."""
    missing = np.isnan(numbers)
    return ExactValues(np.where(missing, 0, numbers).astype(np.int64), missing)


def integers(values: Sequence[int | None] | np.ndarray, missing=None) -> ExactValues:
    """Make whole numbers, exact whatever their size, of ints or None, or of an array of integers.

    Parameters
    ----------
    values : sequence of int or None, or array of integers, shape (rows,)
    missing : array of bool, shape (rows,), optional
        Where an array holds no value.

    Returns
    -------
    ExactValues
        Missing where a value is None, or where `missing` says so.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return ExactValues(fitting(values), missing)
    blank = np.fromiter((value is None for value in values), np.bool_, len(values))
    data = np.array([0 if value is None else int(value) for value in values], object)
    return ExactValues(fitting(data), blank if missing is None else blank | missing)


def fitting(data: np.ndarray) -> np.ndarray:
    """Return integers as int64, or as objects where that does not hold them."""
    if data.dtype.kind == "i" or not data.size:
        return data.astype(np.int64)
    if data.dtype.kind == "u" and data.dtype.itemsize < 8:
        return data.astype(np.int64)
    limits = np.iinfo(np.int64)
    if limits.min <= int(np.min(data)) and int(np.max(data)) <= limits.max:
        return data.astype(np.int64)
    return data.astype(object)


def texts(values: Sequence[str | None] | np.ndarray) -> ExactValues:
    """Make texts of str or None; blanks at the end do not count, and empty ones are missing.

    Parameters
    ----------
    values : sequence of str or None, or array of str, shape (rows,)
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        data = np.char.rstrip(values, " \0")
    else:
        stripped = ["" if value is None else str(value).rstrip(" \0") for value in values]
        data = np.empty(len(stripped), object)
        data[:] = stripped
    return ExactValues(data, np.asarray(data == "", np.bool_))
