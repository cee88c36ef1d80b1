"""What a report is about: an annotated catalog, its probabilities, flags, positions and truth."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs import Catalog, InputError, find_lsbg_columns, open_catalog
from catalogs.blocks import BLOCK_ROWS
from catalogs.errors import one_line


@dataclass(frozen=True)
class Candidates:
    """All rows of an annotated catalog.

    Attributes
    ----------
    catalog : Catalog
    probability : array of float32, shape (rows,)
        NaN where a row was not scored.
    flags : array of int16, shape (rows,)
        See `catalogs.flags.Flag`.
    positions : array of float64, shape (rows, 2)
        ICRS right ascension and declination, degrees; NaN where there is none.
    label : array of int, shape (rows,), or None
        1 = LSBG, 0 = not, where the truth is known.
    """

    catalog: Catalog
    probability: np.ndarray
    flags: np.ndarray
    positions: np.ndarray
    label: np.ndarray | None = None

    @property
    def scored(self) -> np.ndarray:
        """Numbers of the rows that have a probability, int64, ascending."""
        return np.flatnonzero(np.isfinite(self.probability))

    @property
    def identity(self) -> str:
        """What tells the positions and probabilities of this run from those of all others."""
        digest = hashlib.sha256()
        for values in (self.positions, self.probability):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]


def read_candidates(
    annotated: Path, truth: Path | None, catalog_options: Mapping[str, str]
) -> Candidates:
    """Read what `annotate` wrote, column by column.

    Parameters
    ----------
    annotated : path
        A catalog that `annotate` wrote.
    truth : path, optional
        A FITS table of the same rows with a column ``LABEL``: 1 = LSBG, 0 = not.
    catalog_options : mapping
        ``table``, ``ra``, ``dec`` or ``position_unit``; see `catalogs.open_catalog`.

    Returns
    -------
    Candidates

    Raises
    ------
    InputError
        If the catalog has no column of probabilities, or the truth has other rows.
    """
    catalog = open_catalog(annotated, **catalog_options)
    if not catalog.row_count:
        raise InputError(f"{annotated}: has no rows; there is nothing to show")
    columns = find_lsbg_columns(catalog.column_names, annotated)
    names = columns["probability"], columns["flags"]
    probability = np.empty(catalog.row_count, np.float32)
    flags = np.empty(catalog.row_count, np.int16)
    positions = np.empty((catalog.row_count, 2))
    for start in range(0, catalog.row_count, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, catalog.row_count))
        probability[rows], flags[rows] = catalog.read_columns(names, rows.start, rows.stop)
        positions[rows] = catalog.read_positions(rows.start, rows.stop)
    label = None if truth is None else _labels(Path(truth), catalog.row_count)
    return Candidates(catalog, probability, flags, positions, label)


def _labels(truth: Path, row_count: int) -> np.ndarray:
    """Read the column LABEL of a FITS table whose rows are those of the catalog; int, 0 or 1."""
    from astropy.table import Table

    try:
        with warnings.catch_warnings(action="ignore"):
            labels = np.ma.filled(Table.read(truth, format="fits")["LABEL"], -1)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = one_line(error)
        raise InputError(f"{truth}: not a table with a column LABEL ({reason})") from error
    if len(labels) != row_count:
        raise InputError(f"{truth}: {len(labels)} rows, but the catalog has {row_count}")
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise InputError(f"{truth}: LABEL must be 1 (LSBG) or 0 (not) in every row")
    return labels.astype(int)
