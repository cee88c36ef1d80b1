"""Judge what part of a cutout has data: from the pixels of each band, or from colours alone."""

import numpy as np
from scipy import ndimage

from catalogs.flags import Flag
from lsbg_classifier.cutouts.colours import shrink
from lsbg_classifier.cutouts.pixels import M, Q
from lsbg_classifier.surveys import CUTOUT_SIZE

_CELL = 2
"""Pixels of the cutout a side that are averaged into a cell: coarse enough to outlive JPEG."""

_BLOCKS = 8
"""Blocks a side that the cells are grouped into."""

_QUIET, _LEAK = 0.8, 0.03
"""A band without data stays within this many counts of zero, plus this part of the others."""

_CONTRAST = 0.4
"""And within this part of the most active band: noise of its own would be more."""

_BLANK = 0.3
"""Where no band has data, all stay within this many counts of zero."""

_ALL, _SOME = 0.8, 0.05
"""Fractions of the blocks that mean "the whole cutout" and "part of it", from colours."""

EMPTY, _PARTIAL = 0.95, 0.01
"""The same for pixels, where they are known."""


def judge_gaps(gaps: np.ndarray) -> np.ndarray:
    """Flag what is missing in images.

    Parameters
    ----------
    gaps : array of float, shape (..., 3)
        Fraction of the image without data in each band.

    Returns
    -------
    array of int16, shape (...)
        0, NO_COVERAGE, MISSING_BAND or PARTIAL_COVERAGE.
    """
    empty, partial = gaps > EMPTY, gaps > _PARTIAL
    conditions = [empty.all(axis=-1), empty.any(axis=-1), partial.any(axis=-1)]
    flags = [Flag.NO_COVERAGE, Flag.MISSING_BAND, Flag.PARTIAL_COVERAGE]
    return np.select(conditions, [np.int16(flag) for flag in flags], np.int16(0))


def judge(image: np.ndarray) -> Flag:
    """Flag what is missing in an image made by the viewer's colour formula.

    A band without data has exactly zero flux, which the formula turns into a channel that follows
    from the other two; a band that was observed departs from that by the noise of the sky at
    least. JPEG keeps little of that noise in blue and red, and puts some of the other bands' in
    its place, but only at fine scales: so cells of 2x2 pixels of the 64x64 cutout are compared,
    by the median of 4x4 of them.

    Parameters
    ----------
    image : array of uint8, shape (256, 256, 3) or (64, 64, 3)
        RGB: the viewer's image, before or after `colours.shrink`.

    Returns
    -------
    Flag
        0; NO_COVERAGE: nothing at all, or one colour all over; MISSING_BAND: at least one band
        lacks in four fifths of the image; PARTIAL_COVERAGE: in a connected twentieth of it.
    """
    if np.ptp(image, axis=(0, 1)).max() <= 2:
        return Flag.NO_COVERAGE
    empty = _empty_blocks(image if image.shape[0] == CUTOUT_SIZE else shrink(image))
    if empty.all(axis=-1).mean() > _ALL:
        return Flag.NO_COVERAGE
    if (empty.mean(axis=(0, 1)) > _ALL).any():
        return Flag.MISSING_BAND
    if max(_largest_region(empty[..., band]) for band in range(3)) > _SOME:
        return Flag.PARTIAL_COVERAGE
    return Flag(0)


def _empty_blocks(cutout: np.ndarray) -> np.ndarray:
    """Tell for each block and channel of a 64x64 cutout whether it has no data; (8, 8, 3) bool."""
    cells = _signal(_means(cutout))
    side = cells.shape[0] // _BLOCKS
    blocks = abs(cells).reshape(_BLOCKS, side, _BLOCKS, side, 3)
    activity = np.median(blocks.swapaxes(1, 2).reshape(_BLOCKS, _BLOCKS, side * side, 3), axis=2)
    most = activity.max(axis=-1, keepdims=True)
    silent = (activity < _QUIET + _LEAK * most) & (activity < _CONTRAST * most)
    return silent | (most < _BLANK)


def _means(cutout: np.ndarray) -> np.ndarray:
    """Average over cells; half a count is what the viewer loses when it rounds down."""
    side = CUTOUT_SIZE // _CELL
    return cutout.reshape(side, _CELL, side, _CELL, 3).mean(axis=(1, 3), dtype=np.float32) + 0.5


def _signal(channels: np.ndarray) -> np.ndarray:
    """Subtract from each channel, in counts, what the formula gives a band of zero flux."""
    stretched = channels.mean(axis=-1, keepdims=True) / 255
    intensity = np.sinh(np.sqrt(Q) * stretched) / Q
    return channels - 255 * M * stretched / intensity


def _largest_region(empty: np.ndarray) -> float:
    """Return the largest connected part of the blocks, as a fraction of all of them."""
    labels, count = ndimage.label(empty)
    return float(np.bincount(labels.ravel())[1:].max() / empty.size) if count else 0.0
