"""Lanczos-3 resampling of a coadd onto the viewer's grid around a position."""

import numpy as np

from lsbg_classifier.surveys import VIEWER_SIZE

REACH = 3
"""Pixels that the kernel reaches to each side."""

_CENTRE = (VIEWER_SIZE - 1) / 2
_TAPS = np.arange(1 - REACH, REACH + 1)
_TOLERANCE = 2e-3
"""Largest error of interpolating between shifts, as a fraction of the image's contrast."""

_MOST_SHIFT = 0.25
"""Pixels between the shifts of lines that are interpolated together."""


def resample(patch: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Sample an image on the viewer's 256x256 grid.

    The affine map is applied in two passes, first along rows and then along columns, which is
    exact for band-limited images. Each pass is a product of matrices.

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
    columns = patch.transpose(1, 0, 2)
    along_rows = _sample(columns, x0 + (xu - xv * yu / yv) * step, xv / yv * (rows - y0))
    return _sample(along_rows.transpose(1, 0, 2), y0 - yv * step, yu * step)


def _sample(lines: np.ndarray, where: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Sample n lines, shape (length, n, bands), at m points, each line shifted a little.

    Line i is sampled at ``where + shift[i]``; shape (m, n, bands). The lines are sampled at a few
    common shifts, between which polynomials of the shift interpolate: Chebyshev's nodes keep the
    error of a signal below the Nyquist frequency under `_TOLERANCE`.
    """
    length, count, bands = lines.shape
    if np.ptp(shift) > _MOST_SHIFT and count > 1:
        halves = (
            (lines[:, part], shift[part]) for part in (np.s_[: count // 2], np.s_[count // 2 :])
        )
        return np.concatenate([_sample(half, where, own) for half, own in halves], axis=1)
    middle, reach = (shift.max() + shift.min()) / 2, np.ptp(shift) / 2
    nodes = _nodes(reach)
    weights = np.concatenate([_weights(where + middle + node, length) for node in nodes], axis=1)
    shares = _lagrange(nodes, shift - middle)
    parts = shares[:, None, :, None] * lines[None]
    result = weights @ parts.reshape(len(nodes) * length, count * bands)
    return result.reshape(len(where), count, bands)


def _nodes(reach: float) -> np.ndarray:
    """Return as many of Chebyshev's nodes on [-reach, reach] as the tolerance asks for."""
    count, error = 1, np.pi * reach
    while error > _TOLERANCE:
        count += 1
        error *= np.pi * reach / (2 * count)
    return reach * np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _lagrange(nodes: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return the share of each node at each shift, float32 of shape (nodes, shifts)."""
    shares = np.ones((len(nodes), len(shift)), np.float32)
    for k, node in enumerate(nodes):
        for other in np.delete(nodes, k):
            shares[k] *= (shift - other) / (node - other)
    return shares


def _weights(where: np.ndarray, length: int) -> np.ndarray:
    """Return Lanczos-3 weights, of sum 1, of `length` pixels at each point; (points, length)."""
    left = np.floor(where).astype(np.intp)
    offset = (where - left)[:, None] - _TAPS
    kernel = np.sinc(offset) * np.sinc(offset / REACH)
    kernel /= kernel.sum(axis=1, keepdims=True)
    padded = np.zeros((len(where), length + 4 * REACH), np.float32)
    columns = np.clip(left[:, None] + _TAPS, -2 * REACH, length + 2 * REACH - 1) + 2 * REACH
    np.put_along_axis(padded, columns, kernel.astype(np.float32), axis=1)
    return padded[:, 2 * REACH : -2 * REACH]
