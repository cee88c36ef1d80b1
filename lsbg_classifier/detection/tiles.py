"""Candidates in one tile: detected in overlapping sections, measured, with positions."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from astropy.table import Table, vstack

from catalogs.errors import InputError
from lsbg_classifier.detection.sources import NOT_MEASURED, Detection, Scale, detect_sources
from lsbg_classifier.detection.spread import spread_model
from lsbg_classifier.detection.stars import LEAST_STARS, MeasuredPsf, measure_psf, sections_of
from lsbg_classifier.tile_images import OpenImages, TileImages

_log = logging.getLogger(__name__)

_CORE, _MARGIN = 2500, 250
"""Pixels: a section holds the sources of its core, and is measured with a margin around that."""

_NANOMAGGIE = 22.5

DESCRIPTIONS = MappingProxyType(
    {
        "NUMBER": ("", "running number"),
        "TILENAME": ("", "tile"),
        "ALPHA_J2000": ("deg", "right ascension (ICRS)"),
        "DELTA_J2000": ("deg", "declination (ICRS)"),
        "X_IMAGE": ("pixel", "position in the tile, from 1"),
        "Y_IMAGE": ("pixel", "position in the tile, from 1"),
        "A_IMAGE": ("pixel", "RMS of the profile along the major axis"),
        "B_IMAGE": ("pixel", "RMS of the profile along the minor axis"),
        "THETA_IMAGE": ("deg", "position angle from the x axis"),
        "FLAGS": ("", "flags of the extraction, as SEP has them"),
        "MAG_AUTO": ("mag", "AB magnitude in the automatic aperture"),
        "FLUX_RADIUS": ("pixel", "half-light radius"),
        "MU_MEAN_MODEL": ("mag arcsec-2", "mean surface brightness in the half-light radius"),
        "MU_MAX_MODEL": ("mag arcsec-2", "peak surface brightness"),
        "SPREAD_MODEL": ("", "how much more like a small disc than like a star"),
        "SPREADERR_MODEL": ("", "error of that"),
    }
)
"""Unit and description of the columns, without the name of the band."""


@dataclass(frozen=True)
class DetectionRequest:
    """How candidates are found in tiles.

    Attributes
    ----------
    threshold : float
        Times the noise of a pixel.
    estimate_i : bool
        Where a tile has r and z and no i band, give the columns of i that published cuts need:
        MAG_AUTO_I is the mean of the magnitudes in r and z, as i lies halfway between them, and
        SPREAD_MODEL_I is measured in r. Their descriptions say so.
    """

    threshold: float = 1.1
    estimate_i: bool = False


def detect_in_tile(tile: TileImages, request: DetectionRequest) -> Table:
    """Find and measure all sources of a tile.

    Parameters
    ----------
    tile : TileImages
    request : DetectionRequest

    Returns
    -------
    astropy.table.Table
        With the columns of `DESCRIPTIONS`, those of bands with the band's letter at the end.
        Magnitudes and sizes that could not be measured are 99. FLUX_RADIUS is in the tile's pixels.

    Raises
    ------
    InputError
        If an image cannot be read, or there are too few stars to measure the point-spread
        function, without which SPREAD_MODEL has no meaning.
    """
    settings = Detection.for_pixels(tile.pixel_scale, tuple(tile.bands))
    settings = Detection(**(vars(settings) | {"threshold": request.threshold}))
    spread_band = "i" if "i" in tile.bands else "r" if "r" in tile.bands else [*tile.bands][-1]
    with OpenImages(tile) as images:
        fwhm = _fwhm(tile, images, spread_band)
        parts = [
            _detect_section(tile, images, window, settings, (spread_band, fwhm))
            for window in _windows(tile)
        ]
    table = vstack(parts, metadata_conflicts="silent")
    table["NUMBER"] = np.arange(1, len(table) + 1, dtype=np.int32)
    x, y = np.asarray(table["X_IMAGE"]) - 1, np.asarray(table["Y_IMAGE"]) - 1
    table.add_columns(list(tile.sky_of(x, y)), indexes=[1, 1], names=["ALPHA_J2000", "DELTA_J2000"])
    names = np.full(len(table), tile.name, dtype=f"U{len(tile.name)}")
    table.add_column(names, 1, "TILENAME")
    estimated = request.estimate_i and "i" not in tile.bands and {"r", "z"} <= {*tile.bands}
    if estimated:
        _estimate_i(table)
    return describe(table, estimated)


def _fwhm(tile: TileImages, images: OpenImages, band: str) -> float:
    """Measure the FWHM of stars in pixels."""
    measured = measure_psf(sections_of(images, band, tile.width, tile.height))
    if not isinstance(measured, MeasuredPsf):
        raise InputError(
            f"tile {tile.name}, band {band}: {measured} stars, and {LEAST_STARS} are needed to "
            "measure its point-spread function, which SPREAD_MODEL is relative to"
        )
    return measured.fwhm


def _windows(tile: TileImages) -> Iterator[tuple[int, int, int, int]]:
    """Yield the cores (x0, y0, x1, y1) of sections of about equal size."""
    columns, rows = (max(1, round(side / _CORE)) for side in (tile.width, tile.height))
    xs = np.linspace(0, tile.width, columns + 1).astype(int)
    ys = np.linspace(0, tile.height, rows + 1).astype(int)
    for y0, y1 in pairwise(ys):
        for x0, x1 in pairwise(xs):
            yield int(x0), int(y0), int(x1), int(y1)


def _detect_section(tile, images, window, settings, spread) -> Table:
    """Detect in a section with its margin, and keep the sources whose centre is in the core."""
    x0, y0, x1, y1 = window
    left, bottom = max(x0 - _MARGIN, 0), max(y0 - _MARGIN, 0)
    rows = slice(bottom, min(y1 + _MARGIN, tile.height))
    columns = slice(left, min(x1 + _MARGIN, tile.width))
    fluxes, covered = {}, {}
    for band in tile.bands:
        pixels, _ = images.read(band, rows, columns)
        covered[band] = np.isfinite(pixels)
        fluxes[band] = np.ascontiguousarray(np.nan_to_num(pixels))
    scale = Scale(tile.pixel_scale, _NANOMAGGIE)
    table, flat, noise = detect_sources(fluxes, covered, scale, settings)
    x, y = np.asarray(table["X_IMAGE"]) - 1, np.asarray(table["Y_IMAGE"]) - 1
    band, fwhm = spread
    values, errors = spread_model(flat[band], noise[band], x, y, fwhm)
    table[f"SPREAD_MODEL_{band.upper()}"] = values
    table[f"SPREADERR_MODEL_{band.upper()}"] = errors
    table["X_IMAGE"] += left
    table["Y_IMAGE"] += bottom
    x, y = x + left, y + bottom
    return table[(x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)]


def _estimate_i(table: Table):
    """Add columns of an i band that there is none of; see `DetectionRequest.estimate_i`."""
    red, reddest = (np.asarray(table[f"MAG_AUTO_{band}"]) for band in "RZ")
    missing = (red == NOT_MEASURED) | (reddest == NOT_MEASURED)
    table["MAG_AUTO_I"] = np.where(missing, NOT_MEASURED, (red + reddest) / 2).astype(np.float32)
    for name in ("SPREAD_MODEL", "SPREADERR_MODEL"):
        table[f"{name}_I"] = table[f"{name}_R"]


_ESTIMATED = MappingProxyType(
    {
        "MAG_AUTO_I": "no i band: mean of the magnitudes in r and z",
        "SPREAD_MODEL_I": "no i band: SPREAD_MODEL_R",
        "SPREADERR_MODEL_I": "no i band: SPREADERR_MODEL_R",
    }
)


def describe(table: Table, estimated: bool) -> Table:
    """Give the columns their units and descriptions.

    Parameters
    ----------
    table : astropy.table.Table
    estimated : bool
        Whether the columns of the i band are estimates.

    Returns
    -------
    astropy.table.Table
        The same table, changed in place.
    """
    for name in table.colnames:
        unit, text = DESCRIPTIONS.get(name) or DESCRIPTIONS.get(name.rpartition("_")[0], ("", ""))
        if estimated and name in _ESTIMATED:
            text = _ESTIMATED[name]
        table[name].unit, table[name].description = unit or None, text
    return table
