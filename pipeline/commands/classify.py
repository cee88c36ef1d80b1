"""``lsbg classify``: probabilities and flags into a catalog."""

from pathlib import Path
from typing import Annotated

import typer

from catalogs.formats import titles
from pipeline.console import say, takes_options
from pipeline.options import OPTIONS, Options


@takes_options(OPTIONS)
def classify(
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help=f"Candidates in any of these formats: {titles()}; or a URL of one.",
        ),
    ],
    output: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", help="The same catalog with two or three more columns."),
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, print what would be done, and stop."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")
    ] = False,
    **options,
):
    """Write a catalog again, with the probability that each candidate is an LSBG, and a flag."""
    from lsbg_classifier.cutouts.kept import kept_folder
    from pipeline.describe import describe_job
    from pipeline.job import prepare
    from pipeline.progress import show_progress
    from pipeline.run import prepare_and_run

    wanted = Options(**options)
    if dry_run:
        say(describe_job(prepare(input_path, output, wanted)))
        return
    with show_progress("candidates", quiet=quiet) as progress:
        summary = prepare_and_run(input_path, output, wanted, progress)
    if not quiet:
        cutouts = f" and {kept_folder(Path(output))}" if wanted.keep_cutouts else ""
        say([*summary.lines(), f"wrote {output}{cutouts}"])
