"""A small survey on disk: coadd tiles, the candidates found in them, and the truth beside them."""

import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.wcs import WCS

from catalogs.errors import InputError
from lsbg_classifier.cutouts.tile_index import INDEX_NAME
from lsbg_classifier.simulation import contaminants, galaxies, stars
from lsbg_classifier.simulation.detection import detect, select_des, subtract_sky
from lsbg_classifier.simulation.sky import BANDS, PIXEL_SCALE, ZERO_POINT, Conditions, Sky

MATCH_RADIUS = 3.0
"""A candidate within this distance of a simulated LSBG, in arcseconds, is that galaxy."""

_HEADERS = 4 * 2880
"""Bytes that hold the headers of a tile's first two extensions."""


@dataclass(frozen=True)
class SimulatedSurvey:
    """Where the parts of a simulated survey are, and how many candidates it holds."""

    tiles: Path
    candidates: Path
    truth: Path
    candidate_count: int
    lsbg_count: int


@dataclass(frozen=True)
class _Tile:
    """One tile still to be made."""

    name: str
    ra: float
    dec: float
    size: int
    seed: np.random.SeedSequence

    def wcs(self) -> WCS:
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.size + 1) / 2] * 2
        wcs.wcs.cd = np.diag([-PIXEL_SCALE, PIXEL_SCALE]) / 3600
        wcs.wcs.radesys = "ICRS"
        return wcs


def simulate_survey(
    name: str,
    folder: Path | str,
    *,
    tiles: int = 2,
    tile_size: int = 3000,
    lsbgs: int = 110,
    seed: int = 1,
    processes: int = 2,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedSurvey:
    """Make a survey that looks like the named one, the same for the same arguments.

    Parameters
    ----------
    name : str
        ``des``: g, r, z at 0.263" a pixel, zero point 30, depth and seeing of DES DR1.
    folder : path
        Where to write; made if missing. Gets ``tiles/``, ``candidates.fits`` and ``truth.fits``,
        whose rows belong to the candidates' rows.
    tiles, tile_size : int
        How many tiles, and their side in pixels (3000 is 13.2 arcmin; a real tile has 10,000).
    lsbgs : int
        Low-surface-brightness galaxies per 3000x3000 pixels: far more than in the real sky.
    seed : int
        Seed of everything random.
    processes : int
        Tiles made at the same time.
    overwrite : bool
        Replace a simulated survey that is in the folder.
    progress : callable, optional
        Called with (tiles finished, tiles in all).

    Returns
    -------
    SimulatedSurvey

    Raises
    ------
    InputError
        If the survey is unknown, the sizes make no sense, or the folder holds a survey already.
    """
    if name != "des":
        raise InputError(f"no simulation of a survey {name!r}: choose des")
    if tiles < 1 or tile_size < 300:
        raise InputError("a simulated survey needs at least 1 tile of at least 300 pixels")
    folder = Path(folder)
    _make_room(folder, overwrite)
    jobs = [(tile, folder / "tiles", lsbgs) for tile in _plan(tiles, tile_size, seed)]
    made = []
    with ProcessPoolExecutor(min(processes, tiles), mp_context=get_context("spawn")) as pool:
        for pair in pool.map(_make_tile, jobs):
            made.append(pair)
            if progress is not None:
                progress(len(made), tiles)
    return _write_catalogs(folder, made, seed)


def _make_room(folder, overwrite):
    """Make the folders; remove what an earlier simulation left, or refuse to."""
    tiles, catalogs = folder / "tiles", [folder / "candidates.fits", folder / "truth.fits"]
    for path in (*catalogs, tiles):
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; add --overwrite to replace it")
    for path in tiles.glob("*"):
        if not _is_simulated(path):
            raise InputError(f"{path}: not of a simulated survey and not removed; move it away")
    if tiles.is_dir():
        shutil.rmtree(tiles)
    for path in catalogs:
        path.unlink(missing_ok=True)
    tiles.mkdir(parents=True)


def _is_simulated(path):
    """Whether a file in the folder of tiles is ours, by its header; or cut off within that."""
    if path.name.startswith(INDEX_NAME):
        return True
    if not path.name.endswith(".fits.fz"):
        return False
    with open(path, "rb") as file:
        start = file.read(_HEADERS)
    return b"SIMULATD=" in start or len(start) < _HEADERS


def _plan(tiles, size, seed) -> list[_Tile]:
    """Lay the tiles out in rows of five around (32, -40) degrees, where DES observed."""
    side = size * PIXEL_SCALE / 3600
    planned = []
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(tiles)):
        dec = -40.0 + side * (number // 5)
        ra = 32.0 + side * (number % 5) / np.cos(np.radians(dec))
        name = _tile_name(ra, dec)
        if any(tile.name == name for tile in planned):
            name = _tile_name(ra + 0.25 * number, dec)
        planned.append(_Tile(name, ra, dec, size, child))
    return planned


def _tile_name(ra: float, dec: float) -> str:
    """Name a tile as DES does, DEShhmm+ddmm, by its centre in degrees."""
    minutes = round(ra * 4)
    arcminutes = round(abs(dec) * 60)
    sign = "-" if dec < 0 else "+"
    return (
        f"DES{minutes // 60:02d}{minutes % 60:02d}{sign}{arcminutes // 60:02d}{arcminutes % 60:02d}"
    )


def _make_tile(job) -> tuple[Table, Table]:
    """Simulate one tile, write its images, and return its candidates and their truth."""
    tile, folder, lsbgs = job
    rng = np.random.default_rng(tile.seed)
    images, covered, depth, placed, noise = _expose(tile.size, lsbgs, rng)
    for band, image, seen, factor, sky in zip(BANDS, images, covered, depth, noise, strict=True):
        path = folder / f"{tile.name}_r2590p01_{band}.fits.fz"
        _write_tile(path, tile, band, image, seen, seen / (sky * factor) ** 2)
    candidates = select_des(detect(images, covered))
    candidates, truth = _match(candidates, placed)
    sky = tile.wcs().all_pix2world(candidates["X_IMAGE"], candidates["Y_IMAGE"], 1)
    candidates.add_columns(sky, indexes=[1, 1], names=["ALPHA_J2000", "DELTA_J2000"])
    candidates["TILENAME"] = np.full(len(candidates), tile.name)
    return candidates, truth


def _expose(size, lsbgs, rng):
    """Fill a patch of sky, observe it, and spoil it."""
    conditions = Conditions.draw(rng)
    sky = Sky(size, conditions)
    share = (size / 3000) ** 2
    placed = galaxies.add_lsbgs(sky, round(lsbgs * share), rng)
    placed += galaxies.add_background(sky, rng)
    placed += galaxies.add_blends(sky, rng.poisson(60 * share), rng)
    placed += galaxies.add_spirals(sky, rng.poisson(16 * share), rng)
    placed += galaxies.add_ellipticals(sky, rng.poisson(14 * share), rng)
    placed += stars.add_stars(sky, rng)
    placed += contaminants.add_ghosts(sky, rng.poisson(5 * share), rng)
    if rng.random() < 0.3:
        contaminants.add_cirrus(sky, rng)
    if rng.random() < 0.3:
        contaminants.add_trail(sky, rng)
    depth = contaminants.depth_map(size, rng)
    covered = contaminants.coverage_map(size, rng.poisson(1.5), rng)
    images = sky.observe(depth, rng)
    stars.saturate(images, conditions.saturation, rng)
    subtract_sky(images, covered)
    images[~covered] = 0
    return images, covered, depth, placed, conditions.noise


def _match(candidates: Table, placed) -> tuple[Table, Table]:
    """Say what each candidate is; pieces of an LSBG other than its nearest one are dropped."""
    kinds = np.array([object_.kind for object_ in placed])
    xy = np.array([(object_.x, object_.y) for object_ in placed])
    here = np.stack([candidates["X_IMAGE"] - 1, candidates["Y_IMAGE"] - 1], axis=1)
    distance = np.hypot(*np.moveaxis(here[:, None] - xy[None], -1, 0)) * PIXEL_SCALE
    is_lsbg = kinds == "lsbg"
    to_lsbg = np.where(is_lsbg[None], distance, np.inf)
    rows = np.arange(len(candidates))
    nearest_lsbg = to_lsbg.argmin(axis=1) if len(rows) else np.zeros(0, int)
    best = to_lsbg.argmin(axis=0) if len(rows) else np.zeros(len(xy), int)
    label = (to_lsbg[rows, nearest_lsbg] < MATCH_RADIUS) & (best[nearest_lsbg] == rows)
    radius = np.array([object_.radius for object_ in placed])
    piece = ~label & (to_lsbg[rows, nearest_lsbg] < np.maximum(2 * radius[nearest_lsbg], 5.0))
    nearest = np.where(label, nearest_lsbg, distance.argmin(axis=1) if len(rows) else 0)
    truth = Table(
        {
            "LABEL": label.astype(np.int16),
            "NEAREST": kinds[nearest],
            "DISTANCE": distance[rows, nearest].astype(np.float32),
            "MAG_G_TRUE": np.array([placed[i].magnitude for i in nearest], np.float32),
            "R_EFF_TRUE": radius[nearest].astype(np.float32),
        }
    )
    return candidates[~piece], truth[~piece]


def _write_tile(path, tile, band, image, seen, weight):
    """Write image, mask and weight as DES does: compressed, in the first three extensions."""
    header = tile.wcs().to_header()
    header["TILENAME"] = (tile.name, "Name of the coadd tile")
    header["BAND"] = (band, "Short name of the filter")
    header["MAGZERO"] = (ZERO_POINT, "AB magnitude of one count")
    header["SIMULATD"] = (True, "No telescope saw this sky")
    mask = fits.CompImageHDU((~seen).astype(np.int16), header, name="MSK")
    hdus = [
        fits.PrimaryHDU(),
        _quantized(image, header, "SCI"),
        mask,
        _quantized(weight.astype(np.float32), header, "WGT"),
    ]
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _quantized(image, header, name):
    """Compress floats with RICE; dithering of this kind keeps exact zeros, which mean no data."""
    return fits.CompImageHDU(
        image, header, name=name, quantize_method=2, dither_seed=1, quantize_level=16
    )


_COLUMN_NOTES = {
    "NUMBER": ("", "running number"),
    "ALPHA_J2000": ("deg", "right ascension (ICRS)"),
    "DELTA_J2000": ("deg", "declination (ICRS)"),
    "X_IMAGE": ("pixel", "position in the tile, from 1"),
    "Y_IMAGE": ("pixel", "position in the tile, from 1"),
    "A_IMAGE": ("pixel", "RMS of the profile along the major axis"),
    "B_IMAGE": ("pixel", "RMS of the profile along the minor axis"),
    "THETA_IMAGE": ("deg", "position angle from the x axis"),
    "MAG_AUTO": ("mag", "magnitude in the automatic aperture"),
    "FLUX_RADIUS": ("pixel", "half-light radius"),
    "MU_MEAN_MODEL": ("mag arcsec-2", "mean surface brightness in the half-light radius"),
    "MU_MAX_MODEL": ("mag arcsec-2", "peak surface brightness"),
}


def _write_catalogs(folder, made, seed) -> SimulatedSurvey:
    """Write the candidates and the truth, row by row the same objects."""
    candidates = vstack([pair[0] for pair in made], metadata_conflicts="silent")
    truth = vstack([pair[1] for pair in made], metadata_conflicts="silent")
    candidates["NUMBER"] = np.arange(1, len(candidates) + 1, dtype=np.int32)
    truth.add_column(candidates["NUMBER"], 0)
    hdu = fits.BinTableHDU(candidates, name="CANDIDATES")
    for number, column in enumerate(candidates.colnames, 1):
        stem = column if column in _COLUMN_NOTES else column.rpartition("_")[0]
        unit, note = _COLUMN_NOTES.get(stem, ("", ""))
        if unit:
            hdu.header.set(f"TUNIT{number}", unit, after=f"TFORM{number}")
        if note:
            hdu.header.set(f"TCOMM{number}", note, after=f"TFORM{number}")
    hdu.header["SEED"] = (seed, "seed of the simulation")
    hdu.writeto(folder / "candidates.fits", overwrite=True)
    fits.BinTableHDU(truth, name="TRUTH").writeto(folder / "truth.fits", overwrite=True)
    return SimulatedSurvey(
        folder / "tiles",
        folder / "candidates.fits",
        folder / "truth.fits",
        len(candidates),
        int(truth["LABEL"].sum()),
    )
