"""Mock galaxies drawn into the pixels of a tile."""

from collections.abc import Callable
from dataclasses import dataclass

import galsim
import numpy as np
from astropy.table import Row

from lsbg_classifier.injection.profiles import shape_of
from lsbg_classifier.tile_images import NANOMAGGIE_ZERO_POINT, TileImages

PsfAt = Callable[[float, float], galsim.GSObject]
"""Given a pixel (x, y) from 0, returns the point-spread function there, in arcseconds."""

_PSF_REACH = 8.0
"""Arcseconds around a shape that hold what the point-spread function scatters."""

_LARGEST_SIDE = 4095


@dataclass(frozen=True)
class Stamp:
    """Light of one mock in one band: nanomaggies a pixel, and the pixel (x, y) it begins at."""

    pixels: np.ndarray
    x: int
    y: int


class Light:
    """What is added to one band of a tile: an image that is empty for the most part.

    Attributes
    ----------
    pixels : array of float32, shape (height, width)
        Nanomaggies a pixel.
    rows : array of bool, shape (height,)
        Which rows have any.
    """

    def __init__(self, height: int, width: int):
        self.pixels = np.zeros((height, width), np.float32)
        self.rows = np.zeros(height, bool)

    def add(self, stamp: Stamp):
        """Add a stamp, the part inside the image."""
        height, width = stamp.pixels.shape
        x0, y0 = max(stamp.x, 0), max(stamp.y, 0)
        x1 = min(stamp.x + width, self.pixels.shape[1])
        y1 = min(stamp.y + height, self.pixels.shape[0])
        if x0 < x1 and y0 < y1:
            part = stamp.pixels[y0 - stamp.y : y1 - stamp.y, x0 - stamp.x : x1 - stamp.x]
            self.pixels[y0:y1, x0:x1] += part
            self.rows[y0:y1] = True


def local_jacobian(tile: TileImages, x: float, y: float) -> galsim.JacobianWCS:
    """Return how the pixels around one pixel lie on the sky.

    Parameters
    ----------
    tile : TileImages
    x, y : float
        Pixel from 0.

    Returns
    -------
    galsim.JacobianWCS
        Of pixels to arcseconds towards west and north.
    """
    columns, rows = np.array([x, x + 1, x]), np.array([y, y, y + 1])
    at = np.stack(tile.sky_of(columns, rows), axis=1)
    steps = (at[1:] - at[0] + [180, 0]) % 360 - [180, 0]
    steps[:, 1] = at[1:, 1] - at[0, 1]
    west = -3600 * steps[:, 0] * np.cos(np.radians(at[0, 1]))
    north = 3600 * steps[:, 1]
    return galsim.JacobianWCS(west[0], west[1], north[0], north[1])


def draw(mock: Row, magnitudes: dict[str, float], psfs: dict[str, PsfAt], tile: TileImages):
    """Draw a mock galaxy in each band.

    Parameters
    ----------
    mock : astropy.table.Row
        With the columns of `MockModel.draw`, and ``X_IMAGE``, ``Y_IMAGE``, pixels from 1.
    magnitudes : dict of str to float
        AB magnitudes by band.
    psfs : dict of str to callable
        The point-spread function of each band, as pixels see it: that includes the pixel, so
        that nothing else is convolved with.
    tile : TileImages
        Says where its pixels lie on the sky.

    Returns
    -------
    dict of str to Stamp
    """
    x, y = float(mock["X_IMAGE"]) - 1, float(mock["Y_IMAGE"]) - 1
    shape, jacobian = shape_of(mock), local_jacobian(tile, x, y)
    scale = np.sqrt(abs(jacobian.pixelArea()))
    half = int(np.ceil((shape.reach + _PSF_REACH) / scale))
    side = min(2 * half + 1, _LARGEST_SIDE)
    column, row = round(x), round(y)
    placing = {"nx": side, "ny": side, "wcs": jacobian, "offset": (x - column, y - row)}
    stamps = {}
    for band, magnitude in magnitudes.items():
        seen = galsim.Convolve(shape.profile, psfs[band](x, y))
        image = seen.drawImage(**placing, method="no_pixel", dtype=np.float32).array
        flux = np.float32(10 ** (-0.4 * (magnitude - NANOMAGGIE_ZERO_POINT)))
        stamps[band] = Stamp(image * flux, column - side // 2, row - side // 2)
    return stamps


def add_noise(stamp: Stamp, electrons: float, generator: np.random.Generator) -> Stamp:
    """Return a stamp with the Poisson noise of its own light.

    Parameters
    ----------
    stamp : Stamp
        Negative pixels get no noise.
    electrons : float
        Detected per nanomaggie, above 0.
    generator : numpy.random.Generator

    Returns
    -------
    Stamp
        A new one, float32.
    """
    expected = np.maximum(stamp.pixels, 0) * electrons
    noisy = generator.poisson(expected) / electrons + np.minimum(stamp.pixels, 0)
    return Stamp(noisy.astype(np.float32), stamp.x, stamp.y)
