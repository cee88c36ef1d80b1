"""The columns that completeness is drawn against: surface brightness and size."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogs import Catalog
from catalogs.blocks import BLOCK_ROWS


@dataclass(frozen=True)
class Quantity:
    """What one number a candidate is.

    Attributes
    ----------
    name : str
        For a file name and for people: ``surface brightness`` or ``size``.
    label : str
        Of an axis, with the unit.
    values : array of float64, shape (rows,)
        NaN where there is none.
    """

    name: str
    label: str
    values: np.ndarray


_PER_AREA = r"(mag arcsec$^{-2}$)"
_BANDS = "grizy"

_KNOWN = {
    "surface brightness": (
        ("mu_mean_model", "mean surface brightness", _PER_AREA),
        ("mu_eff_model", "surface brightness at the half-light radius", _PER_AREA),
        ("mu_max_model", "peak surface brightness", _PER_AREA),
        ("mu_eff", "effective surface brightness", _PER_AREA),
        ("mu_0", "central surface brightness", _PER_AREA),
        ("mu_max", "peak surface brightness", _PER_AREA),
    ),
    "size": (
        ("flux_radius", "half-light radius", "(pixels)"),
        ("r_eff", "effective radius", "(arcsec)"),
        ("r_e", "effective radius", "(arcsec)"),
    ),
}
"""Columns without their band, in lower case; what they are, and their unit."""


def find_quantities(catalog: Catalog, truth: Path | None = None) -> list[Quantity]:
    """Find a surface brightness and a size; those of a simulation's truth count more.

    Parameters
    ----------
    catalog : Catalog
        SourceExtractor's, DES' and HSC's names are known, with and without a band.
    truth : path, optional
        Table of the same rows; its columns ``MAG_G_TRUE`` and ``R_EFF_TRUE`` (arcsec) are read.

    Returns
    -------
    list of Quantity
        At most one of each; empty where nothing is known.
    """
    quantities = {} if truth is None else _of_truth(truth, catalog.row_count)
    for name in _KNOWN.keys() - quantities.keys():
        column, label = _column(catalog.column_names, name)
        if column is not None:
            quantities[name] = Quantity(name, label, _read(catalog, column))
    return [quantities[name] for name in _KNOWN if name in quantities]


def _column(names, wanted: str) -> tuple[str | None, str]:
    """Return the first column that is such a quantity, and its label."""
    lower = {name.lower(): name for name in reversed(names)}
    for stem, title, unit in _KNOWN[wanted]:
        for band in ("", *_BANDS):
            column = lower.get(f"{stem}_{band}" if band else stem)
            if column is not None:
                return column, f"{title}{f', {band}' if band else ''} {unit}"
    return None, ""


def _read(catalog: Catalog, column: str) -> np.ndarray:
    parts = [
        catalog.read_column(column, start, min(start + BLOCK_ROWS, catalog.row_count))
        for start in range(0, catalog.row_count, BLOCK_ROWS)
    ]
    return np.concatenate([np.empty(0), *parts])


def _of_truth(path: Path, row_count: int) -> dict[str, Quantity]:
    """Read what a simulation has put in, where the table says it."""
    from astropy.table import Table

    with warnings.catch_warnings(action="ignore"):
        table = Table.read(path)
    if not {"MAG_G_TRUE", "R_EFF_TRUE"} <= set(table.colnames) or len(table) != row_count:
        return {}
    magnitude, radius = (
        np.ma.filled(table[name].astype(float), np.nan) for name in ("MAG_G_TRUE", "R_EFF_TRUE")
    )
    magnitude, radius = np.asarray(magnitude), np.asarray(radius)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = magnitude + 2.5 * np.log10(2 * np.pi * radius**2)
    return {
        "surface brightness": Quantity(
            "surface brightness", f"true mean surface brightness, g {_PER_AREA}", mean
        ),
        "size": Quantity("size", "true effective radius (arcsec)", radius),
    }
