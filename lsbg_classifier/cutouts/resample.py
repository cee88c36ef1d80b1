"""Lanczos-3 resampling of a coadd onto the viewer's grid around a position."""

import numpy as np

from lsbg_classifier.compiled import compiled
from lsbg_classifier.surveys import VIEWER_SIZE

REACH = 3
"""Pixels that the kernel reaches to each side."""

_TOGETHER, _MOST_DRIFT = 32, 0.16
"""Neighbouring samples that take the same pixels, but for one more with each sample, and how far
the first and the last may be, in pixels, from where they would lie in the middle of these."""

_DEGREE = 8
"""Of the polynomials that weights are computed by: right to 1e-5."""


def _polynomials() -> tuple[tuple[np.float32, ...], ...]:
    """Fit the weights of the first three of six pixels; those of the others are mirror images.

    They depend on where between the third and the fourth pixel the sample is, from the middle.
    """
    farthest = (1 + _MOST_DRIFT) / 2
    place = farthest * np.cos(np.pi * (np.arange(200) + 0.5) / 200)
    offset = place[:, None] + 0.5 - np.arange(1 - REACH, REACH + 1)
    kernel = np.sinc(offset) * np.sinc(offset / REACH)
    weights = kernel / kernel.sum(axis=1, keepdims=True)
    fitted = np.polynomial.polynomial.polyfit(place, weights[:, :REACH], _DEGREE)
    return tuple(tuple(column) for column in fitted.T.astype(np.float32))


_FIRST, _SECOND, _THIRD = _polynomials()


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
        every 2x2 of the viewer's pixels.

    Raises
    ------
    ValueError
        If a patch does not hold the grid and the three pixels around it that the kernel reaches.
    """
    height, width = patches.shape[2:]
    centre, half = affines[:, :, 0], np.abs(affines[:, :, 1:]).sum(axis=2) * (VIEWER_SIZE - 1) / 2
    farthest = np.array([width, height]) - 1 - REACH
    if not ((centre - half >= REACH - 1) & (centre + half <= farthest)).all():
        raise ValueError(f"patches must hold the grid and {REACH} pixels around it")
    step = np.abs(affines[:, 0, 1]).max(initial=0) * VIEWER_SIZE / sampled.shape[-1]
    sets = 2 ** max(0, round(-np.log2(step))) if len(affines) else 1
    _resample(np.ascontiguousarray(patches, np.float32), affines, sets, sampled)


@compiled
def _resample(patches, affines, sets, sampled):
    """Sample rows of pixels at columns, and what comes of it at rows.

    The samples of a row are taken in sets, so that those of a set are about a pixel apart.
    """
    _, bands, height, width = patches.shape
    side = sampled.shape[3]
    columns, size = side // sets, VIEWER_SIZE / side
    narrow = np.empty((bands, height * columns), np.float32)
    part = np.empty((bands, side * columns), np.float32)
    top = (size - VIEWER_SIZE) / 2
    for number in range(len(patches)):
        pixels = patches[number].reshape(bands, height * width)
        x0, xu, xv = affines[number, 0]
        y0, yu, yv = affines[number, 1]
        step, slant = xu - xv * yu / yv, xv / yv
        for first in range(sets):
            left = top + first * size
            across = x0 - slant * y0 + step * left, slant, step * size * sets - 1
            down = y0 + yu * left - yv * top, -yv * size, yu * size * sets
            _sample(pixels, (height, width, 1, 1, width), across, narrow)
            _sample(narrow, (side, 0, columns, 0, height), down, part)
            for band in range(bands):
                for row in range(side):
                    for n in range(columns):
                        sampled[number, band, row, first + n * sets] = part[band, row * columns + n]


@compiled
def _sample(pixels, layout, where, sampled):
    """Sample lines; both images are flat, shape (bands, n).

    `layout`: how many lines there are; how far in `pixels` the next line is, and the next pixel of
    those that are summed; whether these move on with each sample, by one; and how many there are.
    `where`: which pixel the first sample of the first line lies at; how much farther that is in the
    next line; and how much the next sample of a line is from where that pixel would have moved to.
    """
    lines, to_line, to_pixel, moves, length = layout
    samples = sampled.shape[1] // lines
    place, slant, drift = where
    together = _TOGETHER
    while together > 1 and together * abs(drift) > _MOST_DRIFT:
        together //= 2
    weights = np.empty((2 * REACH, _TOGETHER), np.float32)
    ahead = np.uint64(to_pixel)  # unsigned, so that no index can count from the end
    for line in range(lines):
        for start in range(0, samples, together):
            count = min(together, samples - start)
            begin = place + slant * line + drift * start
            third = int(np.floor(begin + drift * (together - 1) / 2))
            last = length - 1 - REACH - moves * (start + count - 1)
            third = min(max(third, REACH - 1 - moves * start), last)
            _weigh(begin - third - 0.5, drift, count, weights)
            a = np.uint64(line * to_line + start + (third + 1 - REACH) * to_pixel)
            b, c = a + ahead, a + ahead + ahead
            d, e, f = c + ahead, c + ahead + ahead, c + ahead + ahead + ahead
            target = np.uint64(line * samples + start)
            for band in range(len(pixels)):
                for n in range(np.uint64(count)):
                    near = weights[2, n] * pixels[band, c + n] + weights[3, n] * pixels[band, d + n]
                    far = weights[1, n] * pixels[band, b + n] + weights[4, n] * pixels[band, e + n]
                    ends = weights[0, n] * pixels[band, a + n] + weights[5, n] * pixels[band, f + n]
                    sampled[band, target + n] = near + far + ends


@compiled
def _weigh(place, drift, count, weights):
    """Compute the weights of six pixels for some neighbouring samples."""
    place, drift = np.float32(place), np.float32(drift)
    for n in range(count):
        x = place + drift * np.float32(np.int32(n))
        weights[0, n], weights[5, n] = _pair(x, _FIRST)
        weights[1, n], weights[4, n] = _pair(x, _SECOND)
        weights[2, n], weights[3, n] = _pair(x, _THIRD)


@compiled
def _pair(x, c):
    """Return a polynomial at x and at -x."""
    x2 = x * x
    even = c[0] + x2 * (c[2] + x2 * (c[4] + x2 * (c[6] + x2 * c[8])))
    odd = x * (c[1] + x2 * (c[3] + x2 * (c[5] + x2 * c[7])))
    return even + odd, even - odd
