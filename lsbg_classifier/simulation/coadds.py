"""Coadd tiles on disk, named and laid out as the survey does it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from lsbg_classifier.simulation.models import BANDS, SurveyModel, model_named

_HEADERS = 4 * 2880
"""Bytes that hold the headers of a tile's first two extensions."""

_HSC_PLANES = {"BAD": 0, "SAT": 1, "NO_DATA": 8}
_FIRST_RA, _FIRST_DEC = 32.0, -40.0
"""Degrees; DES observed there."""


@dataclass(frozen=True)
class Tile:
    """One tile to be made: survey, name, centre in degrees, side in pixels, and seed."""

    survey: str
    name: str
    ra: float
    dec: float
    size: int
    seed: np.random.SeedSequence

    @property
    def model(self) -> SurveyModel:
        """What the images of its survey are like."""
        return model_named(self.survey)

    def wcs(self) -> WCS:
        """Return a TAN projection around the centre, north up, east left."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.size + 1) / 2] * 2
        scale = self.model.survey.pixel_scale
        wcs.wcs.cd = np.diag([-scale, scale]) / 3600
        wcs.wcs.radesys = "ICRS"
        return wcs


@dataclass(frozen=True)
class _Exposure:
    """A tile in one band: counts a pixel, where there are data, and the RMS of the sky."""

    band: str
    counts: np.ndarray
    covered: np.ndarray
    rms: np.ndarray


def plan_tiles(survey: str, count: int, size: int, seed: int) -> list[Tile]:
    """Lay tiles out in rows of five, each with its own seed.

    Parameters
    ----------
    survey : str
        ``des`` or ``hsc``.
    count : int
        Tiles to plan.
    size : int
        Side of a tile in pixels.
    seed : int

    Returns
    -------
    list of Tile
    """
    side = size * model_named(survey).survey.pixel_scale / 3600
    planned: list[Tile] = []
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(count)):
        row, column = divmod(number, 5)
        dec = _FIRST_DEC + side * row
        ra = _FIRST_RA + side * column / np.cos(np.radians(dec))
        if survey == "hsc":
            name = f"9813-{column},{row}"
        else:
            name = _des_name(ra, dec)
            if any(tile.name == name for tile in planned):
                name = _des_name(ra + 0.25 * number, dec)
        planned.append(Tile(survey, name, ra, dec, size, child))
    return planned


def _des_name(ra: float, dec: float) -> str:
    """Name a tile as DES does, DEShhmm+ddmm, by its centre in degrees."""
    minutes = round(ra * 4)
    arcminutes = round(abs(dec) * 60)
    sign = "-" if dec < 0 else "+"
    return (
        f"DES{minutes // 60:02d}{minutes % 60:02d}{sign}{arcminutes // 60:02d}{arcminutes % 60:02d}"
    )


def write_tile(
    folder: Path,
    tile: Tile,
    images: np.ndarray,
    covered: np.ndarray,
    rms: np.ndarray,
    *,
    compressed: bool = True,
):
    """Write a tile's files, one a band.

    Parameters
    ----------
    folder : Path
    tile : Tile
    images : array of float32, shape (3, size, size)
        Counts a pixel; exactly 0 where there are no data.
    covered : array of bool, shape (3, size, size)
        Where there are data.
    rms : array of float32, shape (3, size, size)
        Of the sky, in counts.
    compressed : bool
        With RICE, as surveys do; or plain, quicker to write and read.
    """
    write = _write_hsc if tile.survey == "hsc" else _write_des
    for band, image, seen, noise in zip(BANDS, images, covered, rms, strict=True):
        write(folder, tile, _Exposure(band, image, seen, noise), compressed)


def is_simulated(path: Path) -> bool:
    """Whether a file is a simulated tile, by its header; or one cut off within that."""
    if not path.name.endswith((".fits.fz", ".fits")):
        return False
    with open(path, "rb") as file:
        start = file.read(_HEADERS)
    return b"SIMULATD=" in start or len(start) < _HEADERS


def _header(tile: Tile) -> fits.Header:
    """Begin the header of an image of a tile: where it lies, and that it is simulated."""
    header = tile.wcs().to_header()
    header["SIMULATD"] = (True, "No telescope saw this sky")
    return header


def _write_des(folder: Path, tile: Tile, exposure: _Exposure, compressed: bool):
    """Write one band as DES does: image, mask and inverse variance."""
    band, header = exposure.band, _header(tile)
    header["TILENAME"] = (tile.name, "Name of the coadd tile")
    header["BAND"] = (band, "Short name of the filter")
    header["MAGZERO"] = (tile.model.survey.zero_point, "AB magnitude of one count")
    weight = (exposure.covered / exposure.rms**2).astype(np.float32)
    hdus = [
        fits.PrimaryHDU(),
        _image(exposure.counts, header, "SCI", compressed),
        _image((~exposure.covered).astype(np.int16), header, "MSK", compressed),
        _image(weight, header, "WGT", compressed),
    ]
    suffix = ".fz" if compressed else ""
    path = folder / f"{tile.name}_r2590p01_{band}.fits{suffix}"
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _write_hsc(folder: Path, tile: Tile, exposure: _Exposure, compressed: bool):
    """Write one band as HSC does: image, mask and variance."""
    band, header = f"HSC-{exposure.band.upper()}", _header(tile)
    header["FILTER"] = (band, "Name of the filter")
    mask_header = header.copy()
    for name, bit in _HSC_PLANES.items():
        mask_header[f"HIERARCH MP_{name}"] = bit
    mask = np.where(exposure.covered, 0, 1 << _HSC_PLANES["NO_DATA"]).astype(np.int32)
    hdus = [
        fits.PrimaryHDU(),
        _image(exposure.counts, header, "IMAGE", compressed),
        _image(mask, mask_header, "MASK", compressed),
        _image((exposure.rms**2).astype(np.float32), header, "VARIANCE", compressed),
    ]
    path = folder / f"calexp-{band}-{tile.name}.fits"
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _image(pixels, header, name, compressed):
    """Make an extension; dithering of this kind keeps exact zeros, which mean no data."""
    if not compressed:
        return fits.ImageHDU(pixels, header, name=name)
    if pixels.dtype.kind == "i":
        return fits.CompImageHDU(pixels, header, name=name)
    return fits.CompImageHDU(
        pixels, header, name=name, quantize_method=2, dither_seed=1, quantize_level=16
    )
