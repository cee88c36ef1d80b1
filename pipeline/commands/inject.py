"""``lsbg inject``: mock galaxies into the user's own tiles."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.console import ANY_PATH, Survey, Tiles, say

Mocks = Annotated[
    str,
    typer.Option(
        help="Draw the mocks from these distributions: des or hsc (as published samples are), "
        "uniform (for completeness maps), or those of a .toml file.",
        metavar="des|hsc|uniform|FILE",
    ),
]
Density = Annotated[float, typer.Option(help="Inject this many mocks per square arcminute.")]
Distance = Annotated[float, typer.Option(help="Keep two mocks at least this far apart, in arcsec.")]
MaskedShare = Annotated[
    float,
    typer.Option(
        help="Accept places where at most this part of the pixels within the effective radius of a "
        "mock is masked or without data; 1 puts mocks everywhere."
    ),
]
Psf = Annotated[
    str | None,
    typer.Option(
        help="Use this point-spread function: a FWHM in arcsec, a PSFEx model or an image of it, "
        "for all bands or by band (g=1.1,r=0.9); {tile} and {band} stand for names. By default it "
        "comes from the Legacy Surveys' copsf files, keywords of headers, or stars in the image."
    ),
]
NoNoise = Annotated[
    bool, typer.Option("--no-noise", help="Leave out the Poisson noise of the mocks' light.")
]
Gain = Annotated[
    float | None,
    typer.Option(help="Use this gain, in electrons per count, where headers have no GAIN."),
]
Seed = Annotated[
    int, typer.Option(min=0, help="Use this seed; the same seed gives the same mocks.")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Use a running Dask scheduler, such as tcp://host:8786.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Start this many worker processes instead of threads.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an unfinished run.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier output of this command.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, print what would be done, and stop.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")]
TilesFolder = Annotated[
    Path, typer.Argument(metavar="TILES", help="Folder of tiles, as tiles: reads it.", **ANY_PATH)
]


def inject(
    folder: TilesFolder,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Folder that gets tiles/ and, last, truth.fits.", **ANY_PATH
        ),
    ],
    mocks: Mocks = "des",
    density: Density = 0.5,
    least_distance: Distance = 40.0,
    masked_share: MaskedShare = 0.0,
    psf: Psf = None,
    no_noise: NoNoise = False,
    gain: Gain = None,
    stamps: Annotated[
        float | None,
        typer.Option(
            help="Write stamps of this many arcsec around the mocks, in stamps/, instead of tiles.",
            metavar="ARCSEC",
        ),
    ] = None,
    seed: Seed = 1,
    survey: Survey = None,
    tiles: Tiles = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
):
    """Write copies of tiles with mock low-surface-brightness galaxies in them, and the truth."""
    from pipeline.injection.inject import InjectOptions, prepare_injection, run_injection
    from pipeline.injection.lines import describe_injection
    from pipeline.injection.log_lines import shown_lines
    from pipeline.injection.tile_job import Where
    from pipeline.progress import show_progress

    options = InjectOptions(
        mocks,
        density,
        least_distance,
        masked_share,
        psf,
        noise=not no_noise,
        gain=gain,
        seed=seed,
        survey=survey,
        tiles=tiles,
        stamp_side=stamps,
    )
    where = Where(scheduler, workers)
    job = prepare_injection(
        folder, output, options, where=where, resume=resume, overwrite=overwrite
    )
    if dry_run:
        say(describe_injection(job))
        return
    if not quiet:
        say(job.tiles.assumptions)
    with show_progress("tiles", quiet=quiet) as progress, shown_lines(quiet=quiet):
        count = run_injection(job, progress)
    if not quiet:
        say([f"{count} mocks in {len(job.units)} tiles", f"wrote {job.images} and {job.truth}"])
