"""Models of the point-spread function as PSFEx writes them (Bertin 2011, ASPC 442, 435).

A model is a cube of images, each multiplied by a term of a polynomial of the position: with
X = (x - POLZERO1) / POLSCAL1 and Y alike, the terms of degree d are 1, X, X^2, ..., Y, Y X, ...,
those of the first coordinate first. Images are sampled in steps of PSF_SAMP pixels. A model that
does not vary has no polynomial.
"""

from collections.abc import Callable

import galsim
import numpy as np
from astropy.io import fits


def read_psfex(hdu: fits.BinTableHDU) -> Callable[[float, float], galsim.GSObject]:
    """Read a model.

    Parameters
    ----------
    hdu : astropy.io.fits.BinTableHDU
        With the column ``PSF_MASK`` and the keywords of PSFEx.

    Returns
    -------
    callable
        Given a pixel (x, y) from 0, returns the profile there in units of pixels, the pixel's own
        profile included; its flux is 1.

    Raises
    ------
    ValueError
        If it is no model of images, or varies with something else than the position.
    KeyError
        If a keyword or the column is missing.
    """
    header = hdu.header
    cube = np.array(hdu.data["PSF_MASK"][0], np.float64)
    cube = cube.reshape((-1, *cube.shape[-2:]))
    if not np.isfinite(cube).all():
        raise ValueError("its images hold values that are not finite")
    axes, degree = int(header["POLNAXIS"]), 0
    if axes:
        degree = _degree(header, axes)
    if len(cube) != (degree + 1) * (degree + 2) // 2:
        raise ValueError(f"{len(cube)} images do not make a polynomial of degree {degree}")
    step = float(header["PSF_SAMP"])

    def at(x: float, y: float) -> galsim.GSObject:
        terms = [1.0]
        if axes:
            terms = _terms(_scaled(header, 1, x + 1), _scaled(header, 2, y + 1), degree)
        image = np.tensordot(terms, cube, axes=1)
        if not image.sum() > 0:
            raise ValueError(f"its flux at pixel ({x + 1:.0f}, {y + 1:.0f}) is not positive")
        pixels = galsim.Image(np.ascontiguousarray(image))
        kernel = galsim.Lanczos(3)
        return galsim.InterpolatedImage(pixels, scale=step, flux=1.0, x_interpolant=kernel)

    return at


def _degree(header: fits.Header, axes: int) -> int:
    """Return the degree of the polynomial; it must be one of the position alone."""
    names = [str(header.get(f"POLNAME{axis}", "")) for axis in range(1, axes + 1)]
    is_position = [
        name.startswith(a) and name.endswith("IMAGE") for name, a in zip(names, "XY", strict=False)
    ]
    if axes != 2 or not all(is_position):
        raise ValueError(f"it varies with {', '.join(names)}, not with X_IMAGE and Y_IMAGE alone")
    if int(header["POLNGRP"]) != 1:
        raise ValueError("its polynomial has several groups of coordinates")
    return int(header["POLDEG1"])


def _scaled(header: fits.Header, axis: int, pixel: float) -> float:
    return (pixel - float(header[f"POLZERO{axis}"])) / float(header[f"POLSCAL{axis}"])


def _terms(x: float, y: float, degree: int) -> list[float]:
    return [x**i * y**j for j in range(degree + 1) for i in range(degree + 1 - j)]
