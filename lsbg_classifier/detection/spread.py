"""SPREAD_MODEL: how much more a source looks like a small disc than like a star.

After Desai et al. 2012 (ApJ 757, 83, section 4.2.3) and Bouy et al. 2013 (A&A 554, A101): with the
local point-spread function P and a disc G of exponential profile, scale length FWHM/16, seen
through it, S = (G.I)/(P.I) - (G.P)/(P.P) on the pixels I around the source. Stars have S = 0
within the error that follows from the noise, extended sources more.
"""

from functools import lru_cache

import numpy as np
from scipy.signal import fftconvolve

_DISC = 1 / 16
"""Scale length of the disc in FWHM of the point-spread function."""

_HALF = 3.0
"""FWHM from a source's centre that are used."""

_MOFFAT_BETA = 3.5


def spread_model(
    image: np.ndarray, noise: float, x: np.ndarray, y: np.ndarray, fwhm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Measure SPREAD_MODEL and its error.

    Parameters
    ----------
    image : array of float32, shape (height, width)
        Without background; NaN and what lies outside count as 0.
    noise : float
        Of a pixel, in the same unit.
    x, y : array of float, shape (N,)
        Pixels, from 0.
    fwhm : float
        Of the point-spread function, in pixels; a Moffat profile is assumed.

    Returns
    -------
    spread, error : array of float32, shape (N,)
        NaN where the source has no positive light through the point-spread function.
    """
    half = int(np.ceil(_HALF * fwhm))
    padded = np.pad(np.nan_to_num(image), half)
    spread = np.full(len(x), np.nan, np.float32)
    error = np.full(len(x), np.nan, np.float32)
    for number, (column, row) in enumerate(zip(x, y, strict=True)):
        i, j = round(float(column)), round(float(row))
        if not (0 <= i < image.shape[1] and 0 <= j < image.shape[0]):
            continue
        pixels = padded[j : j + 2 * half + 1, i : i + 2 * half + 1]
        psf, disc = _models(half, float(column) - i, float(row) - j, fwhm)
        seen_as_disc, seen_as_star = float((disc * pixels).sum()), float((psf * pixels).sum())
        if not seen_as_star > 0:
            continue
        spread[number] = seen_as_disc / seen_as_star - (disc * psf).sum() / (psf * psf).sum()
        slope = disc / seen_as_star - seen_as_disc * psf / seen_as_star**2
        error[number] = noise * np.sqrt((slope**2).sum())
    return spread, error


def _models(half: int, dx: float, dy: float, fwhm: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw a star and a disc of unit flux, off the middle pixel by (dx, dy)."""
    distance = np.hypot(*(np.indices((2 * half + 1,) * 2)[::-1] - half - [[[dx]], [[dy]]]))
    psf = _moffat(distance, fwhm)
    return psf / psf.sum(), _disc_profile(distance, fwhm)


def _moffat(distance, fwhm):
    core = fwhm / 2 / np.sqrt(2 ** (1 / _MOFFAT_BETA) - 1)
    return (1 + (distance / core) ** 2) ** -_MOFFAT_BETA


def _disc_profile(distance, fwhm):
    """Return the disc of unit flux, seen through the point-spread function."""
    radii, profile = _seen_disc()
    values = np.interp(distance / fwhm, radii, profile)
    return values / values.sum()


@lru_cache
def _seen_disc() -> tuple[np.ndarray, np.ndarray]:
    """Convolve the disc and the point-spread function of FWHM 1; returns radii and values."""
    step, half = 1 / 64, 5 * 64
    distance = np.hypot(*(np.indices((2 * half + 1,) * 2) - half)) * step
    disc = np.exp(-distance / _DISC)
    seen = fftconvolve(_moffat(distance, 1.0), disc / disc.sum(), mode="same")
    return np.arange(half) * step, seen[half, half : 2 * half]
