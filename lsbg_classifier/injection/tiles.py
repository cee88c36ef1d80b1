"""One tile with mock galaxies: drawn, written, and the truth about them."""

import logging
import shutil
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from catalogs.output import written_whole
from lsbg_classifier.injection.ground import survey_ground
from lsbg_classifier.injection.mocks import MockModel
from lsbg_classifier.injection.placement import Placement, place
from lsbg_classifier.injection.psf import BandPsf, PsfChoice, find_psfs
from lsbg_classifier.injection.render import Light, add_noise, draw
from lsbg_classifier.injection.rewrite import Added, write_with_light
from lsbg_classifier.injection.truth import complete_truth
from lsbg_classifier.tile_images import OpenImages, TileImages

_log = logging.getLogger(__name__)

GAIN_KEYWORDS = ("GAIN", "GAINEFF", "EFFGAIN")
"""Keywords of headers that hold the electrons of a count."""


_NOISE_OF_BANDS, _ROUNDING_OF_FILES = 100, 200
"""Purposes of random numbers; see `generator_of`."""


@dataclass(frozen=True)
class Request:
    """What is injected, the same for all tiles.

    Attributes
    ----------
    mocks : MockModel
    placement : Placement
    psf : PsfChoice
    noise : bool
        Add the Poisson noise of the mocks' light, where the gain is known.
    gain : float, optional
        Electrons of a count, where headers do not say.
    bright_limit : float
        AB magnitude: sources brighter than this are "bright" in the truth.
    seed : int
        The same seed, the same mocks in every tile.
    """

    mocks: MockModel
    placement: Placement = field(default_factory=Placement)
    psf: PsfChoice = field(default_factory=PsfChoice)
    noise: bool = True
    gain: float | None = None
    bright_limit: float = 17.0
    seed: int = 1


@dataclass(frozen=True)
class Injected:
    """One tile's mocks, placed but not drawn.

    Attributes
    ----------
    truth : astropy.table.Table
        A row a mock; see `lsbg_classifier.injection.truth`.
    psfs : dict of str to BandPsf
    wanted : int
        How many mocks were asked for; those without room are not in the truth.
    repeat : int
        Which of several injections into the same tile.
    covered_area : float
        Square degrees of the tile in which all bands have data that are not masked.
    """

    truth: Table
    psfs: Mapping[str, BandPsf]
    wanted: int
    repeat: int
    covered_area: float


def generator_of(seed: int, tile: str, repeat: int, purpose: int) -> np.random.Generator:
    """Return a generator that is the same for a tile, whatever the order of the tiles.

    Parameters
    ----------
    seed : int
    tile : str
        Name of the tile.
    repeat : int
        Which of several injections into the same tile.
    purpose : int
        Keeps the mocks apart from the noise and the rounding.

    Returns
    -------
    numpy.random.Generator
    """
    words = [seed, zlib.crc32(tile.encode()), repeat, purpose]
    return np.random.default_rng(np.random.SeedSequence(words))


def make_mocks(tile: TileImages, request: Request, repeat: int = 0) -> Injected:
    """Choose the mocks of one tile, and their places.

    Parameters
    ----------
    tile : TileImages
    request : Request
    repeat : int
        Another number, other mocks.

    Returns
    -------
    Injected

    Raises
    ------
    InputError
        If an image cannot be read, has no point-spread function, or the mocks no colour for a band.
    """
    request.mocks.check_bands(tile.bands, f"tile {tile.name}")
    generator = generator_of(request.seed, tile.name, repeat, 0)
    with OpenImages(tile) as images:
        psfs = find_psfs(tile, images, request.psf)
        ground = survey_ground(tile, images, _reference(tile, request), request.bright_limit)
    area = tile.width * tile.height * (tile.pixel_scale / 60) ** 2
    wanted = request.placement.count(area)
    mocks = request.mocks.draw(wanted, generator)
    mocks = place(mocks, ground, tile.pixel_scale, request.placement, generator)
    truth = complete_truth(mocks, tile, ground, repeat)
    _report(tile, truth, psfs, wanted)
    covered_area = float((~ground.bad).mean()) * area / 3600
    return Injected(truth, psfs, wanted, repeat, covered_area)


def _reference(tile: TileImages, request: Request) -> str:
    """Return the band in which bright sources are looked for: the mocks' own, if there."""
    reference = request.mocks.reference
    return reference if reference in tile.bands else next(iter(tile.bands))


def draw_band(tile: TileImages, injected: Injected, band: str, request: Request) -> Light:
    """Draw the mocks of one tile in one band.

    Parameters
    ----------
    tile : TileImages
    injected : Injected
        Of this tile.
    band : str
    request : Request

    Returns
    -------
    Light
    """
    light = Light(tile.height, tile.width)
    electrons = _electrons(tile, band, request)
    purpose = _NOISE_OF_BANDS + list(tile.bands).index(band)
    generator = generator_of(request.seed, tile.name, injected.repeat, purpose)
    profiles = {band: injected.psfs[band].at}
    for mock in injected.truth:
        magnitudes = {band: float(mock[f"MAG_{band.upper()}"])}
        stamp = draw(mock, magnitudes, profiles, tile)[band]
        light.add(stamp if electrons is None else add_noise(stamp, electrons, generator))
    return light


def _electrons(tile: TileImages, band: str, request: Request) -> float | None:
    """Return the electrons of a nanomaggie; None: no noise is added."""
    if not request.noise:
        return None
    file = tile.bands[band]
    header = fits.getheader(file.path, file.extension)
    gains = [request.gain, *(header.get(keyword) for keyword in GAIN_KEYWORDS)]
    usable = [g for g in gains if isinstance(g, int | float) and not isinstance(g, bool) and g > 0]
    return float(usable[0]) / file.nanomaggies if usable else None


def _report(tile, truth, psfs, wanted):
    room = "" if len(truth) == wanted else f"; no room for {wanted - len(truth)} more"
    _log.info("tile %s: %d mocks%s", tile.name, len(truth), room)
    for band, psf in psfs.items():
        _log.info("tile %s, band %s: point-spread function from %s", tile.name, band, psf.origin)


def write_tile(tile: TileImages, injected: Injected, folder: Path, request: Request):
    """Write copies of a tile's files, with the mocks in them.

    Parameters
    ----------
    tile : TileImages
    injected : Injected
        Of this tile.
    folder : Path
        Gets a file for each of the tile's, at the same place in it, weights and masks too.
    request : Request

    Raises
    ------
    InputError
        If a file cannot be read, or is compressed in a way that cannot be written.
    """
    history = (
        f"lsbg inject: {len(injected.truth)} mock galaxies, {request.mocks.name}, "
        f"seed {request.seed}"
    )
    files = defaultdict(list)
    for band, file in tile.bands.items():
        files[file.path].append(band)
    for number, (path, bands) in enumerate(files.items()):
        added = {}
        for band in bands:
            file, light = tile.bands[band], draw_band(tile, injected, band, request)
            added[file.extension, file.plane] = Added(light, 1 / file.nanomaggies)
        purpose = _ROUNDING_OF_FILES + number
        rounding = generator_of(request.seed, tile.name, injected.repeat, purpose).integers(2**31)
        target = folder / path.relative_to(tile.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_with_light(path, target, added, history, int(rounding))
    for path in tile.side_files():
        _copy(path, folder / path.relative_to(tile.folder))


def _copy(source: Path, target: Path):
    """Copy a file of weights or masks, unless another tile has."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as partial:
            shutil.copyfile(source, partial)
