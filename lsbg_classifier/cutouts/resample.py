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


def resample(patches: np.ndarray, affines: np.ndarray, sampled: np.ndarray):
    """Sample images on the viewer's 256x256 grid, or on a coarser one of the same field.

    The affine maps are applied in two passes, first along rows and then along columns, which is
    exact for band-limited images.

    Parameters
    ----------
    patches : array of float32, shape (N, bands, height, width)
        Parts of a coadd, in the coadd's own row order.
    affines : array of float, shape (N, 2, 3)
        ``[[x0, xu, xv], [y0, yu, yv]]``: where in the patch the centre of the grid falls, and how
        far a step of one grid pixel to the right (u) and up (v) moves in x and y. Rotations must
        be small: |xv| and |yu| well below |xu| and |yv|.
    sampled : array of float32, shape (N, bands, side, side)
        Gets the samples, row 0 at the top (north). A side of 128 means one sample at the middle of
        every 2x2 of the viewer's pixels. Outside the patch the image counts as zero.
    """
    x0, xu, xv, y0, yu, yv = affines.reshape(-1, 6).T
    side = sampled.shape[-1]
    size = VIEWER_SIZE / side
    steps = (np.arange(side) - (side - 1) / 2) * size
    columns = x0[:, None] + (xu - xv * yu / yv)[:, None] * steps
    rows = y0[:, None] - yv[:, None] * steps
    shifts = np.array([[-xv / yv * y0, xv / yv], [yu * steps[0], yu * size]])
    _resample(np.ascontiguousarray(patches, np.float32), columns, rows, shifts, _WEIGHTS, sampled)


@compiled
def _resample(patches, columns, rows, shifts, table, sampled):
    """Sample images at columns, shape (N, side), and then at rows.

    These are where lines at 0 are sampled; shifts, shape (2, 2, N), say for both passes how much
    farther the first line is, and how much each line is from the one before.
    """
    _, bands, height, width = patches.shape
    side = columns.shape[1]
    pixels = np.empty((bands, width, height), np.float32)
    narrow = np.empty((bands, side, height), np.float32)
    across = np.empty((bands, height, side), np.float32)
    for number in range(len(patches)):
        _transpose(patches[number], pixels)
        _sample_lines(pixels, columns[number], shifts[0, :, number], table, narrow)
        _transpose(narrow, across)
        _sample_lines(across, rows[number], shifts[1, :, number], table, sampled[number])


@compiled
def _transpose(images, turned):
    for band in range(images.shape[0]):
        for row in range(images.shape[1]):
            line = images[band, row]
            for n in range(len(line)):
                turned[band, n, row] = line[n]


@compiled
def _sample_lines(lines, where, shift, table, sampled):
    """Sample lines, shape (bands, length, n), at m points; sampled has the shape (bands, m, n).

    The weights of the pixels are computed for the first of a few neighbouring lines and for the
    next after them, between which they are linear.
    """
    bands, length, count = lines.shape
    slope = shift[1]
    together = int(min(max(_MOST_SHIFT / max(abs(slope), 1e-9), 1), _MOST_LINES))
    weights, change = np.empty(2 * REACH, np.float32), np.empty(2 * REACH, np.float32)
    for point in range(len(where)):
        for start in range(0, count, together):
            stop = min(start + together, count)
            place = where[point] + shift[0] + slope * start
            left = int(np.floor(place + 0.5 * slope * together))
            _weigh(weights, place - left, table)
            _weigh(change, place + slope * together - left, table)
            change -= weights
            change /= np.float32(together)
            first = left + 1 - REACH
            inside = first >= 0 and first + 2 * REACH <= length
            for band in range(bands):
                target = sampled[band, point, start:stop]
                if inside:
                    _write_sum(
                        target, lines[band], np.uint64(first), np.uint64(start), weights, change
                    )
                else:
                    target[:] = 0
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
