"""``lsbg detect``: candidates found in tiles, one catalog."""

from dataclasses import dataclass, field
from pathlib import Path

from catalogs.errors import InputError
from catalogs.output import check_output
from lsbg_classifier.detection.tiles import DetectionRequest, describe, detect_in_tile
from lsbg_classifier.own_tables import check_table_name, write_table
from lsbg_classifier.tile_images import TileSet
from pipeline.injection.places import TilesPlace, place_of, tile_named
from pipeline.injection.tile_job import Progress, TileJob, Unit, UnitResult, Where, identity_of
from pipeline.job import journal_of


@dataclass(frozen=True)
class DetectOptions:
    """How candidates are found.

    Attributes
    ----------
    request : DetectionRequest
    survey : str, optional
        Survey of the tiles, where names do not tell.
    tiles : str, optional
        How the files are named; see `TileSource`.
    """

    request: DetectionRequest = field(default_factory=DetectionRequest)
    survey: str | None = None
    tiles: str | None = None


@dataclass(frozen=True)
class DetectJob:
    """A checked detection: nothing is written yet.

    Attributes
    ----------
    tiles : TileSet
    output : Path
    options : DetectOptions
    where : Where
    resume : bool
    """

    tiles: TileSet
    output: Path
    options: DetectOptions
    where: Where = field(default_factory=Where)
    resume: bool = False

    @property
    def units(self) -> list[Unit]:
        """One unit a tile."""
        return [Unit(number, tile.name) for number, tile in enumerate(self.tiles.tiles)]


@dataclass(frozen=True)
class DetectWork:
    """What every unit of a detection needs."""

    place: TilesPlace
    request: DetectionRequest


def prepare_detection(
    folder: str | Path,
    output: str | Path,
    options: DetectOptions,
    *,
    where: Where | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> DetectJob:
    """Check everything that a detection needs.

    Parameters
    ----------
    folder : path
        Tiles, as ``tiles:`` reads them.
    output : path
        The catalog: FITS or Parquet, by its ending.
    options : DetectOptions
    where : Where, optional
    resume, overwrite : bool
        Continue an unfinished run; replace an output that exists.

    Returns
    -------
    DetectJob

    Raises
    ------
    InputError
        For anything that the user can fix, in one line.
    """
    output = Path(output)
    check_table_name(output)
    tiles = TileSet(folder, options.survey, options.tiles)
    unfinished = resume and (journal_of(output) / "job.json").exists()
    if output.resolve().parent != tiles.folder.resolve():
        check_output(tiles.folder, output, overwrite or unfinished)
    else:
        raise InputError(f"{output}: lies among the tiles, where it would be taken for one")
    if not options.request.threshold > 0:
        raise InputError("the threshold must be positive")
    return DetectJob(tiles, output, options, where or Where(), resume)


def run_detection(job: DetectJob, progress: Progress | None = None) -> int:
    """Run a detection that `prepare_detection` has checked; returns the number of sources.

    Parameters
    ----------
    job : DetectJob
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    int

    Raises
    ------
    InputError
        If a tile cannot be read. What is done is kept for a resume.
    """
    options, request = job.options, job.options.request
    identity = identity_of(
        task="detect",
        images=str(job.tiles.folder.resolve()),
        survey=job.options.survey,
        names=job.options.tiles,
        **{"state of the images": job.tiles.fingerprint},
        **vars(request),
    )
    work = DetectWork(place_of(job.tiles, options.survey, options.tiles), request)
    with TileJob(job.output, identity, job.units, resume=job.resume) as tile_job:
        tile_job.run(detect_unit, work, job.where, progress)
        table = tile_job.joined("candidates")
        table["NUMBER"] = range(1, len(table) + 1)
        table = describe(table, request.estimate_i)
        write_table(table, job.output, "CANDIDATES", {"threshold": request.threshold})
        tile_job.finish()
    return len(table)


def detect_unit(unit: Unit, work: DetectWork) -> UnitResult:
    """Detect in one tile, on a worker.

    Parameters
    ----------
    unit : Unit
    work : DetectWork

    Returns
    -------
    UnitResult
        With the table ``candidates``.
    """
    tile = tile_named(unit.tile, work.place)
    table = detect_in_tile(tile, work.request)
    return UnitResult({"candidates": table}, (f"tile {tile.name}: {len(table)} sources",))
