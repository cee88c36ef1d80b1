"""``lsbg detect``: a catalog of candidates from tiles."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.inject import (
    DryRun,
    Overwrite,
    Quiet,
    Resume,
    Scheduler,
    TilesFolder,
    Workers,
)
from pipeline.console import ANY_PATH, Survey, Tiles, say


def detect(
    folder: TilesFolder,
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Catalog to write: .fits or .parquet.", **ANY_PATH),
    ],
    threshold: Annotated[
        float, typer.Option(help="Detect sources above this many times the noise of a pixel.")
    ] = 1.1,
    estimate_i: Annotated[
        bool,
        typer.Option(
            "--estimate-i",
            help="Give tiles in r and z without i the columns of i that published cuts need: the "
            "mean of the magnitudes in r and z, and SPREAD_MODEL of r.",
        ),
    ] = False,
    survey: Survey = None,
    tiles: Tiles = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
):
    """Find candidates in tiles, with the columns that published cuts need."""
    from lsbg_classifier.detection.tiles import DetectionRequest
    from pipeline.injection.detect import DetectOptions, prepare_detection, run_detection
    from pipeline.injection.log_lines import shown_lines
    from pipeline.injection.tile_job import Where
    from pipeline.progress import show_progress

    job = prepare_detection(
        folder,
        output,
        DetectOptions(DetectionRequest(threshold, estimate_i), survey, tiles),
        where=Where(scheduler, workers),
        resume=resume,
        overwrite=overwrite,
    )
    if dry_run:
        bands = "".join(job.tiles.bands)
        lines = [f"{len(job.units)} tiles in {bands}, catalog in {output}"]
        say([*lines, *job.tiles.assumptions, "no output was written"])
        return
    if not quiet:
        say(job.tiles.assumptions)
    with show_progress("tiles", quiet=quiet) as progress, shown_lines(quiet=quiet):
        count = run_detection(job, progress)
    if not quiet:
        say([f"{count} sources in {len(job.units)} tiles", f"wrote {output}"])
