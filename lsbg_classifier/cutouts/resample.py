"""Lanczos-3 resampling of a coadd onto the viewer's grid around a position."""

import numpy as np

from lsbg_classifier.surveys import VIEWER_SIZE

REACH = 3
"""Pixels that the kernel reaches to each side."""

_STEPS = 2048
_CENTRE = (VIEWER_SIZE - 1) / 2


def _kernel_table() -> np.ndarray:
    """Weights of the six pixels around a point, for each fraction of a pixel, of sum 1."""
    fraction = np.arange(_STEPS + 1)[:, None] / _STEPS
    offset = fraction - np.arange(1 - REACH, REACH + 1)[None]
    weights = np.sinc(offset) * np.sinc(offset / REACH)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


_KERNEL = _kernel_table()


def resample(patch: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Sample an image on the viewer's 256x256 grid.

    The affine map is applied in two passes, first along rows and then along columns, which is
    exact for band-limited images and needs 12 samples a pixel where the direct sum needs 36.

    Parameters
    ----------
    patch : array of float32, shape (height, width, bands)
        Part of a coadd, in the coadd's own row order.
    affine : array of float, shape (2, 3)
        ``[[x0, xu, xv], [y0, yu, yv]]``: where in the patch the centre of the grid falls, and how
        far a step of one grid pixel to the right (u) and up (v) moves in x and y. Rotations must
        be small: |xv| and |yu| well below |xu| and |yv|.

    Returns
    -------
    array of float32, shape (256, 256, bands)
        Row 0 at the top (north). Outside the patch the image counts as zero.
    """
    (x0, xu, xv), (y0, yu, yv) = affine
    step = np.arange(VIEWER_SIZE) - _CENTRE
    rows = np.arange(patch.shape[0])
    up = (rows[:, None] - y0 - yu * step[None]) / yv
    along_rows = _interpolate(patch, x0 + xu * step[None] + xv * up)
    y = y0 + yu * step[:, None] + yv * -step[None]
    return _interpolate(along_rows.transpose(1, 0, 2), y).transpose(1, 0, 2)


def _interpolate(lines: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Interpolate each line, shape (n, length, bands), at its own points, shape (n, m)."""
    count, length, bands = lines.shape
    padded = np.zeros((count, length + 2 * REACH, bands), np.float32)
    padded[:, REACH:-REACH] = lines
    where = np.clip(where, -1.0, length - 1e-6)
    left = np.floor(where).astype(np.intp)
    weights = _KERNEL[((where - left) * _STEPS + 0.5).astype(np.intp)]
    first = left + 1 + (np.arange(count) * (length + 2 * REACH))[:, None]
    flat = padded.reshape(-1, bands)
    result = np.zeros((*where.shape, bands), np.float32)
    for tap in range(2 * REACH):
        result += flat[first + tap] * weights[..., tap, None]
    return result
