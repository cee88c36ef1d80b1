"""Lanczos-3 resampling of a coadd onto the viewer's grid around a position."""

import numpy as np

from lsbg_classifier.compiled import compiled
from lsbg_classifier.surveys import VIEWER_SIZE

REACH = 3
"""Pixels that the kernel reaches to each side."""

_MOST_LINES, _MOST_SHIFT = 32, 0.16
"""Neighbouring lines, and pixels between their shifts, that are sampled together."""

_PHASES = 512
"""Tabulated places between two pixels; between these, weights are linear."""


def _table() -> np.ndarray:
    """Return Lanczos-3 weights, of sum 1, of six pixels at each phase; (2 * _PHASES, 6).

    The phases run from half a pixel before the third of the six to half a pixel after the fourth.
    """
    phase = np.arange(2 * _PHASES)[:, None] / _PHASES - 0.5
    offset = phase - np.arange(1 - REACH, REACH + 1)
    kernel = np.where(abs(offset) < REACH, np.sinc(offset) * np.sinc(offset / REACH), 0)
    return (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)


_WEIGHTS = _table()


def resample(patch: np.ndarray, affine: np.ndarray, side: int = VIEWER_SIZE) -> np.ndarray:
    """Sample an image on the viewer's 256x256 grid, or on a coarser one of the same field.

    The affine map is applied in two passes, first along rows and then along columns, which is
    exact for band-limited images.

    Parameters
    ----------
    patch : array of float32, shape (bands, height, width)
        Part of a coadd, in the coadd's own row order.
    affine : array of float, shape (2, 3)
        ``[[x0, xu, xv], [y0, yu, yv]]``: where in the patch the centre of the grid falls, and how
        far a step of one grid pixel to the right (u) and up (v) moves in x and y. Rotations must
        be small: |xv| and |yu| well below |xu| and |yv|.
    side : int
        Samples along each side; 128 means one at the middle of every 2x2 of the viewer's pixels.

    Returns
    -------
    array of float32, shape (bands, side, side)
        Row 0 at the top (north). Outside the patch the image counts as zero.
    """
    (x0, xu, xv), (y0, yu, yv) = affine
    step = (np.arange(side) - (side - 1) / 2) * (VIEWER_SIZE / side)
    rows = np.arange(patch.shape[1])
    along_rows = _sample(patch, x0 + (xu - xv * yu / yv) * step, xv / yv * (rows - y0))
    return _sample(along_rows, y0 - yv * step, yu * step)


def _sample(image: np.ndarray, where: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Sample the lines of an image, shape (bands, n, length), at m points; (bands, m, n).

    Line i is sampled at ``where + shift[i]``; the shifts grow evenly. The weights of the pixels
    are computed for the first of a few neighbouring lines and for the last, between which they
    are linear.
    """
    lines = np.ascontiguousarray(image.transpose(0, 2, 1), np.float32)
    slope = (shift[-1] - shift[0]) / max(1, len(shift) - 1)
    together = int(min(max(_MOST_SHIFT / max(abs(slope), 1e-9), 1), _MOST_LINES))
    sampled = np.zeros((len(lines), len(where), len(shift)), np.float32)
    _sample_lines(lines, where, shift, slope, together, _WEIGHTS, sampled)
    return sampled


@compiled
def _sample_lines(lines, where, shift, slope, together, table, sampled):
    bands, length, count = lines.shape
    weights, change = np.empty(2 * REACH, np.float32), np.empty(2 * REACH, np.float32)
    for point in range(len(where)):
        for start in range(0, count, together):
            stop = min(start + together, count)
            place = where[point] + shift[start]
            left = int(np.floor(place + 0.5 * slope * (stop - start)))
            _weigh(weights, place - left, table)
            _weigh(change, place + slope * (stop - start) - left, table)
            change -= weights
            change /= np.float32(stop - start)
            first = left + 1 - REACH
            for band in range(bands):
                target = sampled[band, point, start:stop]
                if first >= 0 and first + 2 * REACH <= length:
                    _write_sum(
                        target, lines[band], np.uint64(first), np.uint64(start), weights, change
                    )
                else:
                    for tap in range(max(0, -first), min(2 * REACH, length - first)):
                        for n in range(len(target)):
                            weight = weights[tap] + n * change[tap]
                            target[n] += weight * lines[band, first + tap, start + n]


@compiled
def _weigh(weights, phase, table):
    """Interpolate the weights at a phase between the third and the fourth pixel."""
    place = (phase + 0.5) * _PHASES
    below = int(place)
    share = np.float32(place - below)
    for tap in range(len(weights)):
        weights[tap] = table[below, tap] + share * (table[below + 1, tap] - table[below, tap])


@compiled
def _write_sum(target, lines, first, start, weights, change):
    """Write the weighted sum of six lines, in one pass over the memory.

    `first` and `start` are unsigned, so that no index can count from the end.
    """
    wa, wb, wc, wd, we, wf = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    ca, cb, cc, cd, ce, cf = change[0], change[1], change[2], change[3], change[4], change[5]
    one = np.uint64(1)
    second, third = first + one, first + one + one
    fourth, fifth, sixth = third + one, third + one + one, third + one + one + one
    for n in range(np.uint64(len(target))):
        column = start + n
        a, b, c = lines[first, column], lines[second, column], lines[third, column]
        d, e, f = lines[fourth, column], lines[fifth, column], lines[sixth, column]
        at_first = (wa * a + wb * b) + (wc * c + wd * d) + (we * e + wf * f)
        growth = (ca * a + cb * b) + (cc * c + cd * d) + (ce * e + cf * f)
        target[n] = at_first + np.float32(np.int32(n)) * growth
