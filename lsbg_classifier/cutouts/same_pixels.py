"""Bands of a tile that are one and the same image under several names."""

from itertools import combinations

import numpy as np

from lsbg_classifier.cutouts.sky_noise import middle_pixels
from lsbg_classifier.cutouts.tile_folder import RemoteFolder
from lsbg_classifier.cutouts.tile_index import TileIndex

_TILES = 3
"""Tiles that are looked at."""


def find_same_pixels(index: TileIndex, bands: tuple[str, ...]) -> list[str]:
    """Say that two bands of a tile have the same pixels.

    Links that lead to one file, and copies under other names, give grey cutouts. The middles of
    the first tiles are compared. Of remote folders nothing is fetched for that.

    Parameters
    ----------
    index : TileIndex
    bands : tuple of str
        The bands that are used.

    Returns
    -------
    list of str
        Which images those are, the first such two; nothing if there are none.
    """
    if isinstance(index.folder, RemoteFolder):
        return []
    for tile in index.tiles[:_TILES]:
        images = [tile.science[band] for band in bands if band in tile.science]
        pixels = [(image, middle_pixels(index.folder, image)) for image in images]
        for (one, first), (other, second) in combinations(pixels, 2):
            if _are_same(first, second):
                return [
                    f"bands {one.band} and {other.band} have the same pixels, so that their "
                    f"colour is hardly right: {one.path} and {other.path}"
                ]
    return []


def _are_same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Tell whether pixels are the same, and not all of one value, as where nothing is observed."""
    if one is None or other is None or not np.array_equal(one, other, equal_nan=True):
        return False
    values = one[np.isfinite(one)]
    return bool(values.size) and bool(values.min() < values.max())
