"""Which positions are the same place on the sky."""

import numpy as np

from catalogs.sphere import unit_vectors

SAME_POSITION = 0.5
"""Arcseconds within which two positions are the same candidate."""


class KnownPositions:
    """Positions that others are matched with.

    Parameters
    ----------
    positions : array of float64, shape (M, 2)
        Right ascension and declination in degrees; those that are not finite match nothing.
    radius : float
        Arcseconds within which a position is the same.
    """

    def __init__(self, positions: np.ndarray, radius: float = SAME_POSITION):
        from scipy.spatial import cKDTree

        positions = np.asarray(positions, np.float64).reshape(-1, 2)
        self._rows = np.flatnonzero(np.isfinite(positions).all(axis=1))
        self._tree = cKDTree(unit_vectors(positions[self._rows]))
        self._chord = 2 * np.sin(np.radians(radius / 3600) / 2)

    def match(self, positions: np.ndarray) -> np.ndarray:
        """Return the number of the known position at each position, the nearest one; -1: none.

        Parameters
        ----------
        positions : array of float64, shape (N, 2)
            Degrees; those that are not finite match nothing.

        Returns
        -------
        array of int64, shape (N,)
        """
        positions = np.asarray(positions, np.float64).reshape(-1, 2)
        matches = np.full(len(positions), -1)
        usable = np.isfinite(positions).all(axis=1)
        if len(self._rows) and usable.any():
            distance, nearest = self._tree.query(unit_vectors(positions[usable]))
            matches[usable] = np.where(distance <= self._chord, self._rows[nearest], -1)
        return matches

    def pairs(self) -> np.ndarray:
        """Return all pairs of known positions that are the same, array of int64, shape (K, 2)."""
        return self._rows[self._tree.query_pairs(self._chord, output_type="ndarray")]
