"""The files of a catalog in a folder, each of which a worker can read and write by itself."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from catalogs.columns import AddedColumn
from catalogs.errors import InputError
from catalogs.hashes import file_sha256
from catalogs.positions import PositionColumns

if TYPE_CHECKING:
    from catalogs import Catalog

Values = Callable[[int, int], Sequence[np.ndarray]]
"""Given (start, stop), returns the added columns in those rows of a partition."""


@dataclass(frozen=True)
class Partition:
    """One file of a catalog in a folder; small enough to travel to a worker.

    Attributes
    ----------
    path : Path
        Absolute.
    name : str
        Its path in the folder of data, which the fingerprint of the catalog names.
    place : str
        Its path in the output.
    first, rows : int
        Number of its first row in the whole catalog, and how many rows it has.
    """

    path: Path
    name: str
    place: str
    first: int
    rows: int

    def open(self) -> "Catalog":
        """Open the file alone; its rows are counted from 0."""
        raise NotImplementedError

    def opened(self) -> "Catalog":
        """Open the file as `open` does.

        Raises
        ------
        InputError
            If it is not there, or has another number of rows than before.
        """
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file; workers need it under the same path")
        catalog = self.open()
        if catalog.row_count != self.rows:
            raise InputError(f"{self.path}: changed while it was read; start again")
        return catalog

    def fingerprint(self) -> str:
        """Return the sha256 of the file."""
        return file_sha256(self.path)

    def text_lengths(self) -> dict[str, int]:
        """Return the characters of the longest value of each column of texts."""
        return {}

    def write_annotated(self, output: Path, values: Values, annotation: "Annotation"):
        """Write the file again with columns added.

        Parameters
        ----------
        output : Path
            Must have the name of the file; half-written until this returns.
        values : callable
        annotation : Annotation

        Raises
        ------
        NotImplementedError
            By this class, which describes files of any kind.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Annotation:
    """What is added to every file of a catalog; see `catalogs.Catalog.write_annotated`.

    Attributes
    ----------
    columns : tuple of AddedColumn
    provenance : mapping of str to str
    overwrite_columns : bool
    lengths : mapping of str to int, or None
        The longest text of each column in all files, where a VOTable shall describe the columns.
    """

    columns: tuple[AddedColumn, ...]
    provenance: Mapping[str, str]
    overwrite_columns: bool = False
    lengths: Mapping[str, int] | None = None


class PartitionedCatalog(Protocol):
    """A catalog in the files of a folder: `catalogs.Catalog`, and what is here."""

    def partitions(self) -> Sequence[Partition]:
        """List the files in the order of their rows; none if the catalog is a single file."""

    def write_rest(self, output: Path, annotation: Annotation):
        """Write all but the partitions, which are in the output already.

        Parameters
        ----------
        output : Path
            A folder; what is there of an earlier attempt is replaced.
        annotation : Annotation
        """


def partitions_of(catalog: "Catalog") -> list[Partition]:
    """List the files of a local catalog in a folder; none of other catalogs."""
    find = None if isinstance(catalog.path, str) else getattr(catalog, "partitions", None)
    return [] if find is None else list(find())


def joined_fingerprint(names: Iterable[str], digests: Iterable[str]) -> str:
    """Return the fingerprint of a folder from those of its files.

    Parameters
    ----------
    names : iterable of str
        Paths of the files in the folder.
    digests : iterable of str
        The sha256 of each.

    Returns
    -------
    str
        A sha256 in hexadecimal digits.
    """
    joined = hashlib.sha256()
    for name, digest in zip(names, digests, strict=True):
        joined.update(f"{name} {digest}\n".encode("utf-8", "surrogateescape"))
    return joined.hexdigest()


def longest(lengths: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the largest length of each column over all files."""
    largest: dict[str, int] = {}
    for of_file in lengths:
        for name, length in of_file.items():
            largest[name] = max(length, largest.get(name, 0))
    return largest


def check_alike(first: PositionColumns, of_first: object, other: PositionColumns, where: object):
    """Refuse a file of a folder whose position is in other columns or units than the first one's.

    Parameters
    ----------
    first, other : PositionColumns
    of_first, where : path
        The files that they are of.

    Raises
    ------
    InputError
        The message names both files, and what each has.
    """
    if first != other:
        differ = first.is_assumed != other.is_assumed
        raise InputError(
            f"{where}: has {_told(other, differ)}, but {of_first} has {_told(first, differ)}; "
            "make the files alike"
        )


def _told(columns: PositionColumns, with_assumed: bool) -> str:
    kind = f" as text ({' and '.join(columns.texts)})" if columns.texts else ""
    assumed = ", which nothing states" if columns.is_assumed and with_assumed else ""
    return f"{columns.ra} and {columns.dec}{kind} in {columns.unit}{assumed}"
