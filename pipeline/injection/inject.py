"""``lsbg inject``: copies of tiles with mock galaxies, or stamps around the mocks."""

from dataclasses import dataclass, field
from pathlib import Path

from catalogs.errors import InputError
from lsbg_classifier.injection.mocks import MockModel, read_mocks
from lsbg_classifier.injection.placement import Placement
from lsbg_classifier.injection.psf import PsfChoice
from lsbg_classifier.injection.stamps import write_stamps
from lsbg_classifier.injection.tiles import Injected, Request, make_mocks, write_tile
from lsbg_classifier.injection.truth import describe
from lsbg_classifier.own_tables import write_table
from lsbg_classifier.tile_images import TileImages, TileSet
from pipeline.injection.output_folder import check_folder, clear_folder
from pipeline.injection.places import TilesPlace, place_of, tile_named
from pipeline.injection.tile_job import Progress, TileJob, Unit, UnitResult, Where, identity_of


@dataclass(frozen=True)
class InjectOptions:
    """What is injected, and how.

    Attributes
    ----------
    mocks : str
        A shipped name, or a TOML file; see `read_mocks`.
    density : float
        Mocks per square arcminute.
    least_distance : float
        Arcseconds between two mocks.
    masked_share : float
        Largest part of the pixels within a mock's effective radius that may be masked or blank.
    psf : str, optional
        See `PsfChoice.of_text`.
    noise : bool
        Add Poisson noise of the mocks' light, where the gain is known.
    gain : float, optional
        Electrons of a count, where headers do not say.
    seed : int
    survey : str, optional
        Survey of the tiles, where names do not tell.
    tiles : str, optional
        How the files are named; see `TileSource`.
    stamp_side : float, optional
        Arcseconds: write stamps of this side around the mocks instead of whole tiles.
    """

    mocks: str = "des"
    density: float = 0.5
    least_distance: float = 40.0
    masked_share: float = 0.0
    psf: str | None = None
    noise: bool = True
    gain: float | None = None
    seed: int = 1
    survey: str | None = None
    tiles: str | None = None
    stamp_side: float | None = None

    def __post_init__(self):
        """Refuse numbers that make no sense."""
        if not 0 < self.density <= 100:
            raise InputError("the density must be above 0 and at most 100 per square arcminute")
        if not 0 <= self.least_distance <= 3600:
            raise InputError('the least distance must be 0" to 3600"')
        if not 0 <= self.masked_share <= 1:
            raise InputError("the masked share must be between 0 and 1")
        if self.gain is not None and not self.gain > 0:
            raise InputError("the gain must be positive")
        if self.seed < 0:
            raise InputError("the seed must not be negative")
        if self.stamp_side is not None and not 20 <= self.stamp_side <= 600:
            raise InputError('the side of stamps must be 20" to 600"')

    def request(self) -> Request:
        """Read the distributions, and return what `make_mocks` takes."""
        placement = Placement(self.density, self.least_distance, self.masked_share)
        psf = PsfChoice.of_text(self.psf)
        mocks = read_mocks(self.mocks)
        return Request(mocks, placement, psf, self.noise, self.gain, seed=self.seed)

    def identity(self, mocks: MockModel) -> dict:
        """Return what of it decides the results, as JSON values."""
        return vars(self) | {"mocks": mocks.text}


@dataclass(frozen=True)
class InjectWork:
    """What every unit of an injection needs."""

    place: TilesPlace
    output: str
    request: Request
    options: InjectOptions


@dataclass(frozen=True)
class InjectJob:
    """A checked injection: nothing is written yet.

    Attributes
    ----------
    tiles : TileSet
    output : Path
    options : InjectOptions
    request : Request
    where : Where
    resume : bool
    """

    tiles: TileSet
    output: Path
    options: InjectOptions
    request: Request
    where: Where = field(default_factory=Where)
    resume: bool = False

    @property
    def units(self) -> list[Unit]:
        """One unit a tile."""
        return [Unit(number, tile.name) for number, tile in enumerate(self.tiles.tiles)]

    @property
    def images(self) -> Path:
        """The folder that gets the images."""
        return self.output / ("tiles" if self.options.stamp_side is None else "stamps")

    @property
    def truth(self) -> Path:
        """The table of the mocks; written last."""
        return self.output / "truth.fits"


def prepare_injection(
    folder: str | Path,
    output: str | Path,
    options: InjectOptions,
    *,
    where: Where | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> InjectJob:
    """Check everything that an injection needs, so that it fails early or not at all.

    Parameters
    ----------
    folder : path
        Tiles, as ``tiles:`` reads them.
    output : path
        Folder that gets ``tiles/`` or ``stamps/``, and ``truth.fits`` last.
    options : InjectOptions
    where : Where, optional
    resume : bool
        Continue an unfinished injection.
    overwrite : bool
        Replace an earlier injection that is in the folder.

    Returns
    -------
    InjectJob

    Raises
    ------
    InputError
        For anything that the user can fix, in one line.
    """
    request = options.request()
    tiles = TileSet(folder, options.survey, options.tiles)
    for tile in tiles.tiles:
        request.mocks.check_bands(tile.bands, f"tile {tile.name}")
    output = Path(output)
    check_folder(output, tiles.folder, overwrite=overwrite)
    return InjectJob(tiles, output, options, request, where or Where(), resume)


_OURS = ("tiles", "stamps", "truth.fits")


def run_injection(job: InjectJob, progress: Progress | None = None) -> int:
    """Run an injection that `prepare_injection` has checked; returns the number of mocks.

    Parameters
    ----------
    job : InjectJob
    progress : callable, optional
        Called with (tiles done, tiles in all).

    Returns
    -------
    int

    Raises
    ------
    InputError
        If a tile cannot be read or has no point-spread function. What is done is kept for a resume.
    """
    identity = identity_of(
        task="inject",
        images=str(job.tiles.folder.resolve()),
        **{"state of the images": job.tiles.fingerprint},
        **job.options.identity(job.request.mocks),
    )
    with TileJob(job.output, identity, job.units, resume=job.resume) as tile_job:
        if not job.resume:
            clear_folder(job.output, _OURS)
        job.images.mkdir(parents=True, exist_ok=True)
        for partial in job.images.glob(".*.partial"):
            partial.unlink()  # what a killed run was writing
        work = InjectWork(
            place_of(job.tiles, job.options.survey, job.options.tiles),
            str(job.images),
            job.request,
            job.options,
        )
        tile_job.run(inject_unit, work, job.where, progress)
        truth = describe(tile_job.joined("truth"))
        notes = {"mocks": Path(job.options.mocks).name, "seed": job.options.seed}
        write_table(truth, job.truth, "TRUTH", notes)
        tile_job.finish()
    return len(truth)


def inject_unit(unit: Unit, work: InjectWork) -> UnitResult:
    """Inject into one tile, on a worker.

    Parameters
    ----------
    unit : Unit
    work : InjectWork

    Returns
    -------
    UnitResult
        With the table ``truth``; the images are written.
    """
    tile = tile_named(unit.tile, work.place)
    injected = make_mocks(tile, work.request, unit.repeat)
    output = Path(work.output)
    if work.options.stamp_side is None:
        write_tile(tile, injected, output, work.request)
    else:
        write_stamps(tile, injected, output, work.request, work.options.stamp_side)
    return UnitResult({"truth": injected.truth}, lines_of(tile, injected))


def lines_of(tile: TileImages, injected: Injected) -> tuple[str, ...]:
    """Say what was assumed for a tile: mocks, and where each point-spread function is from.

    Parameters
    ----------
    tile : TileImages
    injected : Injected
        The mocks of that tile.

    Returns
    -------
    tuple of str
        First the number of mocks, then a line for each band.
    """
    count = len(injected.truth)
    room = "" if count == injected.wanted else f" of {injected.wanted}: there was no room for more"
    return (
        f"tile {tile.name}: {count} mocks{room}",
        *(
            f"tile {tile.name}, band {band}: point-spread function from {psf.origin}"
            for band, psf in injected.psfs.items()
        ),
    )
