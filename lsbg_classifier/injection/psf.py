"""The point-spread function of a tile: where it comes from, in an order that is stated.

1. What the user names: a FWHM in arcseconds, or a file: a PSFEx model, or an image of it.
2. The Legacy Surveys' ``copsf`` image beside the tile's own.
3. A keyword of the image's header: see `KEYWORDS`.
4. Stars in the image: see `lsbg_classifier.detection.stars`.

All are taken as the profile that the pixels see, so that the pixel is not convolved with again.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import galsim
import numpy as np
from astropy.io import fits

from catalogs.errors import InputError, one_line
from catalogs.fits_headers import UNREADABLE
from lsbg_classifier.detection.stars import LEAST_STARS, MeasuredPsf, measure_psf, sections_of
from lsbg_classifier.injection.psfex import read_psfex
from lsbg_classifier.injection.render import PsfAt, local_jacobian
from lsbg_classifier.tile_images import OpenImages, TileImages

KEYWORDS = ("PSF_FWHM", "PSFFWHM", "SEEING", "IQFINAL", "PSF_RAD", "FWHM")
"""Keywords of headers that hold the FWHM: in pixels if their comment says so, else in arcsec."""

_BETA = 3.5
"""Exponent of the Moffat profile, where only a FWHM is known."""

_SMALLEST, _LARGEST = 0.05, 10.0
"""Arcseconds that a FWHM can have."""

_FINE, _SAMPLES = 0.04, 301
"""Arcseconds and samples a side of the image in which the width of a profile is measured."""


@dataclass(frozen=True)
class BandPsf:
    """The point-spread function of one band of a tile.

    Attributes
    ----------
    at : callable
        Given a pixel (x, y) from 0, returns the profile there, in arcseconds.
    fwhm : float
        Arcseconds, at the middle of the tile.
    origin : str
        Where it comes from, in words.
    """

    at: PsfAt
    fwhm: float
    origin: str


@dataclass(frozen=True)
class PsfChoice:
    """What the user says of the point-spread function.

    Attributes
    ----------
    by_band : mapping of str to str
        For a band, or ``""`` for all others: a FWHM in arcsec, or a path, in which ``{tile}`` and
        ``{band}`` stand for these.
    """

    by_band: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_text(cls, text: str | None) -> "PsfChoice":
        """Read ``1.1``, ``g=1.1,r=0.9`` or ``g=psf_g.fits,r=psf_r.fits``.

        Raises
        ------
        InputError
            If a FWHM is out of range.
        """
        by_band = {}
        for part in (text or "").split(","):
            if part.strip():
                band, equals, value = part.partition("=")
                by_band[band.strip() if equals else ""] = (value if equals else band).strip()
        for value in by_band.values():
            if (fwhm := _number(value)) is not None:
                _check_fwhm(fwhm, f"--psf {value}")
        return cls(by_band)

    def value(self, tile: str, band: str) -> str | None:
        """Return the choice of the user for a band of a tile.

        Parameters
        ----------
        tile, band : str
            Names, which replace ``{tile}`` and ``{band}`` in a path.

        Returns
        -------
        str or None
            A FWHM in arcseconds, or a path. None: the user chose nothing for this band.
        """
        value = self.by_band.get(band, self.by_band.get(""))
        return None if value is None else value.replace("{tile}", tile).replace("{band}", band)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _check_fwhm(fwhm: float, where: str) -> float:
    if not _SMALLEST <= fwhm <= _LARGEST:
        raise InputError(f'{where}: a FWHM must be {_SMALLEST:g}" to {_LARGEST:g}"')
    return fwhm


def find_psfs(tile: TileImages, images: OpenImages, choice: PsfChoice) -> dict[str, BandPsf]:
    """Find the point-spread function of each band of a tile.

    Parameters
    ----------
    tile : TileImages
    images : OpenImages
        The same tile's; stars in it are measured where nothing else says the function.
    choice : PsfChoice
        What the user names.

    Returns
    -------
    dict of str to BandPsf
        By band.

    Raises
    ------
    InputError
        If a band has none and there are too few stars to measure it, or a file is not readable.
    """
    return {band: _find(tile, band, images, choice) for band in tile.bands}


def _find(tile, band, images, choice) -> BandPsf:
    value = choice.value(tile.name, band)
    if value is not None:
        if (fwhm := _number(value)) is not None:
            return _moffat(fwhm, _BETA, f'FWHM {fwhm:g}" as asked for')
        return _from_file(Path(value).expanduser(), tile, band)
    beside = _copsf(tile.bands[band].path)
    if beside is not None:
        return _from_file(beside, tile, band)
    return _from_header(tile, band) or _from_stars(tile, band, images)


def _moffat(fwhm: float, beta: float, origin: str) -> BandPsf:
    profile = galsim.Moffat(beta=beta, fwhm=fwhm)
    return BandPsf(lambda x, y: profile, fwhm, origin)


def _copsf(path: Path) -> Path | None:
    """Return the Legacy Surveys' image of the PSF beside a coadd, if there is one."""
    name = re.sub(r"-image-([a-z]\.fits)", r"-copsf-\1", path.name)
    beside = path.with_name(name)
    return beside if name != path.name and beside.is_file() else None


def _from_file(path: Path, tile: TileImages, band: str) -> BandPsf:
    """Read a PSFEx model, or an image of the profile with the tile's pixels."""
    try:
        with fits.open(path) as hdus:
            model = next((hdu for hdu in hdus if "PSFNAXIS" in hdu.header), None)
            if model is not None:
                return _of_pixels(read_psfex(model), tile, f"PSFEx model {path.name}")
            image = galsim.Image(_image_of_band(hdus, band))
    except (*UNREADABLE, galsim.GalSimError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{path}: no readable point-spread function ({reason})") from error
    profile = galsim.InterpolatedImage(image, scale=1.0, flux=1.0)
    return _of_pixels(lambda x, y: profile, tile, f"image {path.name}")


def _of_pixels(in_pixels: PsfAt, tile: TileImages, origin: str) -> BandPsf:
    """Put a profile that lies along the pixels of the tile on the sky, turned and mirrored so."""

    def at(x, y):
        return local_jacobian(tile, x, y).toWorld(in_pixels(x, y))

    return BandPsf(at, _fwhm(at(tile.width / 2, tile.height / 2)), origin)


def _image_of_band(hdus, band: str) -> np.ndarray:
    """Return the image of the band that headers name, or the only one that there is."""
    images = [hdu for hdu in hdus if hdu.is_image and hdu.data is not None and hdu.data.ndim == 2]
    named = [hdu for hdu in images if str(hdu.header.get("BAND", "")).strip() == band]
    if len(images) > 1 and len(named) != 1:
        raise ValueError(
            f"{len(images)} images, and BAND = '{band}' in {len(named)} of their headers"
        )
    if not images:
        raise ValueError("it holds no image of two dimensions")
    image = np.ascontiguousarray((named or images)[0].data, dtype=np.float32)
    if not np.isfinite(image).all() or not image.sum() > 0:
        raise ValueError("its pixels have no positive sum")
    return image


def _fwhm(profile: galsim.GSObject) -> float:
    """Return the diameter of a circle as large as what lies above half of the maximum."""
    step = _FINE
    image = profile.drawImage(nx=_SAMPLES, ny=_SAMPLES, scale=step, method="no_pixel").array
    return float(2 * step * np.sqrt(np.count_nonzero(image > image.max() / 2) / np.pi))


def _from_header(tile: TileImages, band: str) -> BandPsf | None:
    """Return a Moffat profile whose FWHM a keyword says, None where none does."""
    file = tile.bands[band]
    headers = [fits.getheader(file.path, file.extension)]
    if file.extension:
        headers.append(fits.getheader(file.path, 0))
    for header in headers:
        for keyword in KEYWORDS:
            value = header.get(keyword)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            in_pixels = re.search(r"pix", header.comments[keyword], re.IGNORECASE)
            fwhm = value * tile.pixel_scale if in_pixels else float(value)
            if math.isfinite(fwhm) and _SMALLEST <= fwhm <= _LARGEST:
                return _moffat(fwhm, _BETA, f'{keyword} in its header: FWHM {fwhm:.2f}"')
    return None


def _from_stars(tile: TileImages, band: str, images: OpenImages) -> BandPsf:
    measured = measure_psf(sections_of(images, band, tile.width, tile.height))
    if not isinstance(measured, MeasuredPsf):
        raise InputError(
            f"tile {tile.name}, band {band}: no point-spread function: no PSF file, no keyword "
            f"({', '.join(KEYWORDS)}), and {measured} stars where {LEAST_STARS} are needed; name "
            "it with --psf, such as --psf g=1.1,r=1.0,z=0.9"
        )
    fwhm = measured.fwhm * tile.pixel_scale
    origin = f'{measured.stars} stars: Moffat, FWHM {fwhm:.2f}", beta {measured.beta:.1f}'
    return _moffat(fwhm, measured.beta, origin)
