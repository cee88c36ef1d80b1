"""Fluxes to colours and back, as the Legacy Survey viewer does it, and the shrink to 64x64.

The formula is the viewer's (github.com/legacysurvey/imagine, ``sdss_rgb``): in each band
x = max(0, s F + m) with F in nanomaggies, I = mean of x, f = arcsinh(Q I) / sqrt(Q), and a
channel is clip((s F + m) f / I, 0, 1).
"""

from io import BytesIO

import numpy as np
from PIL import Image

from lsbg_classifier.surveys import CUTOUT_SIZE

Q = 20.0
"""Softening of the arcsinh stretch."""

M = 0.03
"""Offset of the sky above black, in scaled flux."""

NANOMAGGIE_ZERO_POINT = 22.5
"""AB magnitude of one nanomaggie."""


def colours_of_fluxes(fluxes: np.ndarray, scales: tuple[float, ...]) -> np.ndarray:
    """Colour an image of three bands.

    Parameters
    ----------
    fluxes : array of float, shape (3, height, width)
        Nanomaggies a pixel, bands from blue to red.
    scales : tuple of float
        The survey's colour scale of each band, in the same order.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        RGB: the reddest band becomes red. No flux at all gives a uniform 32.
    """
    scaled = fluxes[::-1] * np.asarray(scales[::-1], np.float32)[:, None, None]
    scaled += np.float32(M)
    intensity = np.maximum(scaled, 0).mean(axis=0, dtype=np.float32)
    np.maximum(intensity, np.float32(1e-6), out=intensity)
    scaled *= np.arcsinh(Q * intensity) / (np.sqrt(Q).astype(np.float32) * intensity)
    return np.moveaxis(np.clip(scaled, 0, 1) * 255.0, 0, -1).astype(np.uint8)


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
    """Pass an image, (height, width, 3) uint8, through JPEG as the viewer does.

    The viewer writes quality 90 with 4:2:0 chroma.
    """
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer))


def shrink(image: np.ndarray) -> np.ndarray:
    """Resize a viewer image, (height, width, 3) uint8, to (64, 64, 3) as the published code does.

    Pillow's bicubic filter, which averages over the pixels it covers.
    """
    small = Image.fromarray(image).resize((CUTOUT_SIZE, CUTOUT_SIZE), Image.Resampling.BICUBIC)
    return np.asarray(small)
