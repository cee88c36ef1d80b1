"""Wider fields around candidates, to see what lies beside them: a JPEG each.

The sky viewer gives them in one request each. From images on disk they are put together from
ordinary cutouts side by side: their colours do not depend on the position, and the turn of north
from one to the next is too small to be seen (0.1 degrees at 80 degrees of declination).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from catalogs import InputError
from catalogs.flags import NOT_SCORED
from lsbg_classifier import CutoutSource
from lsbg_classifier.cutouts.source import fetch_usable
from lsbg_classifier.http import FetchError
from lsbg_classifier.surveys import CUTOUT_SIZE

WIDEST = 600.0
"""Arcseconds across, at most."""

_QUALITY = 85
_TOGETHER = 32
"""Candidates whose cutouts are fetched at a time."""


def check_wide(source: CutoutSource | None, arcsec: float):
    """Refuse a wider field that the source cannot give.

    Parameters
    ----------
    source : CutoutSource or None
        That of ``--cutouts``.
    arcsec : float
        Of a side.

    Raises
    ------
    InputError
        If there is no source, its server gives no wide fields, or the field is none or too large.
    """
    if source is None:
        raise InputError(
            "a wider field needs images around the cutouts: name their source with --cutouts"
        )
    if source.connections is not None and not hasattr(source, "fetch_wide"):
        raise InputError(
            f"{source.spec}: gives no wider fields; leave --context out, or choose tiles:... or "
            "legacysurvey:..."
        )
    field = source.imaging.pixel_scale * CUTOUT_SIZE
    if not field < arcsec <= WIDEST:
        raise InputError(
            f"--context must be more than a cutout's {field:.1f} arcseconds and at most "
            f"{WIDEST:g}, not {arcsec:g}"
        )


def write_wide(
    source: CutoutSource, positions: np.ndarray, places: np.ndarray, arcsec: float, folder: Path
) -> np.ndarray:
    """Write the wider fields of some candidates as ``PLACE.jpg`` into a folder, made here.

    Parameters
    ----------
    source : CutoutSource
        Checked by `check_wide`.
    positions : array of float, shape (gallery, 2)
        Degrees.
    places : array of int, shape (N,)
        Which of them get one.
    arcsec : float
        Of a side.
    folder : Path

    Returns
    -------
    array of bool, shape (gallery,)
        Where there is one.
    """
    folder.mkdir()
    have = np.zeros(len(positions), bool)
    places = places[np.isfinite(positions[places]).all(axis=1)]
    fields = _of_server if hasattr(source, "fetch_wide") else _of_neighbours
    for place, image in zip(places, fields(source, positions[places], arcsec), strict=True):
        if image is not None:
            have[place] = True
            Image.fromarray(image).save(folder / f"{place}.jpg", quality=_QUALITY)
    return have


def _of_server(source, positions: np.ndarray, arcsec: float) -> Iterator[np.ndarray | None]:
    """Give one image of a server a position; None where none came."""

    def fetch(position):
        try:
            return source.fetch_wide(*position, arcsec)
        except (FetchError, ValueError):
            return None

    with ThreadPoolExecutor(source.connections) as pool:
        yield from pool.map(fetch, positions.tolist())


def _of_neighbours(source, positions: np.ndarray, arcsec: float) -> Iterator[np.ndarray | None]:
    """Put cutouts together; None where the middle shows nothing."""
    field = source.imaging.pixel_scale * CUTOUT_SIZE
    across = int(np.ceil(arcsec / field))
    side = round(arcsec / source.imaging.pixel_scale)
    edge = (across * CUTOUT_SIZE - side) // 2
    steps = (np.arange(across) - (across - 1) / 2) * field / 3600
    east, north = np.meshgrid(-steps, -steps)
    for start in range(0, len(positions), _TOGETHER):
        some = positions[start : start + _TOGETHER]
        around = shifted(some[:, None], east.ravel(), north.ravel()).reshape(-1, 2)
        cutouts, flags = fetch_usable(source.fetch, around)
        grid = cutouts.reshape(len(some), across, across, CUTOUT_SIZE, CUTOUT_SIZE, 3)
        images = grid.swapaxes(2, 3).reshape(len(some), across * CUTOUT_SIZE, -1, 3)
        usable = ((flags & NOT_SCORED) == 0).reshape(len(some), -1).any(axis=1)
        for image, is_usable in zip(images, usable, strict=True):
            yield image[edge : edge + side, edge : edge + side] if is_usable else None


def shifted(positions: np.ndarray, east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Return positions at places in the plane that touches the sphere at others (gnomonic).

    Parameters
    ----------
    positions : array of float, shape (..., 2)
        Right ascension and declination, degrees.
    east, north : arrays of float
        Degrees in the plane.

    Returns
    -------
    array of float, shape (..., 2)
        Degrees; right ascension from 0 to 360.
    """
    xi, eta = np.radians(east), np.radians(north)
    ra, dec = np.radians(positions[..., 0]), np.radians(positions[..., 1])
    depth = np.cos(dec) - eta * np.sin(dec)
    height = np.sin(dec) + eta * np.cos(dec)
    moved = np.arctan2(xi, depth)
    lines = np.degrees(ra + moved) % 360, np.degrees(np.arctan2(height, np.hypot(xi, depth)))
    return np.stack(np.broadcast_arrays(*lines), axis=-1)
