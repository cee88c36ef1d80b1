"""Labelled positions to train on: a user's catalog, or a table of arrays; and how they are split.

The published samples are in `lsbg_classifier.training.published`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalogs import open_catalog
from catalogs.errors import InputError

SPLITS = ("train", "validation", "test")

FRACTIONS = (0.75, 0.125, 0.125)
"""Of `SPLITS`, in samples of one's own."""

_FEATURE = re.compile(
    r"[AB]_IMAGE|(MAG_AUTO|FLUX_RADIUS|MU_MAX_MODEL|MU_EFF_MODEL|MU_MEAN_MODEL)_[GRIZ]",
    re.IGNORECASE,
)
"""Columns of SourceExtractor that the baselines are made of; see `baselines.features_of`."""

SPARE = "spare "
"""Start of the name of a split's spare rows: labelled, but not of the sample."""


@dataclass(frozen=True)
class Sample:
    """Labelled positions, each in one of three splits.

    Attributes
    ----------
    name : str
    positions : array of float64, shape (N, 2)
        ICRS degrees.
    labels : array of int8, shape (N,)
        1 = LSBG, 0 = not.
    splits : array of str, shape (N,)
        ``train``, ``validation`` or ``test``; spare rows: the same after `SPARE`.
    features : mapping of str to array of float64, shape (N,)
        Columns of SourceExtractor, for the baselines; may be empty.
    artifact_types : array of int8, shape (N,), optional
        2: passed a classifier of features and failed the eye; 1: did not pass; 0: an LSBG.
    notes : tuple of str
        What was left out, for people.

    Raises
    ------
    InputError
        If labels are other than 0 and 1, or the training split lacks a class.
    """

    name: str
    positions: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    artifact_types: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        others = set(np.unique(self.labels).tolist()) - {0, 1}
        if others:
            raise InputError(f"{self.name}: labels must be 0 or 1, not {_some(others)}")
        if set(self.labels[self.splits == "train"].tolist()) != {0, 1}:
            raise InputError(f"{self.name}: the training split needs LSBGs and others; add some")

    def sha256(self) -> str:
        """Return the hash of positions, labels and splits, in this order."""
        digest = hashlib.sha256()
        digest.update(np.ascontiguousarray(self.positions, "<f8").tobytes())
        digest.update(np.ascontiguousarray(self.labels, "i1").tobytes())
        digest.update("\n".join(self.splits.tolist()).encode())
        return digest.hexdigest()

    def count(self, split: str) -> tuple[int, int]:
        """Return how many LSBGs and how many others a split has."""
        labels = self.labels[self.splits == split]
        return int((labels == 1).sum()), int((labels == 0).sum())


def balanced_split(labels: np.ndarray, sizes: Mapping[str, int], seed: int) -> np.ndarray:
    """Draw splits with as many LSBGs as others.

    Parameters
    ----------
    labels : array of int, shape (N,)
    sizes : mapping of str to int
        Rows wanted of each split, in the order in which they are filled; where the rows run out,
        the last ones share what is left in proportion.
    seed : int

    Returns
    -------
    array of str, shape (N,)
        Empty for rows that are in no split.

    Raises
    ------
    InputError
        If there are too few rows even for the first split.
    """
    rng = np.random.default_rng(seed)
    classes = shuffled_classes(labels, rng)
    each = min(len(rows) for rows in classes)
    counts = _halves(sizes, each)
    splits = np.full(len(labels), "", "<U10")
    for rows in classes:
        start = 0
        for split, count in counts.items():
            splits[rows[start : start + count]] = split
            start += count
    return splits


def shuffled_classes(labels: np.ndarray, rng: np.random.Generator, values=(0, 1)):
    """Return the row numbers of each value of the labels, each list in random order.

    Parameters
    ----------
    labels : array of int, shape (N,)
    rng : numpy.random.Generator
    values : sequence of int
        Rows with other values are left out.

    Returns
    -------
    list of array of int
        One for each of the values.
    """
    return [rng.permutation(np.flatnonzero(labels == value)) for value in values]


def balanced_rows(
    labels: np.ndarray, rng: np.random.Generator, *, values=(0, 1), most: int | None = None
) -> np.ndarray:
    """Draw as many rows of each value of the labels as there are of the rarest.

    Parameters
    ----------
    labels : array of int, shape (N,)
    rng : numpy.random.Generator
    values : sequence of int
        Others are not drawn.
    most : int, optional
        Rows of each, at most.

    Returns
    -------
    array of int
        Row numbers, value by value.
    """
    rows = shuffled_classes(labels, rng, values)
    each = min(len(labels) if most is None else most, *map(len, rows))
    return np.concatenate([rows_of_value[:each] for rows_of_value in rows])


def _halves(sizes: Mapping[str, int], each: int) -> dict[str, int]:
    """Rows of each class in every split, given how many there are of the rarer class."""
    (first, size), *rest = sizes.items()
    if each < size // 2 + len(rest):
        raise InputError(
            f"{each} rows of the rarer class are too few for a split of {size} to train on; "
            "add labels or ask for fewer"
        )
    halves = {first: size // 2}
    left, requested = each - size // 2, sum(number // 2 for _, number in rest)
    share = min(1.0, left / requested) if requested else 0.0
    return halves | {split: int(number // 2 * share) for split, number in rest}


def random_splits(labels: np.ndarray, *, seed: int, fractions=FRACTIONS) -> np.ndarray:
    """Put all rows into `SPLITS` at random, in the same proportions in each class.

    Parameters
    ----------
    labels : array of int, shape (N,)
        0 or 1.
    seed : int
    fractions : tuple of float
        Of `SPLITS`; their sum is 1.

    Returns
    -------
    array of str, shape (N,)
    """
    rng = np.random.default_rng(seed)
    splits = np.empty(len(labels), "<U10")
    for rows in shuffled_classes(labels, rng):
        ends = np.round(np.cumsum(fractions) * len(rows)).astype(int)
        for split, start, end in zip(SPLITS, (0, *ends[:-1]), ends, strict=True):
            splits[rows[start:end]] = split
    return splits


def sample_of_catalog(path: Path, label: str, *, seed: int, fractions=FRACTIONS) -> Sample:
    """Take the positions and labels of a catalog, all of them, split at random in each class.

    Parameters
    ----------
    path : path
        Any catalog that `catalogs.open_catalog` reads.
    label : str
        Column with 1 for LSBGs and 0 for others; rows where it is null are left out.
    seed : int
    fractions : tuple of float
        Of `SPLITS`.

    Returns
    -------
    Sample
        With the columns of SourceExtractor that the baselines need, as far as there are any.

    Raises
    ------
    InputError
        If there is no such column, or it holds other values.
    """
    catalog = open_catalog(path)
    if label not in catalog.column_names:
        raise InputError(f"{path}: no column {label}; name the labels with --label")
    values = catalog.read_column(label, 0, catalog.row_count)
    positions = catalog.read_positions(0, catalog.row_count)
    usable = np.isfinite(values) & np.isfinite(positions).all(axis=1)
    odd = set(np.unique(values[usable]).tolist()) - {0.0, 1.0}
    if odd:
        raise InputError(f"{path}: {label} must be 0 or 1, not {_some(odd)}")
    labels = values[usable].astype(np.int8)
    splits = random_splits(labels, seed=seed, fractions=fractions)
    left_out = int((~usable).sum())
    notes = (f"{left_out} rows without label or position left out",) if left_out else ()
    features = _features(catalog, label, usable)
    return Sample(str(path), positions[usable], labels, splits, features, notes=notes)


def _features(catalog, label: str, usable: np.ndarray) -> dict[str, np.ndarray]:
    """Read the columns that the baselines are made of, as far as the catalog has them."""
    names = [name for name in catalog.column_names if _FEATURE.fullmatch(name) and name != label]
    values = {name.upper(): catalog.read_column(name, 0, catalog.row_count) for name in names}
    return {
        name: np.asarray(column, np.float64)[usable]
        for name, column in values.items()
        if np.ndim(column) == 1
    }


def _some(values) -> str:
    listed = sorted(values, key=str)
    return ", ".join(f"{value:g}" for value in listed[:3]) + (", ..." if len(listed) > 3 else "")
