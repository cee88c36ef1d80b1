"""Positions on the sphere, in degrees: their limits, distances, and the area that they span."""

import numpy as np

_MOST_TURNS = 10


def on_sphere(positions: np.ndarray) -> np.ndarray:
    """Return degrees with right ascensions from 0 to 360, 360 not included.

    Positions that are not on the sphere become NaN in both columns: a declination beyond the poles,
    a value that is not finite, or a right ascension of more than ten turns, which stands for none.

    Parameters
    ----------
    positions : array of float64, shape (N, 2)
    """
    ra, dec = positions.T
    with np.errstate(invalid="ignore"):
        turned = np.mod(ra, 360.0)
        turned[turned >= 360] = 0.0  # of a tiny negative number
        good = (np.abs(ra) <= _MOST_TURNS * 360) & (np.abs(dec) <= 90)
    return np.where(good[:, None], np.stack([turned, dec], axis=1), np.nan)


def unit_vectors(positions: np.ndarray) -> np.ndarray:
    """Return the unit vectors, shape (N, 3), of positions in degrees, shape (N, 2)."""
    ra, dec = np.radians(positions).T
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def arcseconds_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the separation of each pair of positions.

    Parameters
    ----------
    one, other : array of float, shape (N, 2)
        Right ascension and declination in degrees.

    Returns
    -------
    array of float64, shape (N,)
        Arcseconds; 0 where a position is missing (NaN).
    """
    chord = np.linalg.norm(unit_vectors(one) - unit_vectors(other), axis=1)
    return np.nan_to_num(np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1))) * 3600)


def turned_back(positions: np.ndarray) -> np.ndarray:
    """Return positions with right ascensions from -180 to 180; shape (N, 2)."""
    ra, dec = positions.T
    return np.stack([np.where(ra > 180, ra - 360, ra), dec], axis=1)


def middle_ra(ra) -> float:
    """Return the middle of right ascensions, which may lie on both sides of 0; all in degrees."""
    angles = np.radians(ra)
    return float(np.degrees(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean())) % 360)
