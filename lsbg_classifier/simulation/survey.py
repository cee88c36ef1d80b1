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

from catalogs.errors import InputError
from lsbg_classifier.cutouts.tile_memory import INDEX_NAME
from lsbg_classifier.simulation import contaminants, galaxies, stars
from lsbg_classifier.simulation.coadds import is_simulated, plan_tiles, write_tile
from lsbg_classifier.simulation.detection import detect, select_candidates, subtract_sky
from lsbg_classifier.simulation.models import model_named
from lsbg_classifier.simulation.sky import Conditions, Sky
from lsbg_classifier.simulation.truth import match_truth


@dataclass(frozen=True)
class SimulatedSurvey:
    """Where the parts of a simulated survey are, and how many candidates it holds."""

    tiles: Path
    candidates: Path
    truth: Path
    candidate_count: int
    lsbg_count: int
    placed: Path


@dataclass(frozen=True)
class SurveyPlan:
    """What a simulated survey holds; the same plan gives the same survey.

    Attributes
    ----------
    tiles, tile_size : int
        How many tiles, and their side in pixels (real ones have 10,000 in DES, 4,200 in HSC).
    lsbgs : int
        Low-surface-brightness galaxies per 3000x3000 pixels: far more than in the real sky.
    seed : int
        Seed of everything random.
    compressed : bool
        Write tiles as surveys do, or plain, which is quicker.
    """

    tiles: int = 2
    tile_size: int = 3000
    lsbgs: int = 110
    seed: int = 1
    compressed: bool = True


def simulate_survey(
    name: str,
    folder: Path | str,
    plan: SurveyPlan,
    *,
    processes: int = 2,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedSurvey:
    """Make a survey that looks like the named one, the same for the same plan.

    Parameters
    ----------
    name : str
        ``des`` or ``hsc``; in g, r and z, see `models.MODELS`.
    folder : path
        Where to write; made if missing. Gets ``tiles/``, ``candidates.fits``, ``truth.fits``,
        whose rows belong to the candidates' rows, and ``placed.fits``: all LSBGs that were drawn,
        those that are no candidates too.
    plan : SurveyPlan
        The tiles, the LSBGs in them, and the seed.
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
    model_named(name)
    if plan.tiles < 1 or plan.tile_size < 300:
        raise InputError("a simulated survey needs at least 1 tile of at least 300 pixels")
    folder = Path(folder)
    _make_room(folder, overwrite)
    tiles = plan_tiles(name, plan.tiles, plan.tile_size, plan.seed)
    jobs = [(tile, folder / "tiles", plan) for tile in tiles]
    made = []
    with ProcessPoolExecutor(min(processes, len(tiles)), mp_context=get_context("spawn")) as pool:
        for tables in pool.map(_make_tile, jobs):
            made.append(tables)
            if progress is not None:
                progress(len(made), len(tiles))
    return _write_catalogs(folder, made, plan.seed)


def _make_room(folder, overwrite):
    """Make the folders; remove what an earlier simulation left, or refuse to."""
    names = ("candidates.fits", "truth.fits", "placed.fits")
    tiles, catalogs = folder / "tiles", [folder / name for name in names]
    for path in (*catalogs, tiles):
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; add --overwrite to replace it")
    for path in tiles.glob("*"):
        if not (path.name.startswith(INDEX_NAME) or is_simulated(path)):
            raise InputError(f"{path}: not of a simulated survey and not removed; move it away")
    if tiles.is_dir():
        shutil.rmtree(tiles)
    for path in catalogs:
        path.unlink(missing_ok=True)
    tiles.mkdir(parents=True)


def _make_tile(job) -> tuple[Table, Table, Table]:
    """Simulate one tile, write its images, and return candidates, their truth, and all LSBGs."""
    tile, folder, plan = job
    survey = tile.model.survey
    images, covered, rms, placed = _expose(tile, plan.lsbgs, np.random.default_rng(tile.seed))
    write_tile(folder, tile, images, covered, rms, compressed=plan.compressed)
    candidates = select_candidates(detect(images, covered, survey), survey.pixel_scale)
    candidates, truth = match_truth(candidates, placed, survey.pixel_scale)
    sky = tile.wcs().all_pix2world(candidates["X_IMAGE"], candidates["Y_IMAGE"], 1)
    candidates.add_columns(sky, indexes=[1, 1], names=["ALPHA_J2000", "DELTA_J2000"])
    candidates["TILENAME"] = np.full(len(candidates), tile.name)
    return candidates, truth, _all_lsbgs(tile, placed, covered)


def _all_lsbgs(tile, placed, covered) -> Table:
    """List the LSBGs of a tile, with the columns of the truth of mocks."""
    lsbgs = [object_ for object_ in placed if object_.kind == "lsbg"]
    x, y, magnitude, radius = np.array([object_[1:] for object_ in lsbgs]).reshape(-1, 4).T
    ra, dec = tile.wcs().all_pix2world(x, y, 0) if len(lsbgs) else (x, y)
    columns, rows = (np.clip(np.round(at).astype(int), 0, tile.size - 1) for at in (x, y))
    return Table(
        {
            "TILENAME": np.full(len(lsbgs), tile.name),
            "RA": ra,
            "DEC": dec,
            "X_IMAGE": x + 1,
            "Y_IMAGE": y + 1,
            "R_EFF": radius,
            "MAG_G": magnitude,
            "MU_MEAN_G": magnitude + 2.5 * np.log10(2 * np.pi * radius**2),
            "COVERED": covered.all(axis=0)[rows, columns],
        }
    )


def _expose(tile, lsbgs, rng):
    """Fill a patch of sky, observe it, and spoil it."""
    size = tile.size
    conditions = Conditions.draw(tile.model, rng)
    sky = Sky(size, conditions)
    share = (size / 3000) ** 2
    placed = galaxies.add_lsbgs(sky, round(lsbgs * share), rng)
    placed += galaxies.add_background(sky, rng)
    placed += galaxies.add_blends(sky, rng.poisson(60 * share), rng)
    placed += galaxies.add_spirals(sky, rng.poisson(24 * share), rng)
    placed += galaxies.add_ellipticals(sky, rng.poisson(14 * share), rng)
    placed += stars.add_stars(sky, rng)
    placed += contaminants.add_ghosts(sky, rng.poisson(5 * share), rng)
    if tile.model.wisps:
        placed += contaminants.add_wisps(sky, rng.poisson(tile.model.wisps * share), rng)
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
    rms = depth * np.array(conditions.noise, np.float32)[:, None, None]
    return images, covered, rms, placed


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


def _write_catalogs(folder, tiles, seed) -> SimulatedSurvey:
    """Write the candidates and the truth, row by row the same objects."""
    candidates = vstack([tables[0] for tables in tiles], metadata_conflicts="silent")
    truth = vstack([tables[1] for tables in tiles], metadata_conflicts="silent")
    placed = vstack([tables[2] for tables in tiles], metadata_conflicts="silent")
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
    fits.BinTableHDU(placed, name="PLACED").writeto(folder / "placed.fits", overwrite=True)
    return SimulatedSurvey(
        folder / "tiles",
        folder / "candidates.fits",
        folder / "truth.fits",
        len(candidates),
        int(truth["LABEL"].sum()),
        folder / "placed.fits",
    )
