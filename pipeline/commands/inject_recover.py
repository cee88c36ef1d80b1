"""``lsbg inject-recover``: the whole chain from mocks to a completeness."""

from pathlib import Path
from typing import Annotated

import typer

from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline.commands.completeness import Band, Level, MatchRadius
from pipeline.commands.inject import (
    Density,
    Distance,
    DryRun,
    Gain,
    MaskedShare,
    Mocks,
    NoNoise,
    Overwrite,
    Psf,
    Quiet,
    Resume,
    Scheduler,
    Seed,
    TilesFolder,
    Workers,
)
from pipeline.console import ANY_PATH, Survey, Tiles, say


def inject_recover(
    folder: TilesFolder,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Folder for truth, detections and completeness.", **ANY_PATH
        ),
    ],
    weights: Annotated[
        str,
        typer.Option(
            help="Score with these trained weights: a name (see: lsbg weights) or a file."
        ),
    ] = DEFAULT_WEIGHTS,
    select: Annotated[
        str,
        typer.Option(
            help="Score only candidates that pass this cut: des, hsc, a file, an expression, or "
            "all (no cut).",
            metavar="des|hsc|FILE|EXPRESSION|all",
        ),
    ] = "des",
    repeats: Annotated[
        int,
        typer.Option(min=1, help="Inject into each tile this many times, each time other mocks."),
    ] = 1,
    mocks: Mocks = "uniform",
    density: Density = 0.5,
    least_distance: Distance = 40.0,
    masked_share: MaskedShare = 0.0,
    psf: Psf = None,
    no_noise: NoNoise = False,
    gain: Gain = None,
    seed: Seed = 1,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Count a mock as recovered above this probability; by default the threshold of "
            "the weights.",
        ),
    ] = None,
    band: Band = "g",
    match_radius: MatchRadius = 3.0,
    level: Level = 0.683,
    bands: Annotated[
        str, typer.Option(help="Make the cutouts from these bands, blue to red.")
    ] = "grz",
    survey: Survey = None,
    tiles: Tiles = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch",
            help="Score images that the weights were not made for, as an order in which to look at "
            "them.",
        ),
    ] = False,
    keep_sample: Annotated[
        bool,
        typer.Option(
            "--keep-sample",
            help="Write cutouts and labels to train on too, as sample.npy and sample.csv: mocks "
            "that pass the cut, and real candidates.",
        ),
    ] = False,
    exclude: Annotated[
        Path | None,
        typer.Option(
            help="Leave the known LSBGs of this catalog out of the real candidates of "
            "--keep-sample.",
            **ANY_PATH,
        ),
    ] = None,
    scheduler: Scheduler = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
):
    """Inject mocks into tiles, find them again, score them, and measure the completeness."""
    values = dict(locals())
    from pipeline.injection.completeness import lines_of_completeness
    from pipeline.injection.lines import describe_recovery
    from pipeline.injection.log_lines import shown_lines
    from pipeline.injection.recover import options_from, prepare_recovery, run_recovery
    from pipeline.progress import show_progress

    inject, recover, where = options_from(values)
    job = prepare_recovery(
        folder, output, inject, recover, where=where, resume=resume, overwrite=overwrite
    )
    if dry_run:
        say(describe_recovery(job))
        return
    if not quiet:
        typer.echo("\n".join(job.assumptions()), err=True, nl=bool(job.assumptions()))
    with show_progress("tiles", quiet=quiet) as progress, shown_lines(quiet=quiet):
        measured = run_recovery(job, progress)
    if not quiet:
        say([*lines_of_completeness(measured), f"wrote {output}"])
