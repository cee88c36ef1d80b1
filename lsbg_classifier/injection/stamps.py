"""Stamps around mocks instead of whole tiles, so that a whole survey fits on a disk."""

import re
from pathlib import Path

import numpy as np
from astropy.io import fits

from catalogs.output import written_whole
from lsbg_classifier.injection.render import Light
from lsbg_classifier.injection.tiles import Injected, Request, draw_band
from lsbg_classifier.tile_images import OpenImages, TileImages

_ZERO_POINT = 22.5


def write_stamps(tile: TileImages, injected: Injected, folder: Path, request: Request, side: float):
    """Write one small cube a mock: all bands of the tile around it, with all mocks in them.

    A stamp is a FITS file of nanomaggies, a plane a band, compressed by RICE in steps of 1/16 of
    its noise, that ``tiles:`` reads as a tile of its own: ``BANDS`` names the planes, ``MAGZERO``
    is 22.5, and ``MOCK_ID`` is that of the truth. Where the tile has no data, and outside of it,
    pixels are 0.

    Parameters
    ----------
    tile : TileImages
    injected : Injected
        Of this tile.
    folder : Path
    request : Request
    side : float
        Arcseconds.
    """
    half = int(np.ceil(side / tile.pixel_scale / 2))
    cubes = np.zeros((len(injected.truth), len(tile.bands), 2 * half, 2 * half), np.float32)
    with OpenImages(tile) as images:
        for plane, band in enumerate(tile.bands):
            light = draw_band(tile, injected, band, request)
            for cube, mock in zip(cubes, injected.truth, strict=True):
                _cut(cube[plane], images, band, light, _corner(mock, half))
    for number, (cube, mock) in enumerate(zip(cubes, injected.truth, strict=True)):
        name = f"{_plain(tile.name)}_mock{injected.repeat:02d}{number:05d}_cube.fits.fz"
        _write(folder / name, cube, _header(tile, mock, _corner(mock, half), request))


def _plain(name: str) -> str:
    """Return a name that can be part of a file's."""
    return re.sub(r"[^A-Za-z0-9+.-]", "-", name)


def _corner(mock, half: int) -> tuple[int, int]:
    """Return the pixel (x, y), from 0, of the tile that a stamp begins with."""
    return round(float(mock["X_IMAGE"])) - 1 - half, round(float(mock["Y_IMAGE"])) - 1 - half


def _cut(plane: np.ndarray, images: OpenImages, band: str, light: Light, corner: tuple[int, int]):
    """Fill a plane with the part of a band that is inside the tile, mocks added."""
    height, width = light.pixels.shape
    x, y = corner
    rows = slice(max(y, 0), min(y + len(plane), height))
    columns = slice(max(x, 0), min(x + len(plane), width))
    fluxes, _ = images.read(band, rows, columns)
    seen = np.nan_to_num(fluxes + light.pixels[rows, columns])
    plane[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = seen


def _header(tile: TileImages, mock, corner: tuple[int, int], request: Request) -> fits.Header:
    header = fits.Header.fromstring(tile.grid.wcs_header)
    header["CRPIX1"] -= corner[0]
    header["CRPIX2"] -= corner[1]
    header["BANDS"] = ("".join(tile.bands), "bands of the planes")
    header["MAGZERO"] = (_ZERO_POINT, "AB magnitude of one count: nanomaggies")
    header["TILENAME"] = (tile.name, "tile that this is a part of")
    header["MOCK_ID"] = (str(mock["MOCK_ID"]), "mock in the middle, see the truth")
    header.add_history(f"lsbg inject: mock galaxies, {request.mocks.name}, seed {request.seed}")
    return header


def _write(path: Path, cube: np.ndarray, header: fits.Header):
    with written_whole(path) as partial:
        image = fits.CompImageHDU(
            cube, header, name="MOCK", quantize_method=2, dither_seed=1, quantize_level=16
        )
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(partial)
