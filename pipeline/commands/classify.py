"""``lsbg classify``: probabilities and flags into a catalog."""

from typing import Annotated

import typer

from catalogs.beside import chosen_output
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
        str | None,
        typer.Argument(
            metavar="OUTPUT",
            help="The same catalog with two or three more columns; by default beside INPUT, with "
            "_lsbg added to the stem of its name.",
        ),
    ] = None,
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
    from lsbg_classifier.cutouts.kept_files import kept_folder
    from pipeline.describe import describe_job
    from pipeline.job import output_for, prepare
    from pipeline.progress import show_progress
    from pipeline.run import prepare_and_run

    settings = Options(**options)
    if dry_run:
        say(describe_job(prepare(input_path, output, settings)))
        return
    with show_progress("candidates", quiet=quiet) as progress:
        summary = prepare_and_run(input_path, output, settings, progress)
    if not quiet:
        output_path = output_for(input_path, output, settings)
        cutouts = f" and {kept_folder(output_path)}" if settings.keep_cutouts else ""
        only = "" if settings.only is None else f", and {summary.chosen} rows to "
        only += "" if settings.only is None else str(chosen_output(output_path))
        say([*summary.lines(), f"wrote {output_path}{cutouts}{only}"])
