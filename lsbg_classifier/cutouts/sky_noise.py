"""How much the sky of an image scatters, from a few pixels in its middle."""

import numpy as np

from catalogs.fits_headers import UNREADABLE
from lsbg_classifier.cutouts.no_data import lowest_count
from lsbg_classifier.cutouts.sections import ImageFile, UnreadableImageError, read_section
from lsbg_classifier.cutouts.tile_contents import ScienceImage
from lsbg_classifier.cutouts.tile_folder import TileFolder

_SOME_PIXELS = 64
"""Rows and columns to both sides of the middle that the noise is measured in."""

_MEDIAN_TO_SIGMA = 1.4826 / np.sqrt(2)
"""Median absolute difference of two neighbouring pixels to the standard deviation of one."""


def measure_noise(folder: TileFolder, image: ScienceImage) -> float | None:
    """Measure the noise of an image, from differences of neighbours in its middle.

    Parameters
    ----------
    folder : TileFolder
    image : ScienceImage
        In this folder.

    Returns
    -------
    float or None
        Standard deviation of a pixel, in counts; None where there is no noise, or no image that can
        be read: what is wrong with it is said when cutouts are made.
    """
    pixels = middle_pixels(folder, image)
    if pixels is None:
        return None
    pixels[~(pixels > lowest_count(1.0))] = np.nan
    steps = np.diff(pixels, axis=1)
    steps = steps[np.isfinite(steps)]
    sigma = float(np.median(abs(steps))) * _MEDIAN_TO_SIGMA if steps.size else 0.0
    return sigma if sigma > 0 else None


def measure_level(folder: TileFolder, image: ScienceImage) -> float | None:
    """Measure the level of the sky: the lowest median of boxes in the middle and near the corners.

    Parameters
    ----------
    folder : TileFolder
    image : ScienceImage
        In this folder.

    Returns
    -------
    float or None
        In counts; None where no box has data, or the image cannot be read.
    """
    places = [(1, 1), (0, 0), (0, 2), (2, 0), (2, 2)]
    height, width = image.shape
    sections = [(_box(height, row), _box(width, column)) for row, column in places]
    medians = []
    for box in _read_boxes(folder, image, sections) or ():
        values = box[np.isfinite(box) & (box > lowest_count(1.0)) & (box != 0)]
        if values.size > box.size / 2:
            medians.append(float(np.median(values)))
    return min(medians, default=None)


def middle_pixels(folder: TileFolder, image: ScienceImage) -> np.ndarray | None:
    """Return the pixels in the middle of an image, as they are stored.

    Parameters
    ----------
    folder : TileFolder
    image : ScienceImage
        In this folder.

    Returns
    -------
    array of float64, shape (up to 128, up to 128), or None
        In counts; None if they cannot be read.
    """
    rows, columns = (_middle(length) for length in image.shape)
    boxes = _read_boxes(folder, image, [(rows, columns)])
    return None if boxes is None else boxes[0]


def _read_boxes(
    folder: TileFolder, image: ScienceImage, boxes: list[tuple[slice, slice]]
) -> list[np.ndarray] | None:
    """Return some sections of an image in counts, float64; None if they cannot be read."""
    try:
        with ImageFile(folder.file(image.path)) as file:
            opened = file.image(image.extension, image.plane, image.scale.asinh)
            return [np.array(read_section(opened, *box), np.float64) for box in boxes]
    except (UnreadableImageError, *UNREADABLE):
        return None


def _middle(length: int) -> slice:
    """Return the pixels around the middle of a side."""
    return slice(max(0, length // 2 - _SOME_PIXELS), min(length, length // 2 + _SOME_PIXELS))


def _box(length: int, part: int) -> slice:
    """Return the pixels of a box at the beginning, the middle or the end of a side (0, 1, 2)."""
    size = min(_SOME_PIXELS, length)
    margin = (length - size) // 8
    start = (margin, (length - size) // 2, length - size - margin)[part]
    return slice(start, start + size)
