"""Candidates that look like one to the network, and those least like what it was trained on."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs import AddedColumn, Catalog, InputError, find_lsbg_columns, open_catalog, write_chosen
from catalogs.beside import with_suffix
from catalogs.output import check_output, remove_partials
from lsbg_classifier.features import STEP
from pipeline.feature_file import FeatureFile, Features

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
    one = _features_of(file, row)

    def distances(block: Features) -> np.ndarray:
        apart = np.linalg.norm(block.features - one, axis=1) * STEP
        return np.where(block.rows == row, np.nan, apart)

    lowest = _lowest(file, distances, count)
    return [Match(other, distance, oddness) for distance, other, oddness in lowest]


def _features_of(file: FeatureFile, row: int) -> np.ndarray:
    for block in file.blocks():
        place = np.flatnonzero(block.rows == row)
        if len(place):
            return block.features[place[0]].astype(np.float32)
    raise InputError(
        f"{file.path}: row {row} has no cutout, so that nothing can be compared with it"
    )


def _lowest(
    file: FeatureFile, values_of: Callable[[Features], np.ndarray], count: int
) -> list[tuple[float, int, float]]:
    """Return the lowest values of a file, each with its row and oddness; NaN is none."""
    best: list[tuple[float, int, float]] = []
    for block in file.blocks():
        values = values_of(block)
        known = np.flatnonzero(np.isfinite(values))
        order = known[np.lexsort((block.rows[known], values[known]))][:count]
        columns = (values[order], block.rows[order], block.oddness[order])
        best += zip(*(column.tolist() for column in columns), strict=True)
        best = sorted(best, key=lambda one: one[:2])[:count]
    return best


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
    best = [
        Match(row, np.nan, oddness)
        for _, row, oddness in _lowest(file, lambda block: -block.oddness, count)
    ]
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
