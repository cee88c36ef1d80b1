"""Candidates that look like one to the network, and those least like what it was trained on."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catalogs import AddedColumn, Catalog, InputError, find_lsbg_columns, open_catalog, write_chosen
from catalogs.beside import with_suffix
from catalogs.output import check_output, remove_partials
from lsbg_classifier.features import STEP
from pipeline.feature_file import FeatureFile, Features

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

_NAMES = {
    "P_LSBG": ("DISTANCE_LSBG", "ODDNESS_LSBG"),
    "p_lsbg": ("distance_lsbg", "oddness_lsbg"),
    "lsbgProbability": ("lsbgDistance", "lsbgOddness"),
}
"""Names of the columns of distance and oddness, by that of the probability."""

_DESCRIPTIONS = (
    "distance to the candidate asked for, in the features of the network",
    "how unlike the training of the weights; above 0: flagged",
)


@dataclass(frozen=True)
class Match:
    """A candidate that was found.

    Attributes
    ----------
    row : int
        Of the catalog, from 0.
    distance : float
        From the candidate asked for, in spreads of the catalog's candidates; NaN where the oddest
        were asked for.
    oddness : float
    """

    row: int
    distance: float
    oddness: float


def most_similar(file: FeatureFile, row: int, count: int) -> list[Match]:
    """Find the candidates that look most like one, among any number, in little memory.

    Parameters
    ----------
    file : FeatureFile
    row : int
        Of the catalog, from 0.
    count : int
        Candidates wanted, without the one itself.

    Returns
    -------
    list of Match
        The most like it first.

    Raises
    ------
    InputError
        If the row has no features.
    """
    from sklearn.neighbors import NearestNeighbors

    one = _features_of(file, row)
    best: list[Match] = []
    for block in file.blocks():
        others = block.rows != row
        if not others.any():
            continue
        search = NearestNeighbors(algorithm="brute").fit(block.features[others].astype(np.float32))
        best = _closest([*best, *_found(search, one, count, block, others)], count)
    return best


def _features_of(file: FeatureFile, row: int) -> np.ndarray:
    for block in file.blocks():
        place = np.flatnonzero(block.rows == row)
        if len(place):
            return block.features[place[0]].astype(np.float32)
    raise InputError(
        f"{file.path}: row {row} has no cutout, so that nothing can be compared with it"
    )


def _found(search: "NearestNeighbors", one, count: int, block: Features, others) -> list[Match]:
    """Return the nearest of one block."""
    rows, oddness = block.rows[others], block.oddness[others]
    (distances,), (places,) = search.kneighbors(one[None], min(count, len(rows)))
    return [
        Match(int(rows[place]), float(distance * STEP), float(oddness[place]))
        for distance, place in zip(distances, places, strict=True)
    ]


def _closest(matches: list[Match], count: int) -> list[Match]:
    return sorted(matches, key=lambda one: (one.distance, one.row))[:count]


def oddest(file: FeatureFile, count: int) -> list[Match]:
    """Find the candidates least like those that the weights were trained on.

    Parameters
    ----------
    file : FeatureFile
    count : int
        Candidates wanted.

    Returns
    -------
    list of Match
        The oddest first; their distance is NaN.

    Raises
    ------
    InputError
        If the weights came without the check that tells.
    """
    best: list[Match] = []
    for block in file.blocks():
        known = np.flatnonzero(np.isfinite(block.oddness))
        order = known[np.argsort(-block.oddness[known], kind="stable")][:count]
        found = (
            Match(int(block.rows[place]), np.nan, float(block.oddness[place])) for place in order
        )
        best = sorted([*best, *found], key=lambda one: (-one.oddness, one.row))[:count]
    if not best:
        raise InputError(
            f"{file.path}: these weights came without the check for what is unlike their training, "
            "so that no candidate is odd"
        )
    return best


def write_matches(catalog: Catalog, matches: list[Match], output: Path, *, overwrite: bool = False):
    """Write the rows of matches as a catalog, in its own format, with distance and oddness.

    Parameters
    ----------
    catalog : Catalog
        The annotated one.
    matches : list of Match
        At least one.
    output : Path
        Rows stay in the order of the catalog.
    overwrite : bool
        Replace an output that exists.

    Raises
    ------
    InputError
        If the format cannot be written with some of its rows, or the output exists.
    """
    check_output(catalog.path, output, overwrite)
    if not hasattr(catalog, "write_rows"):
        raise InputError(
            f"{catalog.path}: some rows of {catalog.format} cannot be written; annotate a copy as "
            "FITS or Parquet"
        )
    ordered = sorted(matches, key=lambda one: one.row)
    keep = np.zeros(catalog.row_count, np.bool_)
    keep[[one.row for one in ordered]] = True
    values = [
        np.array([getattr(one, name) for one in ordered], np.float32)
        for name in ("distance", "oddness")
    ]
    remove_partials(output)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        rows_only = Path(folder) / output.name
        write_chosen(catalog, rows_only, keep)
        open_catalog(rows_only, format=catalog.format).write_annotated(
            output,
            _columns(catalog),
            lambda start, stop: [column[start:stop] for column in values],
            catalog.provenance(),
            overwrite_columns=True,
        )


def matches_output(annotated: Path, what: str) -> Path:
    """Return where matches are written if nothing is said: ``out.fits``, ``out_similar_12.fits``.

    Parameters
    ----------
    annotated : Path
    what : str
        Such as ``similar_12``.

    Returns
    -------
    Path
    """
    return with_suffix(annotated, f"_{what}")


def _columns(catalog: Catalog) -> list[AddedColumn]:
    probability = find_lsbg_columns(catalog.column_names, catalog.path)["probability"]
    return [
        AddedColumn(name, "f4", description, ucd="meta.code")
        for name, description in zip(_NAMES[probability], _DESCRIPTIONS, strict=True)
    ]
