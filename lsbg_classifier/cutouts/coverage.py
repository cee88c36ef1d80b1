"""Judge what part of a cutout has data: from the pixels of each band, or from colours alone."""

import numpy as np
from scipy import ndimage

from catalogs.flags import Flag
from lsbg_classifier.cutouts.colours import scaled_fluxes_of_colours

_BLOCKS = 8
"""Blocks a side that an image is divided into."""

_DARK = 3e-3
"""The median scaled flux of a band without data stays within this of zero."""

_STILL = 0.27
"""Its scatter stays below this fraction of the noisiest band's: what JPEG carries over from it."""

_GREY = 5e-4
"""Step of the scaled flux that eight bits resolve at the colour of blank sky."""

_ALL, _SOME = 0.9, 0.06
"""Fractions of the blocks that mean "the whole cutout" and "part of it", from colours."""

_EMPTY, _PARTIAL = 0.95, 0.01
"""The same for pixels, where they are known."""


def judge_gaps(gaps: np.ndarray) -> Flag:
    """Flag what is missing, given the fraction of the cutout without data in each band, (3,)."""
    if (gaps > _EMPTY).all():
        return Flag.NO_COVERAGE
    if (gaps > _EMPTY).any():
        return Flag.MISSING_BAND
    return Flag.PARTIAL_COVERAGE if (gaps > _PARTIAL).any() else Flag(0)


def judge_colours(image: np.ndarray) -> Flag:
    """Flag what is missing in an image made by the viewer's colour formula.

    A band without data has exactly zero flux. Inverting the formula, its scaled flux is then zero
    without any noise of its own, while a band that was observed shows at least the noise of the
    sky. That is asked of blocks of 8x8 pixels, by their median and their scatter, after the shrink
    to 64x64, which averages away the noise that JPEG carries from band to band.

    Parameters
    ----------
    image : array of uint8, shape (64, 64, 3)
        RGB, the viewer's image after `colours.shrink`.

    Returns
    -------
    Flag
        0, NO_COVERAGE, MISSING_BAND or PARTIAL_COVERAGE.
    """
    empty = _empty_blocks(image)
    nothing, each = empty.all(axis=-1), empty.mean(axis=(0, 1))
    if nothing.mean() > _ALL:
        return Flag.NO_COVERAGE
    if (each > _ALL).any():
        return Flag.MISSING_BAND
    if max(_largest_region(empty[..., band]) for band in range(3)) > _SOME:
        return Flag.PARTIAL_COVERAGE
    return Flag(0)


def _empty_blocks(image: np.ndarray) -> np.ndarray:
    """Tell for each block and channel whether it has no data; bool, shape (8, 8, 3)."""
    side = image.shape[0] // _BLOCKS
    fluxes = scaled_fluxes_of_colours(image).reshape(_BLOCKS, side, _BLOCKS, side, 3)
    blocks = fluxes.transpose(0, 2, 1, 3, 4).reshape(_BLOCKS, _BLOCKS, side * side, 3)
    median = np.median(blocks, axis=2)
    scatter = np.median(abs(blocks - median[:, :, None]), axis=2)
    still = scatter <= _STILL * scatter.max(axis=-1, keepdims=True)
    blank = (scatter < _GREY / 2).all(axis=-1, keepdims=True)
    return (abs(median) < _DARK) & (still | blank)


def _largest_region(empty: np.ndarray) -> float:
    """Return the largest connected part of the blocks, as a fraction of all of them."""
    labels, count = ndimage.label(empty)
    return float(np.bincount(labels.ravel())[1:].max() / empty.size) if count else 0.0
