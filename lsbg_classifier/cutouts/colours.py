"""Fluxes to colours and back, as the Legacy Survey viewer does it, and the shrink to 64x64.

The formula is the viewer's (github.com/legacysurvey/imagine, ``sdss_rgb``): in each band
x = max(0, s F + m) with F in nanomaggies, I = mean of x, f = arcsinh(Q I) / sqrt(Q), and a
channel is clip((s F + m) f / I, 0, 1).
"""

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from lsbg_classifier.compiled import compiled
from lsbg_classifier.cutouts.pixels import M, Q, colour
from lsbg_classifier.surveys import CUTOUT_SIZE

NANOMAGGIE_ZERO_POINT = 22.5
"""AB magnitude of one nanomaggie."""


def colours_of_fluxes(fluxes: np.ndarray, scales: tuple[float, ...]) -> np.ndarray:
    """Colour images of three bands.

    Parameters
    ----------
    fluxes : array of float, shape (..., 3, height, width)
        Nanomaggies a pixel, bands from blue to red.
    scales : tuple of float
        The survey's colour scale of each band, in the same order.

    Returns
    -------
    array of uint8, shape (..., height, width, 3)
        RGB: the reddest band becomes red. No flux at all gives a uniform 32.
    """
    height, width = fluxes.shape[-2:]
    planes = np.ascontiguousarray(fluxes, np.float32).reshape(-1, 3, height * width)
    coloured, factors = np.empty(planes.shape, np.uint8), np.asarray(scales, np.float32)
    for image, target in zip(planes, coloured, strict=True):
        colour(image, factors, target)
    return np.moveaxis(coloured.reshape(fluxes.shape), -3, -1)


def scaled_fluxes_of_colours(image: np.ndarray) -> np.ndarray:
    """Invert the formula where no channel is clipped.

    Parameters
    ----------
    image : array of uint8, shape (..., 3)
        RGB.

    Returns
    -------
    array of float32, shape (..., 3)
        s F of each band in the image's channel order (red first); no flux gives about 0, within
        what eight bits and JPEG leave of it.
    """
    channels = image.astype(np.float32) / 255.0
    stretched = channels.mean(axis=-1, keepdims=True)
    intensity = np.sinh(np.sqrt(Q) * stretched) / Q
    return channels * intensity / np.maximum(stretched, 1e-6) - np.float32(M)


def compress(image: np.ndarray, quality: int = 90) -> np.ndarray:
    """Pass an image through JPEG as the viewer does, in quality 90 with 4:2:0 chroma.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    quality : int
        From 1 to 95, as Pillow counts it.

    Returns
    -------
    array of uint8, shape (height, width, 3)
    """
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer))


def shrink(images: np.ndarray) -> np.ndarray:
    """Resize viewer images, (..., height, width, 3) uint8, to 64x64 as the published code does.

    To the bit what Pillow's bicubic filter gives, which averages over the pixels it covers; three
    times as fast.
    """
    *several, height, width, _ = images.shape
    planes = np.ascontiguousarray(np.moveaxis(images, -1, -3)).reshape(-1, 3, height, width)
    small = np.empty((len(planes), CUTOUT_SIZE, CUTOUT_SIZE, 3), np.uint8)
    _shrink(planes, *_filter(width), *_filter(height), small)
    return small.reshape(*several, CUTOUT_SIZE, CUTOUT_SIZE, 3)


@cache
def _filter(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Pillow's bicubic filter from `size` pixels to 64, in fixed point.

    First pixel of each sum, and its weights in units of 2^-22; shapes (64,) and (64, taps). At the
    edges, weights are zero.
    """
    step = size / CUTOUT_SIZE
    reach = 2 * max(step, 1.0)
    centre = (np.arange(CUTOUT_SIZE) + 0.5) * step
    first = np.maximum(0, (centre - reach + 0.5).astype(int))
    last = np.minimum(size, (centre + reach + 0.5).astype(int))
    pixels = first[:, None] + np.arange((last - first).max())
    x = abs(pixels + 0.5 - centre[:, None]) / max(step, 1.0)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights = np.select([x < 1, x < 2], [near, far], 0.0) * (pixels < last[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    first = np.minimum(first, size - weights.shape[1])
    shifted = np.zeros_like(weights)
    for row, start in enumerate(pixels[:, 0] - first):
        shifted[row, start:] = weights[row, : weights.shape[1] - start]
    return first, np.floor(shifted * (1 << 22) + 0.5).astype(np.int32)


@compiled
def _shrink(planes, left, across, top, down, small):
    """Average planes, (N, 3, height, width), over their width and then over their height."""
    _, bands, height, width = planes.shape
    lines = np.empty((width, height), np.uint8)
    narrow = np.empty((height, CUTOUT_SIZE), np.uint8)
    averaged = np.empty(max(height, CUTOUT_SIZE), np.uint8)
    total = np.empty(max(height, CUTOUT_SIZE), np.int32)
    for number in range(len(planes)):
        for band in range(bands):
            for row in range(height):
                for column in range(width):
                    lines[column, row] = planes[number, band, row, column]
            for column in range(CUTOUT_SIZE):
                _average(lines, left[column], across[column], total[:height], averaged)
                for row in range(height):
                    narrow[row, column] = averaged[row]
            for row in range(CUTOUT_SIZE):
                _average(narrow, top[row], down[row], total[:CUTOUT_SIZE], averaged)
                for column in range(CUTOUT_SIZE):
                    small[number, row, column, band] = averaged[column]


@compiled
def _average(lines, first, weights, total, averaged):
    """Average some lines of a plane, shape (n, length), in the filter's fixed point."""
    total[:] = 1 << 21
    for tap in range(len(weights)):
        line, weight = lines[first + tap], weights[tap]
        for n in range(len(line)):
            total[n] += weight * np.int32(line[n])
    for n in range(len(total)):
        averaged[n] = np.uint8(min(max(total[n] >> 22, 0), 255))
