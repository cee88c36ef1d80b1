"""``lsbg classify``: probabilities and flags into a catalog."""

from pathlib import Path
from typing import Annotated

import typer

from catalogs.formats import titles
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS
from pipeline.console import (
    ANY_PATH,
    Bands,
    Connections,
    Dec,
    Format,
    PositionUnit,
    Ra,
    Survey,
    Table,
    Url,
    given,
    say,
)


def classify(
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help=f"Candidates in any of these formats: {titles()}; or a URL of one.",
        ),
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="The same catalog with two more columns.")
    ],
    cutouts: Annotated[
        str,
        typer.Option(
            help="Where images come from: tiles:FOLDER|URL, legacysurvey:LAYER, hips:ID. The sky "
            "viewer's layer of DES is legacysurvey:des-dr1."
        ),
    ],
    weights: Annotated[
        str, typer.Option(help="Trained weights: a name (see: lsbg weights) or a file.")
    ] = DEFAULT_WEIGHTS,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Probability that the summary counts from."),
    ] = None,
    format: Format = None,
    table: Table = None,
    ra: Ra = None,
    dec: Dec = None,
    position_unit: PositionUnit = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Score only the rows that a cut keeps: des or hsc (the published cuts), a file "
            'with a condition a line, or an expression such as "FLUX_RADIUS_G * 0.263 > 2.5".',
            metavar="des|hsc|FILE|EXPRESSION",
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(help="Names of the new columns: auto (as in the input), upper, lower, rubin."),
    ] = "auto",
    bands: Bands = None,
    survey: Survey = None,
    url: Url = None,
    connections: Connections = None,
    scheduler: Annotated[
        str | None, typer.Option(help="A running Dask scheduler, such as tcp://host:8786.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes to start instead of threads.")
    ] = None,
    cluster: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of the jobs of Slurm to start as workers; --dry-run prints the script.",
            **ANY_PATH,
        ),
    ] = None,
    chunk_size: Annotated[
        int,
        typer.Option(min=1, help="Candidates in a unit of work; those of one tile stay together."),
    ] = 256,
    keep_cutouts: Annotated[
        bool,
        typer.Option(
            "--keep-cutouts",
            help="Keep the cutouts in the folder OUTPUT.cutouts, about 9 kB each: for a report, "
            "or for other weights, as --cutouts kept:OUTPUT.",
        ),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace OUTPUT if it exists.")
    ] = False,
    overwrite_columns: Annotated[
        bool,
        typer.Option("--overwrite-columns", help="Replace our columns if INPUT has them already."),
    ] = False,
    vo_metadata: Annotated[
        bool,
        typer.Option(
            "--vo-metadata", help="Describe the columns of Parquet in a VOTable too (VOParquet)."
        ),
    ] = False,
    allow_mismatch: Annotated[
        bool,
        typer.Option(
            "--allow-mismatch", help="Score images that the weights were not made for; be careful."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done, stop.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
):
    """Write a catalog again, with the probability that each candidate is an LSBG, and a flag."""
    from pipeline.annotate import run
    from pipeline.describe import describe_job
    from pipeline.job import Options, prepare
    from pipeline.kept import kept_folder
    from pipeline.progress import show_progress

    options = Options(
        weights=weights,
        threshold=threshold,
        format=format,
        table=table,
        ra=ra,
        dec=dec,
        position_unit=position_unit,
        select=select,
        style=style,
        source_options=given(bands=bands, survey=survey, url=url, connections=connections),
        scheduler=scheduler,
        workers=workers,
        cluster=cluster,
        chunk_size=chunk_size,
        keep_cutouts=keep_cutouts,
        resume=resume,
        overwrite=overwrite,
        overwrite_columns=overwrite_columns,
        vo_metadata=vo_metadata,
        allow_mismatch=allow_mismatch,
    )
    job = prepare(input_path, output, cutouts, options)
    if dry_run:
        say(describe_job(job))
        return
    with show_progress("candidates", quiet=quiet) as progress:
        summary = run(job, progress)
    if not quiet:
        kept = f" and {kept_folder(job.output)}" if keep_cutouts else ""
        say([*summary.lines(), f"wrote {output}{kept}"])
