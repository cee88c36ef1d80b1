"""The table of what was injected: a row a mock galaxy, with units and descriptions."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from lsbg_classifier.injection.ground import Ground
from lsbg_classifier.tile_images import TileImages

COLUMNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "MOCK_ID": ("", "name of the mock: tile, repeat and number"),
        "TILE": ("", "tile that it was injected into"),
        "REPEAT": ("", "which of several injections into the same tile"),
        "RA": ("deg", "right ascension (ICRS)"),
        "DEC": ("deg", "declination (ICRS)"),
        "X_IMAGE": ("pixel", "position in the tile, from 1"),
        "Y_IMAGE": ("pixel", "position in the tile, from 1"),
        "KIND": ("", "sersic, nucleated, irregular or two-component"),
        "SEQUENCE": ("", "blue or red"),
        "R_EFF": ("arcsec", "half-light radius of the whole, geometric mean of the axes"),
        "SERSIC_N": ("", "Sersic index of the main body"),
        "ELLIPTICITY": ("", "1 - b/a"),
        "PA": ("deg", "position angle of the major axis, from north to east"),
        "NUCLEUS_FRACTION": ("", "part of the flux in a point at the centre"),
        "CLUMP_FRACTION": ("", "part of the flux in knots"),
        "CLUMP_SEED": ("", "seed of the knots' places and sizes"),
        "INNER_FRACTION": ("", "part of the flux in the inner component"),
        "INNER_RADIUS": ("", "half-light radius of the inner component, in that of the body"),
        "INNER_N": ("", "Sersic index of the inner component"),
        "MASKED_SHARE": ("", "part of the pixels within R_EFF that is masked or without data"),
        "COVERED": ("", "whether the centre has data in all bands, and is not masked"),
        "MOCK_DISTANCE": ("arcsec", "distance to the nearest other mock"),
        "BRIGHT_DISTANCE": ("arcsec", "distance to the nearest bright source"),
        "BRIGHT_MAG": ("mag", "its magnitude"),
    }
)
"""Unit and description of each column; those of single bands are in `PER_BAND`."""

PER_BAND: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "MAG": ("mag", "AB magnitude of all the light"),
        "MU_MEAN": ("mag arcsec-2", "mean surface brightness within R_EFF"),
        "DEPTH": ("mag arcsec-2", "local depth: 3 sigma in 10 by 10 arcsec, by independent pixels"),
    }
)


def complete_truth(mocks: Table, tile: TileImages, ground: Ground, repeat: int) -> Table:
    """Add to placed mocks where they are on the sky, and what is around them.

    Parameters
    ----------
    mocks : astropy.table.Table
        As `place` returns them.
    tile : TileImages
    ground : Ground
    repeat : int
        Which of several injections into the same tile.

    Returns
    -------
    astropy.table.Table
        With the columns of `COLUMNS`, and of `PER_BAND` for the tile's bands.
    """
    x, y = np.asarray(mocks["X_IMAGE"]) - 1, np.asarray(mocks["Y_IMAGE"]) - 1
    truth = mocks.copy()
    names = [f"{tile.name}/{repeat}/{number}" for number in range(len(mocks))]
    truth["MOCK_ID"] = np.array(names, dtype=str)
    truth["TILE"] = np.full(len(mocks), tile.name)
    truth["REPEAT"] = np.full(len(mocks), repeat, np.int32)
    truth["RA"], truth["DEC"] = tile.sky_of(x, y)
    truth["MOCK_DISTANCE"] = _to_next(x, y) * tile.pixel_scale
    distance, magnitude = ground.nearest_bright(x, y)
    truth["BRIGHT_DISTANCE"], truth["BRIGHT_MAG"] = distance * tile.pixel_scale, magnitude
    for band in tile.bands:
        truth[f"DEPTH_{band.upper()}"] = ground.depth_at(band, x, y)
    per_band = [f"{name}_{band.upper()}" for name in PER_BAND for band in tile.bands]
    return truth[[*COLUMNS, *per_band]]


def _to_next(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distance of each point to its nearest neighbour; infinite if it is alone."""
    if len(x) < 2:
        return np.full(len(x), np.inf)
    xy = np.stack([x, y], axis=1)
    return cKDTree(xy).query(xy, k=2)[0][:, 1]


def describe(table: Table) -> Table:
    """Give the columns of a truth table their units and descriptions."""
    for name in table.colnames:
        known = COLUMNS.get(name) or PER_BAND.get(name.rpartition("_")[0])
        if known is not None:
            table[name].unit, table[name].description = known[0] or None, known[1]
    return table
