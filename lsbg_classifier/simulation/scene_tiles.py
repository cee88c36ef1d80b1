"""Cutouts of scenes: drawn on simulated sky, or into images of the real one."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.simulation import contaminants, galaxies, stars
from lsbg_classifier.simulation.coadds import Tile, plan_tiles, write_tile
from lsbg_classifier.simulation.detection import subtract_sky
from lsbg_classifier.simulation.models import BANDS, MODELS
from lsbg_classifier.simulation.scenes import KINDS, draw_scenes
from lsbg_classifier.simulation.sky import Conditions, Sky
from lsbg_classifier.surveys import SURVEYS
from lsbg_classifier.tile_images import OpenImages, TileImages, TileSet

_SIDE = 2000
"""Pixels a side of a simulated tile of scenes."""

_COUNTS = 1000.0
"""Counts of a nanomaggie at the zero point of DES, 30."""

_SWAMPED = 190
"""Value within 3 arcsec of the middle from which something else outshines an LSBG."""

REAL_SEEING = (1.25, 1.15, 1.1)
"""FWHM in arcseconds, in g, r and z, of what is drawn into real images."""


class Scenes(NamedTuple):
    """Cutouts of scenes.

    Attributes
    ----------
    images : array of uint8, shape (N, 64, 64, 3)
    labels : array of int, shape (N,)
        1 = LSBG, 0 = not.
    kinds : array of str, shape (N,)
        Names of `lsbg_classifier.simulation.scenes.KINDS`.
    """

    images: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray


def simulated_scenes(seed: int) -> Scenes:
    """Make the scenes of one simulated tile, as deep as DES or, in half of the cases, deeper.

    Parameters
    ----------
    seed : int
        The same seed gives the same scenes.

    Returns
    -------
    Scenes
        Every other one passed through JPEG. Those without data in a band, or LSBGs that something
        brighter hides, are left out.
    """
    tile = plan_tiles("des", 1, _SIDE, seed)[0]
    rng = np.random.default_rng(tile.seed)
    conditions = Conditions.draw(tile.model, rng)
    if rng.random() < 0.5:
        deeper = tuple(noise * rng.uniform(0.5, 0.85) for noise in conditions.noise)
        conditions = replace(conditions, noise=deeper)
    sky = Sky(_SIDE, conditions)
    xy, kinds = draw_scenes(sky, rng)
    _fill(sky, rng)
    depth = contaminants.depth_map(_SIDE, rng)
    covered = contaminants.coverage_map(_SIDE, rng.poisson(0.5), rng)
    images = sky.observe(depth, rng)
    stars.saturate(images, conditions.saturation, rng)
    subtract_sky(images, covered)
    images[~covered] = 0
    rms = depth * np.array(conditions.noise, np.float32)[:, None, None]
    with TemporaryDirectory(prefix="lsbg-scenes-") as folder:
        write_tile(Path(folder), tile, images, covered, rms, compressed=False)
        return _cut(folder, tile.wcs(), xy, kinds)


def _fill(sky: Sky, rng: np.random.Generator):
    """Add what surrounds the scenes: fewer bright objects than a simulated survey has."""
    share = (_SIDE / 3000) ** 2
    galaxies.add_background(sky, rng)
    galaxies.add_ellipticals(sky, rng.poisson(5 * share), rng)
    stars.add_stars(sky, rng)
    contaminants.add_ghosts(sky, rng.poisson(3 * share), rng)
    if rng.random() < 0.2:
        contaminants.add_cirrus(sky, rng)
    if rng.random() < 0.15:
        contaminants.add_trail(sky, rng)


def scenes_on_sky(folder: str | Path, seed: int) -> list[Scenes]:
    """Draw scenes into every tile of a folder of real images.

    Parameters
    ----------
    folder : path
        Images of g, r and z, about as deep as DES, square, with a zero point; see docs/images.md.
    seed : int
        The same seed gives the same scenes.

    Returns
    -------
    list of Scenes
        A tile each; see `simulated_scenes`.

    Raises
    ------
    InputError
        If an image cannot be read, or has no zero point.
    """
    return [_scenes_in(tile, seed) for tile in TileSet(folder, "des").tiles]


def _scenes_in(tile: TileImages, seed: int) -> Scenes:
    rng = np.random.default_rng([seed, 7])
    size = min(tile.width, tile.height)
    whole = slice(0, size)
    with OpenImages(tile) as opened:
        planes = [opened.read(band, whole, whole) for band in BANDS]
    counts = np.stack([fluxes for fluxes, _ in planes]).astype(np.float32) * _COUNTS
    bad = np.stack([masked for _, masked in planes]) | ~np.isfinite(counts)
    sky = Sky(size, _real_conditions(tile.pixel_scale, rng))
    xy, kinds = draw_scenes(sky, rng)
    drawn = np.minimum(np.abs(sky.images), 1e6) / sky.conditions.model.electrons
    counts += sky.images + rng.standard_normal(counts.shape, np.float32) * np.sqrt(drawn)
    counts[bad] = 0
    home = plan_tiles("des", 1, size, seed)[0]
    wcs = home.wcs()
    wcs.wcs.cd = np.diag([-tile.pixel_scale, tile.pixel_scale]) / 3600
    with TemporaryDirectory(prefix="lsbg-scenes-") as folder:
        _write(Path(folder), home, wcs, counts)
        return _cut(folder, wcs, xy, kinds)


def _real_conditions(pixel_scale: float, rng: np.random.Generator) -> Conditions:
    """Return conditions of images that have a noise of their own."""
    survey = replace(SURVEYS["des"], pixel_scale=pixel_scale)
    seeing = np.array(REAL_SEEING) * rng.lognormal(0, 0.05)
    return Conditions(
        noise=(1.0, 1.0, 1.0),
        seeing=tuple(seeing.tolist()),
        correlation=0.7,
        saturation=1e9,
        model=replace(MODELS["des"], survey=survey),
    )


def _write(folder: Path, tile: Tile, wcs: WCS, counts: np.ndarray):
    """Write images as a tile of DES, of another pixel scale."""
    for band, image in zip(BANDS, counts, strict=True):
        header = wcs.to_header()
        header["MAGZERO"], header["TILENAME"], header["BAND"] = 30.0, tile.name, band
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(image, header, name="SCI")]
        fits.HDUList(hdus).writeto(folder / f"{tile.name}_r2590p01_{band}.fits")


def _cut(folder: str | Path, wcs: WCS, xy: np.ndarray, kinds: np.ndarray) -> Scenes:
    """Cut the scenes out, every other one through JPEG, and leave out those that show nothing."""
    positions = np.stack(wcs.all_pix2world(xy[:, 0], xy[:, 1], 0), axis=1)
    images = np.empty((len(xy), 64, 64, 3), np.uint8)
    flags = np.empty(len(xy), int)
    for start, jpeg in enumerate((False, True)):
        source = TileSource(folder, survey="des", jpeg=jpeg)
        images[start::2], flags[start::2] = source.fetch(positions[start::2])
    labels = np.array([KINDS[kind].label for kind in kinds])
    brightest = images[:, 26:38, 26:38].max(axis=(1, 2, 3))
    keep = (flags == 0) & ((labels == 0) | (brightest < _SWAMPED))
    return Scenes(images[keep], labels[keep], kinds[keep])
