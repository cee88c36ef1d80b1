"""Sky positions as users give them, as degrees."""

import numpy as np

from catalogs.sphere import on_sphere


def degrees_of(positions) -> np.ndarray:
    """Return positions as ICRS degrees, NaN in both columns where a position is not usable.

    Parameters
    ----------
    positions : array-like of shape (N, 2), or astropy.coordinates.SkyCoord
        Right ascension and declination in degrees, or angles with a unit. Masked values count
        as missing. Right ascension is taken modulo 360 degrees.

    Returns
    -------
    array of float64, shape (N, 2)

    Raises
    ------
    ValueError
        If the shape is another, or the values are no numbers.
    """
    if hasattr(positions, "icrs"):  # SkyCoord and frames; astropy is slow to import for a check
        sky = positions.icrs
        return usable_positions(np.stack([_numbers(sky.ra), _numbers(sky.dec)], axis=-1))
    return usable_positions(_numbers(positions))


def _numbers(values) -> np.ndarray:
    """Return angles, in degrees where they have no unit, as float64 degrees, NaN where masked."""
    if hasattr(values, "to_value"):
        values = values.to_value("deg")
    if hasattr(values, "filled"):
        return np.asarray(values.astype(np.float64).filled(np.nan), np.float64)
    try:
        return np.asarray(values, np.float64)
    except TypeError as error:
        raise ValueError(f"positions must be numbers of degrees: {error}") from error


def usable_positions(positions: np.ndarray) -> np.ndarray:
    """Return degrees, shape (N, 2), with NaN in both columns where they are not on the sphere.

    Right ascension is taken modulo 360 degrees. One position, of shape (2,), counts as N = 1.

    Raises
    ------
    ValueError
        If the shape is another.
    """
    positions = positions.reshape(-1, 2) if positions.shape in ((0,), (2,)) else positions
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(
            "positions must have the shape (N, 2), right ascension and declination in degrees, "
            f"not {positions.shape}"
        )
    return on_sphere(positions)
