"""Which sources of a tile with mocks are mocks, real candidates, or neither."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from catalogs import open_catalog
from catalogs.sphere import unit_vectors
from lsbg_classifier.completeness.matching import Sky, match
from lsbg_classifier.tile_images import TileImages

_MATCH_RADIUS = 3.0
_PIECES = 2.0
"""Effective radii around a mock in which other sources are pieces of it."""

_LEAST = 10.0
"""Arcseconds: the least of that, and the distance to known LSBGs that are left out."""


@dataclass(frozen=True)
class KnownLsbgs:
    """Positions of known LSBGs, which are no examples of others; degrees, shape (N, 2)."""

    positions: np.ndarray

    @classmethod
    def read(cls, path: str | None) -> "KnownLsbgs":
        """Read any catalog with positions; none: there are no known ones.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        if path is None:
            return cls(np.empty((0, 2)))
        catalog = open_catalog(path)
        positions = catalog.read_positions(0, catalog.row_count)
        return cls(positions[np.isfinite(positions).all(axis=1)])

    def in_tile(self, tile: TileImages) -> int:
        """Count those that lie on a tile."""
        if not len(self.positions):
            return 0
        x, y = tile.grid.pixels_of(*self.positions.T)
        on_tile = (x > -0.5) & (x < tile.width - 0.5) & (y > -0.5) & (y < tile.height - 0.5)
        return int(np.count_nonzero(on_tile))


def labels_of(found: Table, truth: Table, known: KnownLsbgs, repeat: int) -> np.ndarray:
    """Label the sources of a tile with mocks.

    Parameters
    ----------
    found : astropy.table.Table
        With positions ``ALPHA_J2000``, ``DELTA_J2000``.
    truth : astropy.table.Table
        Of the mocks in it.
    known : KnownLsbgs
    repeat : int
        Real candidates are taken from the first injection alone, for they are in all.

    Returns
    -------
    array of int8, shape (sources,)
        1: a mock; 0: a real candidate; -1: neither, as a piece of a mock or a known LSBG.
    """
    positions = np.stack([found["ALPHA_J2000"], found["DELTA_J2000"]], axis=1)
    mocks = np.stack([truth["RA"], truth["DEC"]], axis=1)
    labels = np.full(len(found), 0 if repeat == 0 else -1, np.int8)
    reach = np.maximum(_PIECES * np.asarray(truth["R_EFF"]), _LEAST)
    labels[_within(positions, mocks, reach)] = -1
    labels[_within(positions, known.positions, np.full(len(known.positions), _LEAST))] = -1
    number, _ = match(Sky(mocks), Sky(positions), _MATCH_RADIUS)
    labels[number[number >= 0]] = 1
    return labels


def _within(positions: np.ndarray, centres: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the rows of positions that lie within so many arcseconds of any centre."""
    if not len(centres) or not len(positions):
        return np.empty(0, int)
    chords = 2 * np.sin(np.radians(reach / 3600) / 2)
    near = cKDTree(unit_vectors(positions)).query_ball_point(unit_vectors(centres), chords)
    return np.unique(np.concatenate([np.asarray(rows, int) for rows in near]))
