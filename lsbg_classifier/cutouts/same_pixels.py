"""Bands of a tile that are one and the same image under several names."""

from itertools import combinations

import numpy as np

from catalogs.errors import InputError
from lsbg_classifier.cutouts.sky_noise import middle_pixels
from lsbg_classifier.cutouts.tile_files import ScienceImage
from lsbg_classifier.cutouts.tile_folder import RemoteFolder
from lsbg_classifier.cutouts.tile_index import TileIndex

_TILES = 5
"""Tiles that are looked at."""


def find_same_pixels(index: TileIndex, bands: tuple[str, ...]) -> str:
    """Say that two bands of a tile have the same pixels.

    The middles of the first tiles are compared. Of remote folders nothing is fetched for that.

    Parameters
    ----------
    index : TileIndex
    bands : tuple of str
        The bands that are used.

    Returns
    -------
    str
        What is wrong with which images, and what to do; "" if nothing is.
    """
    if isinstance(index.folder, RemoteFolder):
        return ""
    for tile in index.tiles[:_TILES]:
        images = [tile.science[band] for band in bands if band in tile.science]
        for one, other in combinations(images, 2):
            if one.shape == other.shape and _are_same(index, one, other):
                return (
                    f"{index.folder.where(one.path)}: the same pixels in band {one.band} as in "
                    f"band {other.band}, {other.path}; put the right image of each band there"
                )
    return ""


def refuse_same_pixels(index: TileIndex, bands: tuple[str, ...]):
    """Refuse a folder in which two bands of a tile have the same pixels.

    Links that lead to one file, and copies under other names, would give grey cutouts with a
    confident score.

    Parameters
    ----------
    index : TileIndex
    bands : tuple of str
        The bands that are used.

    Raises
    ------
    InputError
        With the names of both images.
    """
    if reason := find_same_pixels(index, bands):
        raise InputError(reason)


def _are_same(index: TileIndex, one: ScienceImage, other: ScienceImage) -> bool:
    """Tell whether two images have noise, and the same: only then are pixels compared."""
    noise = index.noise_of(one)
    if noise is None or noise != index.noise_of(other):
        return False
    pixels = [middle_pixels(index.folder, image) for image in (one, other)]
    return all(each is not None for each in pixels) and np.array_equal(*pixels, equal_nan=True)
