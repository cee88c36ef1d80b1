"""``lsbg inject-recover``: mocks into tiles, detection, cut, network and completeness, in one job.

A unit of work is a tile, or one of several injections into it: its copy with mocks lies in the
worker's scratch folder only as long as the unit lasts, so that a survey's injected tiles need not
all exist at once.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from catalogs import lsbg_columns
from catalogs.errors import InputError
from catalogs.flags import Flag
from lsbg_classifier import Classifier, load_classifier
from lsbg_classifier.completeness.measure import Completeness, Settings
from lsbg_classifier.cutouts.tiles import TileSource
from lsbg_classifier.detection.tiles import DetectionRequest, describe
from lsbg_classifier.injection.chain import Search, searched
from lsbg_classifier.injection.labels import KnownLsbgs, labels_of
from lsbg_classifier.injection.tiles import Request
from lsbg_classifier.injection.truth import describe as describe_truth
from lsbg_classifier.own_tables import write_table
from lsbg_classifier.scoring import check_match, score_positions
from lsbg_classifier.tile_images import TileSet
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, WeightSet, find_weights
from pipeline.injection.completeness import files_of, measure_completeness
from pipeline.injection.inject import InjectOptions, lines_of
from pipeline.injection.output_folder import check_folder, clear_folder
from pipeline.injection.places import TilesPlace, place_of, tile_named
from pipeline.injection.sample import sample_table, sky_table, write_sample
from pipeline.injection.tile_job import Progress, TileJob, Unit, UnitResult, Where, identity_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecoverOptions:
    """How mocks are recovered.

    Attributes
    ----------
    weights : str
        Name or path of the weight set.
    select : str or None
        A published cut, a file of conditions or an expression; None: all detections are scored.
    bands : str
        Of the cutouts, blue to red.
    threshold : float, optional
        Probability above which a mock counts as recovered; the card's by default.
    detection : DetectionRequest
    repeats : int
        Injections into each tile, each with other mocks.
    band : str
        Of the surface brightness that the completeness is a function of.
    match_radius : float
        Arcseconds.
    level : float
        Probability content of the intervals.
    allow_mismatch : bool
        Score although the weights were made for other images.
    keep_sample : bool
        Write the cutouts of recovered mocks and of real candidates too, with labels.
    exclude : str, optional
        Catalog of known LSBGs, which are no examples of others in that sample.
    """

    weights: str = DEFAULT_WEIGHTS
    select: str | None = "des"
    bands: str = "grz"
    threshold: float | None = None
    detection: DetectionRequest = field(default_factory=DetectionRequest)
    repeats: int = 1
    band: str = "g"
    match_radius: float = 3.0
    level: float = 0.683
    allow_mismatch: bool = False
    keep_sample: bool = False
    exclude: str | None = None

    def __post_init__(self):
        """Refuse numbers that make no sense."""
        if not 1 <= self.repeats <= 10_000:
            raise InputError("repeats must be 1 to 10000")
        self.settings(0.5)

    def search(self, inject: InjectOptions, estimate_i: bool = False) -> Search:
        """Return how tiles are searched.

        Parameters
        ----------
        inject : InjectOptions
            Which says how the tiles are opened.
        estimate_i : bool
            As of `DetectionRequest`.

        Returns
        -------
        Search
        """
        detection = DetectionRequest(self.detection.threshold, estimate_i)
        return Search(inject.survey, inject.tiles, self.select, self.bands, detection)

    def settings(self, threshold: float) -> Settings:
        """Return how the completeness is measured."""
        threshold = threshold if self.threshold is None else self.threshold
        return Settings(self.band, self.match_radius, threshold, self.level)


def options_from(values: Mapping[str, Any]) -> tuple[InjectOptions, RecoverOptions, Where]:
    """Sort the values of the options of ``lsbg inject-recover``.

    Parameters
    ----------
    values : mapping of str to object
        By the names of the command's parameters.
    """
    inject = InjectOptions(
        mocks=values["mocks"],
        density=values["density"],
        least_distance=values["least_distance"],
        masked_share=values["masked_share"],
        psf=values["psf"],
        noise=not values["no_noise"],
        gain=values["gain"],
        seed=values["seed"],
        survey=values["survey"],
        tiles=values["tiles"],
    )
    recover = RecoverOptions(
        weights=values["weights"],
        select=None if values["select"] == "all" else values["select"],
        bands=values["bands"],
        threshold=values["threshold"],
        repeats=values["repeats"],
        band=values["band"],
        match_radius=values["match_radius"],
        level=values["level"],
        allow_mismatch=values["allow_mismatch"],
        keep_sample=values["keep_sample"],
        exclude=None if values["exclude"] is None else str(values["exclude"]),
    )
    return inject, recover, Where(values["scheduler"], values["workers"])


@dataclass(frozen=True)
class RecoverWork:
    """What every unit of a recovery needs."""

    place: TilesPlace
    request: Request
    search: Search
    weights: str
    sha256: str
    known: KnownLsbgs | None = None


@dataclass(frozen=True)
class RecoverJob:
    """A checked recovery: nothing is written yet.

    Attributes
    ----------
    tiles : TileSet
    output : Path
    inject : InjectOptions
    recover : RecoverOptions
    request : Request
    weights : WeightSet
    estimate_i : bool
        Whether the cut needs an i band that the tiles lack; see `DetectionRequest`.
    where : Where
    resume : bool
    """

    tiles: TileSet
    output: Path
    inject: InjectOptions
    recover: RecoverOptions
    request: Request
    weights: WeightSet
    estimate_i: bool
    where: Where = field(default_factory=Where)
    resume: bool = False

    @property
    def units(self) -> list[Unit]:
        """One unit an injection into a tile."""
        names = [(tile.name, r) for r in range(self.recover.repeats) for tile in self.tiles.tiles]
        return [Unit(number, *name) for number, name in enumerate(names)]

    @property
    def search(self) -> Search:
        """How the tiles are opened and searched."""
        return self.recover.search(self.inject, self.estimate_i)

    def assumptions(self) -> list[str]:
        """Say what is assumed about images, cut and bands, in lines."""
        return self.search.assumptions(self.tiles)


def prepare_recovery(
    folder: str | Path,
    output: str | Path,
    inject: InjectOptions,
    recover: RecoverOptions,
    *,
    where: Where | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> RecoverJob:
    """Check everything that a recovery needs, so that it fails early or not at all.

    Parameters
    ----------
    folder : path
        Tiles, as ``tiles:`` reads them.
    output : path
        Folder that gets the truth, the annotated detections and the completeness.
    inject : InjectOptions
    recover : RecoverOptions
    where : Where, optional
    resume, overwrite : bool
        Continue an unfinished run; replace an earlier output.

    Returns
    -------
    RecoverJob

    Raises
    ------
    InputError
        For anything that the user can fix, in one line.
    """
    if recover.exclude is not None and not recover.keep_sample:
        raise InputError("--exclude is for --keep-sample: add that")
    if inject.stamp_side is not None:
        raise InputError("stamps cannot be recovered: detection needs whole tiles")
    request, weights = inject.request(), find_weights(recover.weights)
    tiles, output = TileSet(folder, inject.survey, inject.tiles), Path(output)
    for tile in tiles.tiles:
        request.mocks.check_bands(tile.bands, f"tile {tile.name}")
    check_folder(output, tiles.folder, overwrite=overwrite)
    if not recover.allow_mismatch:
        source = TileSource(folder, bands=recover.bands, survey=inject.survey, tiles=inject.tiles)
        check_match(weights.card, source, "--allow-mismatch")
    estimate_i = recover.search(inject).estimates_i(tiles)
    where = where or Where()
    return RecoverJob(tiles, output, inject, recover, request, weights, estimate_i, where, resume)


_OURS = ("truth.fits", "detections.fits")
_SAMPLE = ("sample.npy", "sample.csv", "sample.json")


def run_recovery(job: RecoverJob, progress: Progress | None = None) -> Completeness:
    """Run a recovery that `prepare_recovery` has checked.

    Parameters
    ----------
    job : RecoverJob
    progress : callable, optional
        Called with (units done, units in all).

    Returns
    -------
    Completeness

    Raises
    ------
    InputError
        If a tile cannot be read or has no point-spread function, or the cut needs columns that
        detection does not give. What is done is kept for a resume.
    """
    with TileJob(job.output, _identity(job), job.units, resume=job.resume) as tile_job:
        if not job.resume:
            clear_folder(
                job.output, (*_OURS, *_SAMPLE, *(path.name for path in files_of(job.output)))
            )
        tile_job.run(recover_unit, _work(job), job.where, progress)
        job.output.mkdir(exist_ok=True)
        _write_tables(job, tile_job)
        settings = job.recover.settings(job.weights.card.threshold)
        if job.recover.keep_sample:
            sample, sky = tile_job.joined("sample"), tile_job.joined("sky")
            for line in write_sample(sample, sky, job.output):
                _log.info("%s", line)
        truth, detections = (job.output / name for name in _OURS)
        measured = measure_completeness(truth, detections, job.output, settings)
        tile_job.finish()
    return measured


def _identity(job: RecoverJob) -> dict:
    """Return what decides the results of the units, as JSON values."""
    return identity_of(
        task="inject-recover",
        images=str(job.tiles.folder.resolve()),
        **{"state of the images": job.tiles.fingerprint},
        **job.inject.identity(job.request.mocks),
        weights=job.weights.card.sha256,
        select=job.recover.select,
        bands=job.recover.bands,
        repeats=job.recover.repeats,
        **{"detection threshold": job.recover.detection.threshold},
        **{"choice of --keep-sample": job.recover.keep_sample, "exclude": job.recover.exclude},
    )


def _work(job: RecoverJob) -> RecoverWork:
    """Return what every unit needs."""
    known = KnownLsbgs.read(job.recover.exclude) if job.recover.keep_sample else None
    return RecoverWork(
        place_of(job.tiles, job.inject.survey, job.inject.tiles),
        job.request,
        job.search,
        str(job.weights.path.resolve()),
        job.weights.card.sha256,
        known,
    )


def _write_tables(job: RecoverJob, tile_job: TileJob):
    notes = {"mocks": Path(job.inject.mocks).name, "seed": job.inject.seed}
    write_table(describe_truth(tile_job.joined("truth")), job.output / _OURS[0], "TRUTH", notes)
    detections = tile_job.joined("detections")
    detections["NUMBER"] = np.arange(1, len(detections) + 1, dtype=np.int32)
    detections = describe(detections, job.estimate_i)
    for column in lsbg_columns(detections.colnames, style="upper"):
        detections[column.name].description = column.description
    card = job.weights.card
    notes |= {"WEIGHTS": card.name, "WSHA256": card.sha256, "SELECT": job.recover.select or "none"}
    write_table(detections, job.output / _OURS[1], "DETECTIONS", notes)


def recover_unit(unit: Unit, work: RecoverWork) -> UnitResult:
    """Inject into one tile, detect, cut and score, on a worker.

    Parameters
    ----------
    unit : Unit
    work : RecoverWork

    Returns
    -------
    UnitResult
        With the tables ``truth`` and ``detections``, and ``sample`` if one is asked for.
    """
    tile = tile_named(unit.tile, work.place)
    with searched(tile, work.request, work.search, unit.repeat) as found:
        classifier = _classifier(work.weights, work.sha256)
        scored, cutouts = _scored(found.sources, found.selected, found.cutouts, classifier)
    lines = (
        *lines_of(tile, found.injected),
        f"tile {tile.name}: {len(scored)} sources, {int(found.selected.sum())} pass the cut",
    )
    tables = {"truth": found.injected.truth, "detections": scored}
    if work.known is not None:
        labels = labels_of(scored, found.injected.truth, work.known, unit.repeat)
        flags = np.asarray(scored[lsbg_columns((), style="upper")[1].name])
        tables["sample"] = sample_table(scored, labels, flags, cutouts)
        tables["sky"] = sky_table(found, tile, work.known)
    return UnitResult(tables, lines)


def _scored(sources, selected, source, classifier) -> tuple[Table, dict[int, np.ndarray]]:
    """Add probabilities and flags; what the cut drops gets NOT_SELECTED alone.

    Returns the cutouts too, by row.
    """
    cutouts: dict[int, np.ndarray] = {}
    probability, flags = lsbg_columns(sources.colnames, style="upper")
    scores = np.full(len(sources), np.nan, np.float32)
    bits = np.full(len(sources), Flag.NOT_SELECTED, np.int16)
    rows = np.flatnonzero(selected)
    positions = np.stack([sources["ALPHA_J2000"], sources["DELTA_J2000"]], axis=1)[rows]
    for part in np.array_split(rows, max(1, -(-len(rows) // 512))):
        if len(part):
            places = np.searchsorted(rows, part)
            result = score_positions(positions[places], source, classifier)
            scores[part], bits[part] = result.probability, result.flags
            cutouts |= dict(zip(part.tolist(), result.cutouts, strict=True))
    sources[probability.name], sources[flags.name] = scores, bits
    return sources, cutouts


@lru_cache(maxsize=4)
def _classifier(path: str, sha256: str) -> Classifier:
    """Load the weights, once a process."""
    classifier = load_classifier(path)
    if classifier.card.sha256 != sha256:
        raise InputError(f"{path}: this worker has other weights than the job; copy them")
    return classifier
